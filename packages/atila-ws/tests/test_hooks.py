"""onopen and onclose."""

import threading

import pytest

import atila_ws
from atila import Atila
from atila.runtime.loop import TaskLoop
from atila.testing.waits import PATIENCE, wait_until
from atila_ws import WS_CHATTY, WS_REPORTY


class Calls:
    """Hooks that remember; `ended` is set by onclose."""

    def __init__(self):
        self.seen = []
        self.ended = threading.Event()

    def onopen(self, was):
        self.seen.append(("open", was.websocket.client_id, threading.current_thread().name))

    def onclose(self, was):
        self.seen.append(("close", was.websocket.client_id, threading.current_thread().name))
        self.ended.set()

    @property
    def names(self):
        return [name for name, *_ in self.seen]


@pytest.fixture
def calls():
    return Calls()


def websocket(app, calls, timeout=60):
    return app.websocket(WS_CHATTY, timeout, onopen=calls.onopen, onclose=calls.onclose)


def settle(app, calls):
    """Wait until the conversation is over, teardown and all."""
    assert calls.ended.wait(PATIENCE)
    while app.site.loop.busy:
        calls.ended.wait(0.002)
        threading.Event().wait(0.002)


def test_both_run_once_in_a_worker_thread(app, calls):
    @app.route("/")
    @websocket(app, calls)
    def one(was):
        assert calls.names == ["open"]
        yield "x"

    ws = app.test_client().websocket("/")
    assert [ws.receive_message(), ws.receive_message()] == ["x", None]
    settle(app, calls)
    assert calls.names == ["open", "close"]
    (_, first, opener), (_, second, closer) = calls.seen
    assert first == second
    assert all(n.startswith("atila-") and n != "atila-loop" for n in (opener, closer))


@pytest.mark.parametrize("way", ["client", "vanished", "raise", "timeout", "too big", "async"])
def test_onclose_runs_exactly_once_however_it_ends(app, calls, way):
    app.config.WS_MAX_MESSAGE = 10

    @app.route("/")
    @websocket(app, calls, timeout=0.02 if way == "timeout" else 60)
    def handler(was):
        if way == "raise":
            raise ValueError
        while (yield) is not None:
            pass

    @app.route("/async")
    @websocket(app, calls)
    async def coroutine(was):
        await was.websocket.close()
        await was.websocket.close()

    ws = app.test_client().websocket("/async" if way == "async" else "/")
    if way == "client":
        ws.disconnect()
    elif way == "vanished":
        ws.disconnect(1006)
    elif way == "too big":
        ws.send_message("x" * 11)
    settle(app, calls)
    assert calls.names == ["open", "close"]


def test_onclose_runs_when_the_server_stops(calls):
    app = Atila(__name__, layers={"ws": atila_ws.layer})
    closed = threading.Event()

    @app.route("/")
    @websocket(app, calls)
    def handler(was):
        try:
            while (msg := (yield)) is not None:
                yield msg
        finally:
            closed.set()

    ws = app.test_client().websocket("/")
    ws.send_message("x")
    assert ws.receive_message() == "x"
    app.site.shutdown(5)
    assert ws.receive_message() is None
    assert ws.close_code == 1001
    assert calls.names == ["open", "close"]
    assert closed.is_set()


def test_a_step_under_way_is_waited_for_when_the_server_stops(calls):
    app = Atila(__name__, layers={"ws": atila_ws.layer})
    inside, go_on = threading.Event(), threading.Event()
    ended = []

    @app.route("/")
    @websocket(app, calls)
    def handler(was):
        try:
            inside.set()
            go_on.wait(PATIENCE)
            yield
        finally:
            ended.append("finally")

    app.test_client().websocket("/")
    assert inside.wait(PATIENCE)
    site = app.site
    loop: TaskLoop = site.loop
    cancelling = threading.Thread(target=loop.cancel)
    cancelling.start()
    cancelling.join(0.1)
    assert cancelling.is_alive()
    assert ended == []
    go_on.set()
    cancelling.join()
    assert calls.ended.wait(PATIENCE)
    assert ended == ["finally"]
    site.shutdown(5)
    assert calls.names == ["open", "close"]


def test_onopen_that_raises_refuses_the_handshake(app, calls, caplog):
    def onopen(was):
        raise RuntimeError("not today")

    @app.route("/")
    @app.websocket(WS_CHATTY, 60, onopen, calls.onclose)
    def never(was):
        calls.seen.append(("handler",))
        yield "x"

    with pytest.raises(ConnectionRefusedError, match="500"):
        app.test_client().websocket("/")
    assert calls.names == []
    assert "not today" in caplog.text


def test_onopen_can_refuse_with_an_error_of_its_own(app, calls):
    def onopen(was):
        raise was.Error("402 Payment Required")

    @app.route("/")
    @app.websocket(WS_CHATTY, 60, onopen, calls.onclose)
    def never(was):
        yield "x"

    with pytest.raises(ConnectionRefusedError, match="402"):
        app.test_client().websocket("/")
    assert calls.names == []


def test_onopen_may_close(app, calls):
    def onopen(was):
        was.websocket.send("sorry")
        was.websocket.close(4000, "full")

    @app.route("/")
    @app.websocket(WS_CHATTY, 60, onopen, calls.onclose)
    def handler(was):
        calls.seen.append(("got", (yield)))

    ws = app.test_client().websocket("/")
    assert [ws.receive_message(), ws.receive_message()] == ["sorry", None]
    assert ws.close_code == 4000
    settle(app, calls)
    assert calls.names == ["got", "close"]


def test_onclose_that_raises_is_logged(app, caplog):
    def onclose(was):
        raise RuntimeError("cannot close")

    @app.route("/")
    @app.websocket(WS_CHATTY, onclose=onclose)
    def one(was):
        yield "x"

    ws = app.test_client().websocket("/")
    assert [ws.receive_message(), ws.receive_message()] == ["x", None]
    assert ws.close_code == 1000
    wait_until(lambda: "cannot close" in caplog.text)


def test_a_refused_handshake_opens_and_closes_nothing(app, calls):
    @app.route("/")
    @websocket(app, calls)
    def needs(was, name):
        yield name

    with pytest.raises(ConnectionRefusedError):
        app.test_client().websocket("/")
    assert calls.seen == []


def test_hooks_may_be_async_and_may_send(app):
    async def onopen(was):
        await was.websocket.send("welcome")

    @app.route("/")
    @app.websocket(WS_CHATTY, onopen=onopen)
    def one(was):
        yield "x"

    ws = app.test_client().websocket("/")
    assert [ws.receive_message(), ws.receive_message()] == ["welcome", "x"]


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(
    ("value", "encoding", "sent"),
    [
        ("welcome", "text", "welcome"),
        (b"wel", "text", b"wel"),
        ("grüß dich", "json", '"grüß dich"'),
        ("", "text", None),
        (None, "text", None),
        (7, "text", None),
        ({"a": 1}, "json", None),
    ],
)
def test_what_onopen_returns_is_the_first_message(app, kind, value, encoding, sent):
    def onopen(was):
        return value

    async def onopen_async(was):
        return value

    hook = onopen if kind == "def" else onopen_async

    @app.route("/")
    @app.websocket(WS_CHATTY, onopen=hook, encoding=encoding)
    def handler(was):
        yield "then"

    ws = app.test_client().websocket("/")
    if sent is not None:
        assert ws.receive_message() == sent
    assert ws.receive_message() in ("then", '"then"')
    assert ws.receive_message() is None


def test_what_onopen_sends_itself_comes_before_what_it_returns(app):
    def onopen(was):
        was.websocket.send("sent")
        return "returned"

    @app.route("/")
    @app.websocket(WS_REPORTY, onopen=onopen)
    def handler(was, message):
        return f"got {message}"

    ws = app.test_client().websocket("/")
    with ws:
        ws.send_message("hi")
        assert [ws.receive_message() for _ in range(3)] == ["sent", "returned", "got hi"]


def test_what_a_refusing_onopen_would_have_said_is_not_sent(app, calls):
    def onopen(was):
        was.websocket.close(4001)
        return "too late"

    @app.route("/")
    @app.websocket(WS_CHATTY, 60, onopen, calls.onclose)
    def handler(was):
        yield "never"

    ws = app.test_client().websocket("/")
    assert ws.receive_message() is None
    assert calls.ended.wait(PATIENCE)
