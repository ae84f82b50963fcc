"""The first requests of a WSGI server come at once: none is served before the start is over."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from atila import Atila
from atila.testing.waits import PATIENCE, wait_until

NO_LAYERS = dict.fromkeys(("auth", "render", "tasks", "ws"))
CLIENTS = 8


def test_requests_wait_for_the_start() -> None:
    app = Atila(__name__, layers=NO_LAYERS)
    begun, gate, started = threading.Event(), threading.Event(), []

    @app.on("mounted")
    def mounted(was):
        begun.set()
        assert gate.wait(PATIENCE)
        started.append(1)

    @app.route("/")
    def index(was):
        return str(len(started))

    def ask(_: int) -> bytes:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
        }
        return b"".join(app(environ, lambda status, headers, info=None: lambda data: None))

    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = [clients.submit(ask, 0)]
        assert begun.wait(PATIENCE)
        answers += [clients.submit(ask, number) for number in range(1, CLIENTS)]
        try:
            wait_until(lambda: clients._work_queue.empty(), "all have begun")
            assert not any(each.done() for each in answers)
        finally:
            gate.set()
        assert {each.result(PATIENCE) for each in answers} == {b"1"}
    assert len(started) == 1
    app.site.shutdown(0.0)
