"""`was.websocket` in `async def` handlers and in threads; limits and ends."""

import asyncio
import threading

import pytest

from atila import ClientGone
from atila.testing import TestWebSocket as Transport
from atila.testing.waits import PATIENCE, wait_until
from atila_ws import WS_CHATTY


@pytest.fixture
def stuck(monkeypatch):
    """A client that takes nothing until the event is set."""
    taking = threading.Event()
    send = Transport.send

    async def wait_and_send(self, message):
        await asyncio.to_thread(taking.wait)
        await send(self, message)

    monkeypatch.setattr(Transport, "send", wait_and_send)
    yield taking
    taking.set()


def test_async_handler_receives_and_sends(app):
    @app.route("/")
    @app.websocket(timeout=60)
    async def echo(was, mark="!"):
        first = await was.websocket.receive()
        await was.websocket.send(first + mark)
        async for message in was.websocket:
            await was.websocket.send(message)

    ws = app.test_client().websocket("/?mark=?")
    ws.send_message("a")
    assert ws.receive_message() == "a?"
    for message in ("text", b"bytes", "ü" * 1000):
        ws.send_message(message)
        assert ws.receive_message() == message


def test_async_handler_closes_with_a_code_of_its_own(app):
    @app.route("/")
    @app.websocket(WS_CHATTY)
    async def close(was):
        was.websocket.send("last")
        await was.websocket.close(4001, "x" * 500)
        assert was.websocket.closed
        assert await was.websocket.receive() is None
        with pytest.raises(ClientGone):
            was.websocket.send("too late")

    ws = app.test_client().websocket("/")
    assert [ws.receive_message(), ws.receive_message()] == ["last", None]
    assert ws.close_code == 4001


@pytest.mark.parametrize("code", [0, 999, 1005, 1006, 1015, 5000])
def test_codes_that_must_not_be_sent(app, code):
    @app.route("/")
    @app.websocket(WS_CHATTY)
    async def close(was):
        with pytest.raises(ValueError, match=str(code)):
            await was.websocket.close(code)
        await was.websocket.close(3000)

    ws = app.test_client().websocket("/")
    assert ws.receive_message() is None
    assert ws.close_code == 3000


def test_async_handler_that_raises(app, caplog):
    @app.route("/")
    @app.websocket(WS_CHATTY)
    async def broken(was):
        raise KeyError("gone wrong")

    ws = app.test_client().websocket("/")
    assert ws.receive_message() is None
    assert ws.close_code == 1011
    wait_until(lambda: "gone wrong" in caplog.text)


def test_an_async_handler_that_does_not_notice_the_end_is_cancelled(app, caplog):
    app.config.WS_GRACE = 0.02
    ended = threading.Event()

    @app.route("/")
    @app.websocket(WS_CHATTY, onclose=lambda was: ended.set())
    async def deaf(was):
        await asyncio.Event().wait()

    app.test_client().websocket("/").disconnect(1006)
    assert ended.wait(PATIENCE)
    assert "deaf went on for 0.02 s" in caplog.text


def test_an_async_handler_may_still_work_after_the_end(app):
    done = threading.Event()

    @app.route("/")
    @app.websocket(WS_CHATTY)
    async def careful(was):
        async for _ in was.websocket:
            pass
        await asyncio.sleep(0.01)
        done.set()

    app.test_client().websocket("/").disconnect()
    assert done.wait(PATIENCE)


@pytest.mark.parametrize("style", ["generator", "async"])
def test_silence_closes_with_1001(app, style):
    got = []

    def generator(was):
        got.append((yield))

    async def coroutine(was):
        got.append(await was.websocket.receive())

    handler = generator if style == "generator" else coroutine
    app.route("/")(app.websocket(WS_CHATTY, 0.02)(handler))
    ws = app.test_client().websocket("/")
    assert ws.receive_message() is None
    assert ws.close_code == 1001
    wait_until(lambda: got == [None])


def test_the_time_a_handler_works_is_no_silence(app):
    @app.route("/")
    @app.websocket(WS_CHATTY, 0.05)
    def slow(was):
        yield
        threading.Event().wait(0.2)
        yield "answer"

    ws = app.test_client().websocket("/")
    ws.send_message("question")
    assert ws.receive_message() == "answer"


@pytest.mark.parametrize(
    ("message", "fits"),
    [
        ("x" * 100, True),
        ("x" * 101, False),
        (b"x" * 100, True),
        (b"x" * 101, False),
        ("ü" * 50, True),
        ("ü" * 51, False),
        ("🐍" * 25, True),
        ("🐍" * 26, False),
    ],
)
def test_a_message_above_the_limit_closes_with_1009(app, message, fits):
    app.config.WS_MAX_MESSAGE = 100

    @app.route("/")
    @app.websocket(WS_CHATTY)
    def size(was):
        while (msg := (yield)) is not None:
            yield str(len(msg))

    ws = app.test_client().websocket("/")
    ws.send_message(message)
    if fits:
        assert ws.receive_message() == str(len(message))
    else:
        assert ws.receive_message() is None
        assert ws.close_code == 1009


def test_a_flood_of_messages_is_held_up(app):
    """No more than a few are taken from a client that does not wait for the handler."""
    started, go_on = threading.Event(), threading.Event()
    taken = []

    @app.route("/")
    @app.websocket(WS_CHATTY)
    def slow(was):
        started.set()
        go_on.wait(PATIENCE)
        while (msg := (yield)) is not None:
            taken.append(msg)
            if msg == "999":
                yield "all"

    ws = app.test_client().websocket("/")
    for n in range(1000):
        ws.send_message(str(n))
    assert started.wait(PATIENCE)
    flushed = threading.Event()
    app.site.loop.call(flushed.set)
    assert flushed.wait(PATIENCE)
    assert ws._to_app.qsize() >= 995
    go_on.set()
    assert ws.receive_message() == "all"
    assert taken == [str(n) for n in range(1000)]


def test_any_thread_may_send(app):
    @app.route("/")
    @app.websocket(WS_CHATTY)
    def threads(was):
        ws = was.websocket

        def count(name):
            for n in range(200):
                ws.send(f"{name}{n}")

        workers = [threading.Thread(target=count, args=(name,)) for name in "abcd"]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        yield "end"

    ws = app.test_client().websocket("/")
    got = []
    while (message := ws.receive_message()) is not None:
        got.append(message)
    assert len(got) == 801
    for name in "abcd":
        assert [m for m in got if m[0] == name] == [f"{name}{n}" for n in range(200)]


def test_a_thread_that_sends_waits_for_room_and_then_goes_on(app, stuck):
    app.config.WS_SEND_BUFFER = 1000
    sent = []

    @app.route("/")
    @app.websocket(WS_CHATTY)
    def push(was):
        for n in range(20):
            was.websocket.send("x" * 500)
            sent.append(n)
        yield "end"

    ws = app.test_client().websocket("/")
    with pytest.raises(TimeoutError):
        wait_for(lambda: len(sent) > 3, 0.1)
    assert len(sent) == 2
    stuck.set()
    assert [ws.receive_message() for _ in range(21)] == ["x" * 500] * 20 + ["end"]


def wait_for(condition, seconds):
    pause = threading.Event()
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    raise TimeoutError


@pytest.mark.parametrize("style", ["thread", "generator", "async", "careless"])
def test_a_client_that_never_reads_is_closed_with_1008(app, stuck, style, monkeypatch):
    monkeypatch.setattr("atila_ws.connection.CLOSE_TIMEOUT", 0.05)
    app.config.WS_SEND_BUFFER = 1000
    app.config.WS_SEND_TIMEOUT = 0.05
    gone = []
    ended = threading.Event()

    def thread(was):
        try:
            while True:
                was.websocket.send("x" * 100)
        except ClientGone:
            gone.append("told")
        yield from ()

    def generator(was):
        try:
            while True:
                yield "x" * 100
        except GeneratorExit:
            gone.append("told")

    async def coroutine(was):
        try:
            while True:
                await was.websocket.send("x" * 100)
        except ClientGone:
            gone.append("told")

    async def careless(was):
        try:
            while True:
                was.websocket.send("x" * 100)
        except ClientGone:
            gone.append("told")

    handlers = {
        "thread": thread,
        "generator": generator,
        "async": coroutine,
        "careless": careless,
    }
    decorate = app.websocket(WS_CHATTY, onclose=lambda was: ended.set())
    app.route("/")(decorate(handlers[style]))
    ws = app.test_client().websocket("/")
    assert ended.wait(PATIENCE)
    assert ws.close_code == 1008
    assert gone == ["told"]


def test_concurrent_senders_on_the_loop_all_get_through(app, stuck):
    app.config.WS_SEND_BUFFER = 100

    @app.route("/")
    @app.websocket(WS_CHATTY)
    async def many(was):
        async def send(n):
            await was.websocket.send(f"{n}" * 300)

        sending = asyncio.gather(*[send(n) for n in range(10)])
        asyncio.get_running_loop().call_later(0.05, stuck.set)
        await sending

    ws = app.test_client().websocket("/")
    assert [ws.receive_message()[0] for _ in range(10)] == [str(n) for n in range(10)]


def test_sending_something_else_is_a_type_error(app):
    @app.route("/")
    @app.websocket(WS_CHATTY)
    async def wrong(was):
        for value in (None, 1, {1, 2}, object()):
            with pytest.raises(TypeError, match="str, bytes, dict, list or a model"):
                await was.websocket.send(value)
        await was.websocket.send(bytearray(b"fine"))

    assert app.test_client().websocket("/").receive_message() == b"fine"


def test_client_ids_differ(app):
    @app.route("/")
    @app.websocket(WS_CHATTY)
    def tell(was):
        yield was.websocket.client_id

    ids = {app.test_client().websocket("/").receive_message() for _ in range(20)}
    assert len(ids) == 20
    assert all(len(id) >= 16 for id in ids)


def test_was_websocket_elsewhere(app):
    @app.route("/plain")
    def plain(was):
        try:
            return was.websocket.client_id
        except RuntimeError as error:
            return str(error)

    assert "plain has no open WebSocket" in app.test_client().get("/plain").text
    assert app.test_client().get("/plain").status_code == 200


def test_an_ordinary_request_to_a_websocket(app):
    @app.route("/ws")
    @app.websocket(WS_CHATTY)
    def ws(was):
        yield "x"

    app.route("/plain")(lambda was: "plain")
    answer = app.test_client().get("/ws")
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "websocket"
    with pytest.raises(ConnectionRefusedError, match="404"):
        app.test_client().websocket("/plain")
