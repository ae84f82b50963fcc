"""Servers that apps under test call: a real one, and bare sockets that do as they are told."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest
from aiohttp import web

from atila import Atila, Was
from atila.testing.waits import PATIENCE

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def close(self) -> None:
        async def cancel() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()


@pytest.fixture(scope="session")
def servers() -> Iterator[Loop]:
    """Where the servers of the tests run."""
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def listen(servers: Loop) -> Iterator[Callable[[Serve], int]]:
    """Call it with `async def serve(reader, writer)`: it listens, and gives its port."""
    opened: list[asyncio.Server] = []

    def listen(serve: Serve) -> int:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await serve(reader, writer)
            writer.close()

        server = servers.run(asyncio.start_server(guarded, "127.0.0.1", 0, limit=1 << 20))
        opened.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield listen
    for server in opened:
        servers.loop.call_soon_threadsafe(server.close)


@pytest.fixture
def answer(listen: Callable[[Serve], int]) -> Callable[[bytes], int]:
    """Call it with the bytes that each request is answered with; it gives the port."""

    def answer(data: bytes) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(data)
            await writer.drain()

        return listen(serve)

    return answer


def _upstream() -> web.Application:
    """A server that tells what it was asked."""

    async def echo(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        told = {
            "method": request.method,
            "target": request.raw_path,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": body.decode("latin-1"),
        }
        return web.json_response(told, headers={"X-Told": "yes"})

    async def form(request: web.Request) -> web.StreamResponse:
        fields = []
        async for part in await request.multipart():
            data = await part.read()  # type: ignore[union-attr]
            kind = part.headers.get("content-type", "")
            fields.append([part.name, part.filename, kind, len(data), data[:20].decode("latin-1")])  # type: ignore[union-attr]
        return web.json_response(fields)

    async def kind(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        return web.Response(body=body, headers={"content-type": request.query["type"]})

    async def status(request: web.Request) -> web.StreamResponse:
        code = int(request.match_info["code"])
        return web.json_response({"asked": code}, status=code)

    async def to(request: web.Request) -> web.StreamResponse:
        await request.read()
        code = int(request.query.get("code", "302"))
        return web.Response(status=code, headers={"location": request.query["url"]})

    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/form", form)
    app.router.add_route("*", "/kind", kind)
    app.router.add_route("*", "/status/{code}", status)
    app.router.add_route("*", "/to", to)
    app.router.add_route("*", "/{path:.*}", echo)
    return app


@pytest.fixture(scope="session")
def port(servers: Loop) -> Iterator[int]:
    """The port of a real server that tells what it was asked."""
    runner = web.AppRunner(_upstream())

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        found: int = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return found

    yield servers.run(start())
    servers.run(runner.cleanup())


@pytest.fixture
def api(app: Atila, port: int) -> str:
    """An alias of that server, below a path of it."""
    app.alias("@api", "*http", f"127.0.0.1:{port}/base")
    return "@api"


Ask = Callable[[Callable[[Was], Any]], Any]


@pytest.fixture
def ask(run: Any) -> Ask:
    """Call it with a function of a request that gives a task: it gives the `Result`."""

    def ask(func: Callable[[Was], Any]) -> Any:
        return run(lambda was: func(was).dispatch())

    return ask
