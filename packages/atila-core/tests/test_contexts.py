"""Context variables in process: those of each request, and of nobody else."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Generator, Iterator
from contextvars import Context, ContextVar, copy_context
from typing import Any

import pytest

from atila import Atila, HTTPError, current
from atila.runtime.context import run_in
from atila.runtime.offload import adopt
from atila.testing import TestClient
from atila.testing.waits import PATIENCE, wait_until

tenant: ContextVar[str] = ContextVar("tenant", default="nobody")
LAYERS = dict.fromkeys(("auth", "render", "tasks", "ws"))


@pytest.fixture
def app() -> Atila:
    return Atila(__name__, layers=LAYERS)


@pytest.fixture
def client(app: Atila) -> Iterator[TestClient]:
    with app.test_client() as client:
        yield client


def ends(app: Atila) -> list[str]:
    """What teardown sees of each request."""
    seen: list[str] = []

    @app.teardown_request
    def note(was):
        seen.append(tenant.get())

    return seen


def test_a_handler_leaves_nothing(app: Atila, client: TestClient) -> None:
    @app.route("/set")
    def set_tenant(was):
        tenant.set("alice")
        return threading.current_thread().name

    @app.route("/get")
    def get_tenant(was):
        return f"{tenant.get()} {threading.current_thread().name}"

    thread = client.get("/set").text
    # The pool keeps one thread hot.
    assert client.get("/get").text == f"nobody {thread}"


def test_the_context_of_a_test_is_none_of_the_app(app: Atila, client: TestClient) -> None:
    app.route("/")(lambda was: tenant.get())
    token = tenant.set("the test")
    try:
        assert client.get("/").text == "nobody"
    finally:
        tenant.reset(token)


def test_a_token_of_a_hook_fits_in_the_last_hook(app: Atila, client: TestClient) -> None:
    outcomes: list[str] = []

    @app.before_request
    def begin(was):
        was.request.g["token"] = tenant.set("alice")

    @app.teardown_request
    def end(was):
        tenant.reset(was.request.g["token"])
        outcomes.append(tenant.get())

    @app.route("/def")
    def plain(was):
        return tenant.get()

    @app.route("/async")
    async def waits(was):
        await asyncio.sleep(0)
        return tenant.get()

    @app.route("/fails")
    async def fails(was):
        await asyncio.sleep(0)
        raise HTTPError(418, tenant.get())

    assert client.get("/def").text == client.get("/async").text == "alice"
    assert client.get("/fails").json()["detail"] == "alice"
    wait_until(lambda: len(outcomes) == 3)
    assert outcomes == ["nobody"] * 3


@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_what_a_stream_sets_is_seen_at_the_end(app: Atila, client: TestClient, kind: str) -> None:
    seen = ends(app)

    @app.route("/blocking")
    def blocking(was):
        token = tenant.set("first")
        yield tenant.get()
        tenant.reset(token)
        tenant.set("last")
        yield tenant.get()

    @app.route("/async")
    async def asynchronous(was):
        token = tenant.set("first")
        yield tenant.get()
        await asyncio.sleep(0)
        tenant.reset(token)
        tenant.set("last")
        yield tenant.get()

    assert client.get(f"/{kind}").text == "firstlast"
    wait_until(lambda: seen)
    assert seen == ["last"]


def test_async_hooks(app: Atila, client: TestClient) -> None:
    seen = ends(app)

    @app.before_request
    async def begin(was):
        await asyncio.sleep(0)
        assert current.get() is was
        tenant.set("alice")

    @app.finish_request
    async def finish(was, response):
        await asyncio.sleep(0)
        tenant.set(f"{tenant.get()}!")

    app.route("/")(lambda was: tenant.get())
    assert client.get("/").text == "alice"
    wait_until(lambda: seen)
    assert seen == ["alice!"]


def test_an_event_has_a_copy(app: Atila, client: TestClient) -> None:
    seen: list[str] = []

    @app.on("told")
    def told(was):
        seen.append(tenant.get())
        tenant.set("of the event")

    @app.route("/<name>")
    def emits(was, name):
        tenant.set(name)
        app.emit("told")
        return tenant.get()

    for name in ("alice", "bob"):
        assert client.get(f"/{name}").text == name
        wait_until(lambda name=name: name in seen)
    assert seen == ["alice", "bob"]


def test_what_middleware_of_asgi_sets_is_seen(app: Atila) -> None:
    @app.route("/")
    def plain(was):
        found = tenant.get()
        tenant.set("the handler")
        return found

    async def ask() -> tuple[bytes, str]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        headers = [(b"host", b"localhost")]
        scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "query_string": b""}
        scope["headers"] = headers
        tenant.set("the middleware")
        await app(scope, receive, send)
        return sent[-1]["body"], tenant.get()

    assert asyncio.run(ask()) == (b"the middleware", "the middleware")
    app.site.shutdown(5)


@pytest.mark.parametrize("path", ["/def", "/async", "/fails", "/stream"])
def test_a_request_that_its_context_knows_is_forgotten(
    app: Atila, client: TestClient, path: str
) -> None:
    kept: ContextVar[Any] = ContextVar("kept")
    known: list[weakref.ref[Any]] = []

    @app.before_request
    def begin(was):
        kept.set(was)
        known.append(weakref.ref(was))

    app.route("/def")(lambda was: "")

    @app.route("/async")
    async def waits(was):
        await asyncio.sleep(0)
        return ""

    @app.route("/fails")
    async def fails(was):
        raise HTTPError(418)

    @app.route("/stream")
    def stream(was):
        yield "piece"

    gc.disable()
    try:
        client.get(path)
        wait_until(lambda: known[0]() is None)
    finally:
        gc.enable()


def test_teardown_runs_once_after_an_async_error_handler(app: Atila, client: TestClient) -> None:
    seen = ends(app)

    @app.error_handler(418)
    async def teapot(was, error):
        await asyncio.sleep(0)
        tenant.set("the error handler")
        return b"short and stout"

    @app.route("/def")
    def plain(was):
        raise HTTPError(418)

    @app.route("/async")
    async def waits(was):
        await asyncio.sleep(0)
        raise HTTPError(418)

    for path in ("/def", "/async"):
        assert client.get(path).text == "short and stout"
        wait_until(lambda: seen)
        assert seen == ["the error handler"]
        seen.clear()


def test_an_async_error_handler_that_fails_is_not_asked_again(
    app: Atila, client: TestClient
) -> None:
    seen = ends(app)
    asked: list[int] = []

    @app.default_error_handler
    async def worse(was, error):
        asked.append(error.code)
        await asyncio.sleep(0)
        raise ValueError("of the error handler")

    app.route("/")(lambda was: 1 / 0)
    assert client.get("/").status_code == 500
    wait_until(lambda: seen)
    assert asked == [500]


# Code that is awaited in a context ---------------------------------------------------------------


class Watched:
    """Counts how often it was said that something waits."""

    def __init__(self) -> None:
        self.waits = 0

    def begin(self) -> None:
        self.waits += 1


def in_loop(awaitable: Any, context: Context) -> Any:
    async def run() -> Any:
        return await run_in(context, awaitable, Watched())

    return asyncio.run(run())


def test_each_step_is_in_the_context_and_nothing_else() -> None:
    context = Context()

    async def steps() -> str:
        tenant.set("inside")
        await asyncio.sleep(0)
        before = tenant.get()
        child = asyncio.create_task(tell())
        return f"{before} {await child}"

    async def tell() -> str:
        return tenant.get()

    async def run() -> tuple[str, str]:
        return await run_in(context, steps(), Watched()), tenant.get()

    assert asyncio.run(run()) == ("inside inside", "nobody")
    assert context[tenant] == "inside"


def test_anything_may_be_awaited() -> None:
    class Plain:
        """An iterator without `send` and `throw`."""

        def __await__(self) -> Iterator[Any]:
            return iter([None, None])

    class Generated:
        def __await__(self) -> Generator[Any, Any, str]:
            yield
            return tenant.get()

    context = Context()
    context.run(tenant.set, "inside")
    assert in_loop(Plain(), context) is None
    assert in_loop(Generated(), context) == "inside"


def test_what_is_cancelled_cleans_up_in_its_context() -> None:
    context, seen = Context(), []

    async def waits() -> None:
        tenant.set("inside")
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            seen.append(tenant.get())

    async def run() -> None:
        task = asyncio.ensure_future(_awaited(context, waits()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert seen == ["inside"]


async def _awaited(context: Context, awaitable: Any) -> Any:
    return await run_in(context, awaitable, Watched())


def test_a_wait_is_told_once_it_waits_only() -> None:
    watched = Watched()

    async def at_once() -> str:
        return "value"

    async def later() -> str:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "value"

    async def run(awaitable: Any) -> str:
        return await run_in(Context(), awaitable, watched)

    assert asyncio.run(run(at_once())) == "value"
    assert watched.waits == 0
    assert asyncio.run(run(later())) == "value"
    assert watched.waits == 1


def test_adopting() -> None:
    def work() -> Context:
        tenant.set("inside")
        return copy_context()

    def outside() -> str:
        adopt(Context().run(work))
        return tenant.get()

    assert Context().run(outside) == "inside"
