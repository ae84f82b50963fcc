"""WebSockets on an ASGI server, which is imitated: what they take, and how they are refused."""

import asyncio
import gc
import threading
import tracemalloc
from contextlib import asynccontextmanager

import pytest

import atila
from atila.testing.waits import PATIENCE
from atila_ws import WS_CHATTY

CONNECTIONS = 200
MOST = 7500
"""Bytes of Python's objects for an idle connection, with 1,800 of this imitation."""


def scope(path):
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 9000),
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"upgrade", b"websocket")],
        "subprotocols": [],
        "extensions": {},
    }


async def connected(app, made, sent, leaves=None):
    """Be a client that connects, and stays, or leaves when that is set."""
    messages = [{"type": "websocket.connect"}]

    async def receive():
        if messages:
            return messages.pop()
        if leaves is not None:
            await leaves.wait()
            return {"type": "websocket.disconnect", "code": 1001}
        return await asyncio.get_running_loop().create_future()

    async def send(message):
        sent.append(message["type"])

    await app(made, receive, send)


@asynccontextmanager
async def started(app):
    begins, ends = asyncio.Event(), asyncio.Event()
    messages = ["lifespan.startup"]

    async def receive():
        if not messages:
            await ends.wait()
            return {"type": "lifespan.shutdown"}
        return {"type": messages.pop()}

    async def send(message):
        if message["type"] == "lifespan.startup.complete":
            begins.set()

    life = asyncio.create_task(app({"type": "lifespan"}, receive, send))
    await asyncio.wait_for(begins.wait(), PATIENCE)
    try:
        yield
    finally:
        ends.set()
        await asyncio.wait_for(life, PATIENCE)


async def until(condition):
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.01)


@pytest.mark.memory
def test_an_idle_connection_takes_little(app):
    @app.route("/echo")
    @app.websocket(WS_CHATTY, 3600)
    async def echo(was):
        async for message in was.websocket:
            await was.websocket.send(message)

    async def run():
        accepted = []
        async with started(app):
            scopes = [scope("/echo") for _ in range(CONNECTIONS + 20)]
            tasks = [asyncio.create_task(connected(app, scopes.pop(), accepted)) for _ in range(20)]
            await until(lambda: len(accepted) == 20)
            gc.collect()
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            tasks += [asyncio.create_task(connected(app, made, accepted)) for made in scopes]
            await until(lambda: len(accepted) == CONNECTIONS + 20)
            gc.collect()
            taken = (tracemalloc.get_traced_memory()[0] - before) / CONNECTIONS
            tracemalloc.stop()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        assert set(accepted) == {"websocket.accept", "websocket.close"}
        return taken

    assert asyncio.run(run()) < MOST


def test_a_refusal_does_not_wait_for_hooks_that_clean_up(app):
    cleaning, goes_on = threading.Event(), threading.Event()

    @app.teardown_request
    def clean(was):
        cleaning.set()
        assert goes_on.wait(PATIENCE)

    def onopen(was):
        raise atila.HTTPError(403)

    @app.route("/refused")
    @app.websocket(WS_CHATTY, onopen=onopen)
    async def refused(was):
        raise AssertionError

    async def run():
        sent = []
        async with started(app):
            client = asyncio.create_task(connected(app, scope("/refused"), sent))
            await until(cleaning.is_set)
            await until(lambda: sent)
            assert not client.done()
            goes_on.set()
            await asyncio.wait_for(client, PATIENCE)
        assert sent == ["websocket.close"]

    asyncio.run(run())


@pytest.mark.parametrize("has_hooks", [False, True])
def test_the_application_returns_when_the_conversation_has_ended(app, has_hooks):
    ended = threading.Event()

    if has_hooks:

        @app.before_request
        def before(was):
            """It may block, so a worker thread calls it, and begins."""

    @app.route("/echo")
    @app.websocket(WS_CHATTY, 3600)
    async def echo(was):
        async for _ in was.websocket:
            pass
        await asyncio.sleep(0.05)
        ended.set()

    async def run():
        sent, leaves = [], asyncio.Event()
        async with started(app):
            client = asyncio.create_task(connected(app, scope("/echo"), sent, leaves))
            await until(lambda: sent)
            assert not client.done()
            leaves.set()
            await asyncio.wait_for(client, PATIENCE)
            await until(ended.is_set)
        assert sent == ["websocket.accept"]

    asyncio.run(run())
