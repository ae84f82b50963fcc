"""On granian, an `async def` handler runs in the task that granian has made for its request."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar, copy_context
from types import SimpleNamespace
from typing import Any

import pytest

from atila import Atila
from atila.engines import rsgi
from atila.testing.waits import PATIENCE

BODY = b'{"count":3}'


class Headers(dict[str, str]):
    """Those of granian, none of them twice."""


class Granian:
    """What granian hands over with a request."""

    def __init__(self, path: str, body: bytes = b"") -> None:
        headers = Headers(host="x")
        if body:
            headers |= {"content-length": str(len(body)), "content-type": "application/json"}
        self.scope = SimpleNamespace(
            proto="http",
            method="POST" if body else "GET",
            path=path,
            query_string="",
            headers=headers,
            http_version="1.1",
        )
        self.body = body
        self.status = 0
        self.answer = b""
        self.left = asyncio.Event()

    async def __call__(self) -> bytes:
        await asyncio.sleep(0)
        return self.body

    def response_bytes(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.answer = status, body

    def response_str(self, status: int, headers: Any, body: str) -> None:
        self.status, self.answer = status, body.encode()

    def response_empty(self, status: int, headers: Any) -> None:
        self.status = status

    async def client_disconnect(self) -> None:
        await self.left.wait()


@pytest.fixture
def app() -> Iterator[Atila]:
    app = Atila(__name__)
    seen = app.g.seen = []

    def note() -> None:
        seen.append(asyncio.current_task())

    @app.route("/plain")
    async def plain(was):
        note()
        return "plain"

    @app.route("/waits")
    async def waits(was):
        async with asyncio.timeout(PATIENCE):
            note()
            await asyncio.sleep(0)
        note()
        return f"{was.site.loop.busy}"

    @app.route("/typed", methods=["POST"])
    async def typed(was, count: int):
        note()
        return f"{count}"

    @app.route("/forever")
    async def forever(was):
        note()
        await asyncio.Event().wait()

    yield app
    app.site.shutdown(5)


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [("/plain", b"", b"plain"), ("/waits", b"", b"1"), ("/typed", BODY, b"3")],
)
def test_the_handler_is_in_the_task_of_the_request(
    app: Atila, path: str, body: bytes, answer: bytes
) -> None:
    async def ask() -> None:
        engine = rsgi.Engine(app.site)

        async def answered(request: Granian) -> None:
            await engine.serve(request.scope, request)

        request = Granian(path, body)
        task = asyncio.create_task(answered(request))
        await task
        assert (request.status, request.answer) == (200, answer)
        assert set(app.g.seen) == {task}
        assert app.site.loop.busy == 0

    asyncio.run(ask())


def test_an_engine_serves_on_the_loop_that_runs(app: Atila) -> None:
    engine = rsgi.Engine(app.site)

    async def ask() -> None:
        request = Granian("/waits")
        await engine.serve(request.scope, request)
        assert (request.status, request.answer) == (200, b"1")
        assert app.site.loop.loop is asyncio.get_running_loop()

    for _ in range(2):
        asyncio.run(ask())


FOUND: ContextVar[str] = ContextVar("found")


@pytest.mark.parametrize("path", ["/fails", "/waits-and-fails", "/exits", "/no-answer"])
def test_what_follows_an_error_may_block(path: str) -> None:
    app = Atila(__name__)
    seen: list[tuple[bool, str]] = []

    @app.route("/fails")
    async def fails(was):
        FOUND.set("by the handler")
        raise ValueError("at once")

    @app.route("/waits-and-fails")
    async def waits_and_fails(was):
        FOUND.set("by the handler")
        await asyncio.sleep(0)
        raise ValueError("later")

    @app.route("/exits")
    async def exits(was):
        FOUND.set("by the handler")
        raise SystemExit

    @app.route("/no-answer")
    async def no_answer(was):
        FOUND.set("by the handler")
        return object()

    @app.failed_request
    def failed(was, exc_info):
        seen.append((was.site.loop.is_current(), FOUND.get()))

    async def ask() -> None:
        request = Granian(path)
        await rsgi.Engine(app.site).serve(request.scope, request)
        assert request.status == 500

    asyncio.run(ask())
    app.site.shutdown(5)
    assert seen == [(False, "by the handler")]


@pytest.mark.parametrize("path", ["/plain", "/waits"])
def test_steps_around_a_handler_see_its_variables(path: str) -> None:
    app = Atila(__name__)
    seen: list[str] = []

    @app.route("/plain")
    async def plain(was):
        FOUND.set("plain")
        was.on_cancel(lambda: None)
        return "plain"

    @app.route("/waits")
    async def waits(was):
        await asyncio.sleep(0)
        FOUND.set("waits")
        return "waits"

    @app.teardown_request
    def teardown(was):
        seen.append(FOUND.get())

    @app.finish_request
    def finish(was, response):
        seen.append(FOUND.get())
        return f"{response}!"

    async def ask() -> None:
        request = Granian(path)
        await rsgi.Engine(app.site).serve(request.scope, request)
        assert (request.status, request.answer) == (200, f"{path[1:]}!".encode())

    asyncio.run(ask())
    app.site.shutdown(5)
    assert seen == [path[1:], path[1:]]


def test_a_server_that_stops_ends_it(app: Atila) -> None:
    async def ask() -> None:
        engine, request = rsgi.Engine(app.site), Granian("/forever")

        async def answered() -> None:
            await engine.serve(request.scope, request)

        task = asyncio.create_task(answered())
        async with asyncio.timeout(PATIENCE):
            while not app.g.seen:  # noqa: ASYNC110 - the handler says that it has begun
                await asyncio.sleep(0)
            await asyncio.to_thread(app.site.loop.cancel)
            await task
        assert request.status == 503

    asyncio.run(ask())


def test_a_client_that_leaves_ends_it(app: Atila) -> None:
    async def ask() -> None:
        engine, request = rsgi.Engine(app.site), Granian("/forever")
        request.left.set()
        async with asyncio.timeout(PATIENCE):
            await engine.serve(request.scope, request)
        assert request.status == 499

    asyncio.run(ask())


@pytest.mark.parametrize("has_tasks", [True, False])
def test_requests_share_no_variables(*, has_tasks: bool) -> None:
    app = Atila(__name__)

    @app.route("/")
    async def index(was):
        found = FOUND.get("nothing")
        FOUND.set("by another request")
        return found

    async def ask() -> list[bytes]:
        loop, engine = asyncio.get_running_loop(), rsgi.Engine(app.site)
        engine.begin(loop)
        await asyncio.to_thread(app.site.start_up)
        requests = [Granian("/") for _ in range(3)]
        for request in requests:
            if has_tasks:
                await asyncio.create_task(_served(engine, request))
            else:
                # In a callback of the loop, as with granian's option --task-impl rust.
                over = loop.create_future()
                loop.call_soon(_serve, engine, request, over, context=shared)
                await over
        return [request.answer for request in requests]

    shared = copy_context()
    assert set(asyncio.run(ask())) == {b"nothing"}
    app.site.shutdown(5)


@pytest.mark.parametrize("path", ["/plain", "/waits", "/thread"])
def test_tasks_of_the_server_begin_at_once(app: Atila, path: str) -> None:
    seen, release = app.g.seen, threading.Event()

    @app.route("/thread")
    def thread(was):
        release.wait(PATIENCE)
        return "thread"

    async def ask() -> None:
        loop, engine = asyncio.get_running_loop(), rsgi.Engine(app.site)
        engine.begin(loop)
        await asyncio.to_thread(app.site.start_up)
        await loop.create_task(_served(engine, Granian("/plain")))
        seen.clear()

        request = Granian(path)
        task = loop.create_task(_served(engine, request))
        if sys.version_info >= (3, 12):
            assert task.done() == (path == "/plain")
            assert seen == ([] if path == "/thread" else [task])
        release.set()
        await task
        assert request.status == 200
        assert app.site.loop.busy == 0

    asyncio.run(ask())


async def _served(engine: rsgi.Engine, request: Granian) -> None:
    await engine.serve(request.scope, request)


def _serve(engine: rsgi.Engine, request: Granian, over: asyncio.Future[None]) -> None:
    engine.serve(request.scope, request)
    over.set_result(None)
