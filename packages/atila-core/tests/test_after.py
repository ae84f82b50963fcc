"""Work after the answer: `was.after`."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from atila import Atila, current
from atila.testing.client import TestClient
from atila.testing.waits import PATIENCE, wait_until

NO_LAYERS = dict.fromkeys(("auth", "render", "tasks", "ws"))
colour = ContextVar("colour", default="none")


@pytest.fixture
def app() -> Iterator[Atila]:
    app = Atila(__name__, layers=NO_LAYERS)
    yield app
    if app._site is not None:
        app._site.shutdown(0.0)


@pytest.fixture
def client(app: Atila) -> TestClient:
    return app.test_client()


@pytest.fixture
def done() -> list[object]:
    return []


def answering(app: Atila, style: str, work) -> None:
    """A route of each style that adds work."""
    if style == "def":

        @app.route("/")
        def plain(was):
            work(was)
            return "answer"
    elif style == "async def":

        @app.route("/")
        async def later(was):
            await asyncio.sleep(0)
            work(was)
            return "answer"
    elif style == "stream":

        @app.route("/")
        def pieces(was):
            def each():
                yield "ans"
                work(was)
                yield "wer"

            return each()
    else:

        @app.route("/")
        def awaiting(was):
            async def each():
                yield "ans"
                work(was)
                yield "wer"

            return each()


STYLES = ["def", "async def", "stream", "async stream"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("is_async", [False, True])
def test_it_runs_with_its_arguments_and_the_request(
    app: Atila, client: TestClient, done: list[object], style: str, is_async: bool
) -> None:
    def plain(*args: object, **kwargs: object) -> None:
        done.append((args, kwargs, colour.get(), current.get().request.args["n"]))
        done.append(threading.current_thread().name.rpartition("-")[0])

    async def later(*args: object, **kwargs: object) -> None:
        await asyncio.sleep(0)
        plain(*args, **kwargs)

    def work(was) -> None:
        colour.set("green")
        was.after(later if is_async else plain, 1, name="x")
        colour.set("red")

    answering(app, style, work)
    assert client.get("/?n=5").text == "answer"
    assert done == [((1,), {"name": "x"}, "green", "5"), "atila" if is_async else "atila-after"]


def test_it_does_not_hold_up_the_answer(app: Atila, done: list[object]) -> None:
    gate = threading.Event()

    @app.route("/")
    def slow(was):
        was.after(gate.wait, PATIENCE)
        was.after(done.append, 1)
        return "answer"

    answer: list[str] = []
    client = app.test_client()
    client.get("/nothing")
    asking = threading.Thread(target=lambda: answer.append(client.get("/").text))
    asking.start()
    # The answer was sent before it, as a server has it: here the client alone waits for the rest.
    wait_until(lambda: app.site.pool.threads[0] == 0 and app.site.loop.busy == 1)
    assert not answer
    assert not done
    gate.set()
    asking.join(PATIENCE)
    assert answer == ["answer"]
    assert done == [1]


def test_one_after_the_other_and_none_takes_the_next_with_it(
    app: Atila, client: TestClient, done: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise SystemExit

    async def cancel_itself() -> None:
        raise asyncio.CancelledError

    @app.route("/orders")
    def order(was):
        was.after(lambda: 1 / 0)
        was.after(done.append, 1)
        was.after(fail)
        was.after(done.append, 2)
        was.after(lambda: asyncio.sleep(0, done.append(3)))
        was.after(done.append, 4)
        return ""

    assert client.get("/orders").status_code == 200
    assert done == [1, 2, 3, 4]
    assert caplog.text.count("work after the answer failed") == 2
    assert "order" in caplog.text
    assert "test_after.py:" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "SystemExit" in caplog.text


@pytest.mark.parametrize("style", STYLES)
def test_what_fails_leaves_no_work(
    app: Atila, client: TestClient, done: list[object], style: str
) -> None:
    def work(was) -> None:
        was.after(done.append, "confirmed")
        raise was.Error("409 Conflict")

    @app.failed_request
    def failed(was, error):
        was.after(done.append, "reported")

    @app.error_handler(409)
    def conflict(was, error):
        was.after(done.append, "noted")
        return "sorry"

    @app.teardown_request
    def over(was):
        done.append("over")

    answering(app, style, work)
    answer = client.get("/")
    assert answer.status_code == (200 if "stream" in style else 409)
    wait_until(lambda: "reported" in done)
    assert set(done) <= {"reported", "noted", "over"}


def test_an_error_that_is_returned_is_an_answer(
    app: Atila, client: TestClient, done: list[object]
) -> None:
    @app.route("/")
    def conflict(was):
        was.after(done.append, 1)
        return "no", 409

    assert client.get("/").status_code == 409
    assert done == [1]


def test_hooks_providers_and_events(app: Atila, client: TestClient, done: list[object]) -> None:
    @app.before_request
    def before(was):
        was.after(done.append, "before")

    @app.finish_request
    def finish(was, response):
        was.after(done.append, "finish")

    @app.provide
    def session(was):
        yield "session"
        done.append("closed")

    @app.on("thing")
    def thing(was):
        was.after(done.append, "event")

    @app.route("/")
    def handler(was, session):
        was.after(done.append, "handler")
        app.emit("thing")
        return session

    assert client.get("/").text == "session"
    wait_until(lambda: len(done) == 5)
    assert [each for each in done if each != "event"] == ["closed", "before", "handler", "finish"]


def test_teardown_and_a_request_that_is_over(
    app: Atila, client: TestClient, done: list[object]
) -> None:
    contexts: list = []

    @app.teardown_request
    def over(was):
        was.after(done.append, "teardown")

    @app.route("/")
    def handler(was):
        contexts.append(was)
        return ""

    client.get("/")
    wait_until(lambda: done == ["teardown"])
    wait_until(lambda: contexts[0].variables is None)
    contexts[0].after(done.append, "late")
    wait_until(lambda: done == ["teardown", "late"])


def test_what_cannot_be_called(app: Atila, client: TestClient) -> None:
    async def send(address: str) -> None: ...

    def generate():
        yield

    errors: list[str] = []

    @app.route("/")
    def handler(was):
        for wrong in (send("x"), None, generate):
            with pytest.raises(TypeError) as caught:
                was.after(wrong)
            errors.append(str(caught.value))
        return ""

    assert client.get("/").status_code == 200
    assert "was.after(function, argument)" in errors[0]
    assert errors[1] == "was.after takes a function, not a NoneType"
    assert "generator function" in errors[2]


def test_the_site_waits_for_it(app: Atila, done: list[object]) -> None:
    gate = threading.Event()

    async def later() -> None:
        await asyncio.to_thread(gate.wait, PATIENCE)
        done.append("async")

    def work() -> None:
        gate.wait(PATIENCE)
        done.append("def")

    @app.on("shutdown")
    def ended(was):
        done.append("shutdown")

    @app.route("/")
    def handler(was):
        was.after(work)
        was.after(later)
        return ""

    client = app.test_client()
    asking = threading.Thread(target=client.get, args=["/"])
    asking.start()
    wait_until(lambda: app._site is not None and app._site.loop.busy)
    threading.Timer(0.1, gate.set).start()
    app.site.shutdown(PATIENCE)
    assert done == ["def", "async", "shutdown"]
    asking.join(PATIENCE)


def test_what_takes_too_long_is_named(app: Atila, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def endless() -> None:
        await asyncio.Event().wait()

    @app.route("/")
    def handler(was):
        was.after(endless)
        was.after(print, "never")
        return ""

    client = app.test_client()
    asking = threading.Thread(target=client.get, args=["/"])
    asking.start()
    wait_until(lambda: app._site is not None and app._site.loop.busy)
    app.site.shutdown(0.1)
    asking.join(PATIENCE)
    assert not asking.is_alive()
    assert caplog.text.count("was not finished, as the server stops") == 2
    assert "endless" in caplog.text
    assert "print" in caplog.text


def test_more_than_the_threads_of_its_own(
    app: Atila, client: TestClient, done: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atila.runtime.after_answer.QUEUE_SIZE", 1)
    app.config.AFTER_THREADS = 1
    gate, names = threading.Event(), set[str]()

    def work(number: int) -> None:
        gate.wait(PATIENCE)
        names.add(threading.current_thread().name.rpartition("-")[0])
        done.append(number)

    @app.route("/<int:number>")
    def handler(was, number):
        was.after(work, number)
        return ""

    client.get("/")
    asking = [threading.Thread(target=client.get, args=[f"/{n}"]) for n in range(6)]
    for thread in asking:
        thread.start()
    wait_until(lambda: app.site.loop.busy == 6)
    gate.set()
    for thread in asking:
        thread.join(PATIENCE)
    assert sorted(done) == list(range(6))
    assert names == {"atila", "atila-after"}


def test_in_an_asynchronous_test(app: Atila, done: list[object]) -> None:
    async def later() -> None:
        await asyncio.sleep(0)
        done.append(1)

    @app.route("/")
    async def handler(was):
        was.after(later)
        return ""

    async def run() -> None:
        async with app.async_test_client() as client:
            await client.get("/")
            assert done == [1]

    asyncio.run(run())
