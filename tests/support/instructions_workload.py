"""Requests of seven kinds without a server, in a process whose instructions callgrind counts.

Run by `support.instructions` alone. Everything whose length depends on the clock is out of the way:
no thread is interrupted, and none is started because another was slow.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import mmap
import sys
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from atila import Atila
from atila.engines import granian_wsgi, rsgi, wsgi
from atila.runtime import pool

WARM_UP = 100
COUNTED = 400
AT_ONCE = 20
"""Requests under way at a time, as under load."""

_REQUEST = bytes.fromhex("4889f831d248c1c70348c1c70d48c1c73d48c1c7334887db4889d0c3")
"""A request to valgrind (the macro VALGRIND_DO_CLIENT_REQUEST_EXPR), on x86-64: a function of the
address of its arguments."""
_DUMP, _ZERO, _START = 0x43540003, 0x43540001, 0x43540004
"""CALLGRIND_DUMP_STATS_AT, CALLGRIND_ZERO_STATS, CALLGRIND_START_INSTRUMENTATION."""


class Callgrind:
    """The program that counts."""

    def __init__(self) -> None:
        flags = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        self._code = mmap.mmap(-1, mmap.PAGESIZE, prot=flags)
        self._code.write(_REQUEST)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._code))
        self._call = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(address)

    def ask(self, what: int, text: bytes = b"") -> None:
        """Ask for one thing."""
        name = ctypes.c_char_p(text)
        words = (ctypes.c_uint64 * 6)(what, ctypes.cast(name, ctypes.c_void_p).value or 0)
        self._call(ctypes.addressof(words))


class Headers(dict[str, str]):
    """Those of granian, none of them twice."""

    def get_all(self, name: str) -> list[str]:
        return [self[name]] if name in self else []


HEADERS = Headers(host="localhost:8000", accept="*/*", **{"user-agent": "curl/8.5.0"})


class Protocol:
    """The end of a request at granian."""

    __slots__ = ("status",)

    def response_bytes(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status

    def response_str(self, status: int, headers: Any, body: str) -> None:
        self.status = status


def granian(path: str, query: str = "") -> SimpleNamespace:
    """The scope of a request as granian gives it."""
    return SimpleNamespace(
        proto="http",
        method="GET",
        path=path,
        query_string=query,
        headers=HEADERS,
        http_version="1.1",
    )


def make_app() -> Atila:
    """The handlers."""
    app = Atila(__name__)

    @app.route("/plain")
    def plain(was):
        return "hello"

    @app.route("/users/<int:user>/posts")
    def params(was, user, limit, q=""):
        return f"{user} {limit} {q}"

    @app.route("/typed/<int:user>/posts")
    def typed(was, user: int, limit: int, q: str = ""):
        return f"{user} {limit} {q}"

    @app.route("/json")
    def json(was):
        return {"id": 42, "name": "Ada", "tags": ["a", "b"], "active": True}

    @app.route("/async")
    async def waits(was):
        return "hello"

    return app


def rsgi_rounds(
    engine: rsgi.Engine, path: str, query: str = ""
) -> Callable[[int], Awaitable[None]]:
    """A function that answers so many requests of one kind, some of them at a time."""
    serve, scope = engine.serve, granian(path, query)

    async def run(count: int) -> None:
        for _ in range(count // AT_ONCE):
            protocols = [Protocol() for _ in range(AT_ONCE)]
            under_way = [serve(scope, protocol) for protocol in protocols]
            for each in under_way:
                await each
            assert all(protocol.status == 200 for protocol in protocols)

    return run


def wsgi_rounds(app: Atila) -> Callable[[int], Awaitable[None]]:
    """The same on WSGI, one request after the other."""
    serve = wsgi.Engine(app.site).serve
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/plain",
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost:8000",
        "HTTP_ACCEPT": "*/*",
        "HTTP_USER_AGENT": "curl/8.5.0",
        "wsgi.url_scheme": "http",
    }
    begun: list[str] = []

    def start_response(status: str, headers: Any) -> None:
        begun.append(status)

    async def run(count: int) -> None:
        for _ in range(count):
            assert serve(environ.copy(), start_response) == [b"hello"]
        assert set(begun) == {"200 OK"}
        begun.clear()

    return run


def granian_wsgi_rounds(app: Atila) -> Callable[[int], Awaitable[None]]:
    """Requests with parameters on granian's WSGI."""
    call, protocol = granian_wsgi.Engine(app.site).call, Protocol()
    scope = {
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "REMOTE_ADDR": "127.0.0.1",
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/typed/42/posts",
        "QUERY_STRING": "limit=10&q=abc",
        "wsgi.url_scheme": "http",
        "wsgi.input": protocol,
        "HTTP_HOST": "localhost:8000",
        "HTTP_USER_AGENT": "curl/8.5.0",
        "HTTP_ACCEPT": "*/*",
    }

    async def run(count: int) -> None:
        for _ in range(count):
            call(protocol, scope.copy())
            assert protocol.status == 200

    return run


def calibration() -> Callable[[int], Awaitable[None]]:
    """Work of Python alone: what differs here is the interpreter's."""

    async def run(count: int) -> None:
        for number in range(10 * count):
            text = f"{number}:{number * 7}"
            pairs = {part: len(part) for part in text.split(":")}
            assert sum(pairs.values())

    return run


def main() -> None:
    """Answer the requests of all kinds, and have each kind counted for itself."""
    callgrind = Callgrind()
    sys.setswitchinterval(1000)
    pool.STALL = 1000.0
    app = make_app()
    engine = rsgi.Engine(app.site)
    kinds = {
        "calibration": calibration(),
        "plain": rsgi_rounds(engine, "/plain"),
        "parameters": rsgi_rounds(engine, "/users/42/posts", "limit=10&q=abc"),
        "typed": rsgi_rounds(engine, "/typed/42/posts", "limit=10&q=abc"),
        "json": rsgi_rounds(engine, "/json"),
        "async def": rsgi_rounds(engine, "/async"),
        "wsgi": wsgi_rounds(app),
        "granian wsgi": granian_wsgi_rounds(app),
    }
    with asyncio.Runner() as runner:
        engine.begin(runner.get_loop())
        for run in kinds.values():
            runner.run(run(WARM_UP))
        gc.collect()
        gc.disable()
        callgrind.ask(_START)
        for name, run in kinds.items():
            callgrind.ask(_ZERO)
            runner.run(run(COUNTED))
            callgrind.ask(_DUMP, name.encode())


if __name__ == "__main__":
    main()
