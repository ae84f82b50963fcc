"""The first requests of an app, when several come at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from atila import Atila
from atila.serving.static import StaticFiles
from atila.testing.waits import PATIENCE

NO_LAYERS = {"auth": None, "tasks": None, "render": None, "ws": None}


def wsgi(app: Atila) -> int:
    """Ask as a server of WSGI does; the status."""
    given: list[str] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_HOST": "localhost"}
    environ["wsgi.url_scheme"] = "http"
    b"".join(app(environ, lambda status, headers, error=None: given.append(status)))
    return int(given[0][:3])


@pytest.mark.parametrize(
    "ask", [wsgi, lambda app: app.test_client().get("/").status_code], ids=["WSGI", "in process"]
)
def test_a_site_is_seen_when_it_is_whole(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    app = Atila(__name__, layers=NO_LAYERS)
    app.route("/")(lambda was: "whole")
    half, go_on = threading.Event(), threading.Event()
    make = StaticFiles.__init__

    def slow(self, apps) -> None:
        half.set()
        # The other request has come meanwhile; it waits for the lock, so that this one gives way.
        go_on.wait(0.2)
        make(self, apps)

    monkeypatch.setattr(StaticFiles, "__init__", slow)
    with ThreadPoolExecutor(2) as clients:
        first = clients.submit(ask, app)
        assert half.wait(PATIENCE)
        second = clients.submit(ask, app)
        assert [first.result(PATIENCE), second.result(PATIENCE)] == [200, 200]
    app.site.shutdown(1.0)
