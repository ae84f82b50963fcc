"""A plain request sets no timer: one for each would be dear, and some loops keep those that were
cancelled.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from atila import Atila
from atila.serving.departures import Departures


class CountingLoop(asyncio.SelectorEventLoop):
    """Notes which timers are set for a request alone; `call_later` sets one, too."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[Any] = []

    def call_at(
        self, when: float, callback: Any, *args: Any, **options: Any
    ) -> asyncio.TimerHandle:
        """As any loop."""
        if getattr(callback, "__func__", None) is not Departures._sweep:
            # One timer asks for all requests whether their clients are still there.
            self.timers.append(callback)
        return super().call_at(when, callback, *args, **options)


@pytest.fixture
def app() -> Atila:
    app = Atila(__name__)

    @app.route("/def")
    def plain(was):
        return "plain"

    @app.route("/async")
    async def never_waits(was):
        return "plain"

    @app.route("/waits")
    async def waits(was):
        await asyncio.sleep(0)
        return "plain"

    return app


async def ask_asgi(app: Atila, path: str) -> bytes:
    """The body of an answer."""
    body: list[bytes] = []
    received = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not received.is_set():
            received.set()
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError("the client never leaves")

    async def send(message: dict[str, Any]) -> None:
        body.append(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"x")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    return b"".join(body)


class RSGIRequest:
    """Scope and protocol of granian, as far as a plain request needs them."""

    proto, method, query_string, scheme = "http", "GET", "", "http"
    http_version, client, server, authority = "1.1", "127.0.0.1:1", "127.0.0.1:80", None

    class _Headers(dict[str, str]):
        def get_all(self, name: str) -> list[str]:
            return [self[name]] if name in self else []

    def __init__(self, path: str) -> None:
        self.path, self.headers = path, self._Headers(host="x")
        self.body = b""

    def response_str(self, status: int, headers: Any, body: str) -> None:
        self.body = body.encode()

    def response_bytes(self, status: int, headers: Any, body: bytes) -> None:
        self.body = body


async def ask_rsgi(app: Atila, path: str) -> bytes:
    """The body of an answer."""
    request: Any = RSGIRequest(path)
    await app.__rsgi__(request, request)
    return bytes(request.body)


@pytest.mark.parametrize("path", ["/def", "/async", "/waits"])
@pytest.mark.parametrize("ask", [ask_rsgi, ask_asgi])
def test_requests_set_no_timers_of_ours(app: Atila, ask: Any, path: str) -> None:
    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        loop = runner.get_loop()
        app.__rsgi_init__(loop)
        assert runner.run(ask(app, path)) == b"plain"
        loop.timers.clear()

        async def several() -> None:
            for _ in range(20):
                assert await ask(app, path) == b"plain"

        runner.run(several())
        assert loop.timers == []
        app.site.shutdown(5)
