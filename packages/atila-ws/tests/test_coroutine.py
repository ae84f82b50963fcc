"""WS_COROUTINE: generators that wait for messages and awaitables alike."""

import asyncio
import threading

import pytest

from atila.testing.waits import PATIENCE, wait_until
from atila_ws import WS_COROUTINE, WS_NOPOOL, WS_SESSION

BOTH = pytest.mark.parametrize(
    "spec", [WS_COROUTINE, WS_COROUTINE | WS_NOPOOL, WS_COROUTINE | WS_SESSION]
)


class Work:
    """Something to wait for, as a task is: it gives itself."""

    def __init__(self, value, error=None):
        self.value = value
        self.error = error

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        if self.error is not None:
            raise self.error
        return self

    def fetch(self):
        return self.value


@BOTH
def test_example_of_the_specification(app, spec):
    @app.route("/echo_coroutine")
    @app.websocket(spec, 60)
    def websocket(was):
        while 1:
            msg = yield was.Input()
            if not msg:
                break
            task = yield Work({"asked": msg})
            yield task.fetch()

    with app.test_client().websocket("/echo_coroutine") as ws:
        for message in ("one", "two"):
            ws.send_message(message)
            assert ws.receive_message() == '{"asked":"' + message + '"}'
        ws.send_message("")
        assert ws.receive_message() is None
        assert ws.close_code == 1000


def test_what_fails_is_raised_where_it_was_yielded(app):
    @app.route("/")
    @app.websocket(WS_COROUTINE)
    def fails(was):
        try:
            yield Work(None, KeyError("lost"))
        except KeyError as error:
            yield str(error)
        try:
            yield 5
        except TypeError as error:
            yield str(error)
        return "bye"

    ws = app.test_client().websocket("/")
    got = [ws.receive_message() for _ in range(4)]
    assert got == [
        "'lost'",
        "a WebSocket sends str, bytes, dict, list or a model, not int",
        "bye",
        None,
    ]


def test_the_first_step_may_block_and_the_others_run_on_the_loop(app):
    @app.route("/")
    @app.websocket(WS_COROUTINE)
    def where(was):
        first = threading.current_thread().name
        yield first
        yield threading.current_thread().name

    ws = app.test_client().websocket("/")
    first, second = ws.receive_message(), ws.receive_message()
    assert first != "atila-loop"
    assert second == "atila-loop"


@pytest.mark.parametrize("way", ["input", "bare"])
def test_the_end_gives_none_once_and_then_closes_the_generator(app, way):
    got, closed = [], threading.Event()

    @app.route("/")
    @app.websocket(WS_COROUTINE)
    def stubborn(was):
        try:
            while True:
                got.append((yield was.Input() if way == "input" else None))
        finally:
            closed.set()

    app.test_client().websocket("/").disconnect()
    assert closed.wait(PATIENCE)
    assert got == [None]


def test_a_coroutine_that_waits_for_something_else_is_cancelled(app, caplog):
    app.config.WS_GRACE = 0.02
    closed = threading.Event()

    @app.route("/")
    @app.websocket(WS_COROUTINE)
    def deaf(was):
        try:
            yield asyncio.Event().wait()
        finally:
            closed.set()

    app.test_client().websocket("/").disconnect(1006)
    assert closed.wait(PATIENCE)
    wait_until(lambda: "deaf went on for 0.02 s" in caplog.text)


def test_input_in_async_handlers(app):
    @app.route("/")
    @app.websocket(WS_COROUTINE)
    async def echo(was):
        while (message := await was.Input()) is not None:
            await was.websocket.send(message)

    ws = app.test_client().websocket("/")
    for message in ("one", b"two"):
        ws.send_message(message)
        assert ws.receive_message() == message


def test_a_handler_that_raises_closes_with_1011(app, caplog):
    @app.route("/")
    @app.websocket(WS_COROUTINE)
    def broken(was):
        yield was.Input()
        raise ValueError("at the second step")

    ws = app.test_client().websocket("/")
    ws.send_message("go")
    assert ws.receive_message() is None
    assert ws.close_code == 1011
