"""What runs functions of others one after the other: none of them takes the next ones with it,
whatever it raises.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from atila import Atila
from atila.runtime.loop import TaskLoop
from atila.skitai.loop_bridge import Pump
from atila.testing.waits import PATIENCE, wait_until

NO_LAYERS = dict.fromkeys(("auth", "render", "tasks", "ws"))
RAISED = (SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, ZeroDivisionError)


@pytest.fixture(params=RAISED)
def ending(request: pytest.FixtureRequest) -> type[BaseException]:
    return request.param


@pytest.fixture
def app() -> Iterator[Atila]:
    app = Atila(__name__, layers=NO_LAYERS)
    yield app
    if app._site is not None:
        app._site.shutdown(0.0)


def raising(error: type[BaseException]):
    def func(*args: object) -> None:
        raise error

    return func


def test_calls_on_the_task_loop(
    ending: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    loop = TaskLoop.in_thread()
    held, made, done = threading.Event(), [], threading.Event()
    # All in one batch.
    loop.call(held.wait, PATIENCE)
    for number in range(5):
        loop.call(raising(ending))
        loop.call(made.append, number)
    loop.call(done.set)
    held.set()
    assert done.wait(PATIENCE)
    assert made == [0, 1, 2, 3, 4]
    assert caplog.text.count("a call on the task loop failed") == 5
    loop.stop()


def test_calls_on_a_loop_of_the_server(ending: type[BaseException]) -> None:
    made: list[int] = []

    async def serve() -> None:
        loop = TaskLoop(asyncio.get_running_loop())
        loop.call(raising(ending))
        loop.call(made.append, 1)
        while not made:  # noqa: ASYNC110 - another call of the same loop
            await asyncio.sleep(0)

    asyncio.run(serve())
    assert made == [1]


def test_calls_on_the_main_thread_of_skitai(ending: type[BaseException]) -> None:
    pump, made = Pump(), []
    try:
        pump.call(raising(ending))
        pump.call(made.append, 1)
        pump.handle_read()
    finally:
        pump.close()
    assert made == [1]


def test_hooks_that_clean_up(app: Atila, ending: type[BaseException]) -> None:
    ended = []
    app.teardown_request(raising(ending))
    app.teardown_request(lambda was: ended.append("second"))
    app.failed_request(raising(ending))
    app.failed_request(lambda was, info: ended.append("failed"))

    @app.route("/")
    def index(was):
        return "done"

    @app.route("/fails")
    def fails(was):
        raise RuntimeError("planned")

    client = app.test_client()
    assert client.get("/").text == "done"
    wait_until(lambda: ended == ["second"], "the hooks have run")
    assert client.get("/fails").status_code == 500
    wait_until(lambda: ended == ["second", "failed", "second"], "the hooks have run")


def test_what_is_to_be_cancelled(app: Atila, ending: type[BaseException]) -> None:
    cancelled = []

    @app.route("/")
    def index(was):
        was.on_cancel(raising(ending))
        was.on_cancel(lambda: cancelled.append(1))
        was.cancel()
        return "done"

    assert app.test_client().get("/").text == "done"
    assert cancelled == [1]


def test_maintenance_jobs(app: Atila, ending: type[BaseException]) -> None:
    counts = []
    app.config.MAINTAIN_INTERVAL = 0.01

    @app.maintain(1)
    def first(was, now, count):
        raise ending

    @app.maintain(1)
    def second(was, now, count):
        counts.append(count)

    app.test_client().get("/")
    wait_until(lambda: len(counts) > 2, "the other job runs again and again")


def test_handlers_of_events(app: Atila, ending: type[BaseException]) -> None:
    heard = []
    app.on("tick")(raising(ending))
    app.on("tick")(lambda was: heard.append("tick"))
    app.on("umounted")(raising(ending))
    app.on("umounted")(lambda was: heard.append("umounted"))
    app.route("/")(lambda was: app.emit("tick") or "done")
    assert app.test_client().get("/").text == "done"
    wait_until(lambda: heard == ["tick"], "the other handler was called")
    site = app.site
    closed = []
    site.on_shutdown(lambda: closed.append("first"))
    site.on_shutdown(raising(ending))
    site.shutdown(PATIENCE)
    assert heard == ["tick", "umounted"]
    assert closed == ["first"]
