"""WS_CHATTY: conversations written as generators."""

import threading

import pytest

import atila
from atila.testing.waits import PATIENCE, wait_until
from atila_ws import WS_CHATTY, WS_NOPOOL

BOTH = pytest.mark.parametrize("spec", [WS_CHATTY, WS_CHATTY | WS_NOPOOL], ids=["pool", "nopool"])


@BOTH
def test_example_of_the_specification(app, spec):
    ended = threading.Event()

    @app.route("/echo")
    @app.websocket(spec, 60)
    def echo(was):
        while 1:
            msg = yield
            if not msg:
                break
            yield "ECHO: " + msg
        ended.set()

    with app.test_client().websocket("/echo") as ws:
        for text in ("one", "zwölf", "x" * 100_000):
            ws.send_message(text)
            assert ws.receive_message() == "ECHO: " + text
    assert ended.wait(PATIENCE)


def test_many_messages_keep_their_order(app):
    @app.route("/")
    @app.websocket(WS_CHATTY)
    def numbers(was):
        while (msg := (yield)) is not None:
            for i in range(10):
                yield f"{msg}.{i}"

    ws = app.test_client().websocket("/")
    for n in range(50):
        ws.send_message(str(n))
    got = [ws.receive_message() for _ in range(500)]
    assert got == [f"{n}.{i}" for n in range(50) for i in range(10)]


@BOTH
def test_bytes_go_both_ways(app, spec):
    @app.route("/")
    @app.websocket(spec)
    def reverse(was):
        yield bytes(reversed((yield)))
        yield memoryview((yield))

    ws = app.test_client().websocket("/")
    ws.send_message(b"\x00\xff")
    assert ws.receive_message() == b"\xff\x00"
    ws.send_message(b"more")
    assert ws.receive_message() == b"more"


@BOTH
def test_the_end_of_the_generator_closes_with_1000(app, spec):
    @app.route("/")
    @app.websocket(spec)
    def greet(was):
        yield "hello"
        return "bye"

    ws = app.test_client().websocket("/")
    assert [ws.receive_message() for _ in range(3)] == ["hello", "bye", None]
    assert ws.close_code == 1000


@BOTH
def test_a_handler_that_raises_closes_with_1011_and_is_logged(app, spec, caplog):
    failed = threading.Event()
    app.failed_request(lambda was, error: failed.set())

    @app.route("/")
    @app.websocket(spec)
    def broken(was):
        yield 1 / int((yield))

    ws = app.test_client().websocket("/")
    ws.send_message("0")
    assert ws.receive_message() is None
    assert ws.close_code == 1011
    assert failed.wait(PATIENCE)
    assert "ZeroDivisionError" in caplog.text


def test_yielding_something_else_is_an_error_at_that_yield(app, caplog):
    @app.route("/")
    @app.websocket(WS_CHATTY)
    def careless(was):
        try:
            yield 1.5
        except TypeError as error:
            yield str(error)
        yield 5  # nobody catches this one

    ws = app.test_client().websocket("/")
    assert ws.receive_message() == "a WebSocket sends str, bytes, dict, list or a model, not float"
    assert ws.receive_message() is None
    assert ws.close_code == 1011
    wait_until(lambda: "nobody catches this one" in caplog.text)


@BOTH
def test_a_generator_that_ignores_the_end_is_closed(app, spec):
    got = []
    closed = threading.Event()

    @app.route("/")
    @app.websocket(spec)
    def stubborn(was):
        try:
            while True:
                got.append((yield))
        finally:
            closed.set()

    with app.test_client().websocket("/") as ws:
        ws.send_message("a")
    assert closed.wait(PATIENCE)
    # The test client forgets a message that is followed by its end.
    assert got in ([None], ["a", None])


@BOTH
def test_a_generator_that_only_sends_is_closed_when_the_client_leaves(app, spec):
    closed = threading.Event()

    @app.route("/")
    @app.websocket(spec)
    def endless(was):
        try:
            while True:
                yield "x" * 10_000
        finally:
            closed.set()

    ws = app.test_client().websocket("/")
    assert ws.receive_message()
    ws.disconnect(1006)
    assert closed.wait(PATIENCE)


def test_steps_run_in_worker_threads_and_nopool_on_the_loop(app):
    def where(was):
        while (yield) is not None:
            yield threading.current_thread().name

    app.route("/pool")(app.websocket(WS_CHATTY)(where))

    @app.route("/loop")
    @app.websocket(WS_CHATTY | WS_NOPOOL)
    def on_loop(was):
        yield from where(was)

    for path, thread in (("/pool", "atila-"), ("/loop", "atila-loop")):
        with app.test_client().websocket(path) as ws:
            ws.send_message("?")
            name = ws.receive_message()
            assert name.startswith(thread)
            assert (name == "atila-loop") is (path == "/loop")


def test_blocked_conversations_do_not_stop_others(app):
    release = threading.Event()

    @app.route("/")
    @app.websocket(WS_CHATTY)
    def blocking(was):
        if (yield) == "block":
            release.wait(PATIENCE)
        yield "done"

    client = app.test_client()
    blocked = [client.websocket("/") for _ in range(5)]
    for ws in blocked:
        ws.send_message("block")
    free = client.websocket("/")
    free.send_message("go")
    assert free.receive_message() == "done"
    release.set()
    assert [ws.receive_message() for ws in blocked] == ["done"] * 5


def test_every_step_has_its_own_request_as_the_current_one(app):
    @app.route("/")
    @app.websocket(WS_CHATTY)
    def who(was, name):
        while (yield):
            yield f"{atila.current.get() is was} {name}"

    client = app.test_client()
    sockets = {name: client.websocket(f"/?name={name}") for name in "abcdefgh"}
    for _ in range(20):
        for ws in sockets.values():
            ws.send_message("?")
        for name, ws in sockets.items():
            assert ws.receive_message() == f"True {name}"


def test_parameters_of_path_and_query(app):
    @app.route("/rooms/<int:id>")
    @app.websocket(WS_CHATTY)
    def room(was, id, name, color="red"):
        yield f"{id!r} {name} {color} {was.request.args['name']}"

    client = app.test_client()
    assert client.websocket("/rooms/7?name=hans").receive_message() == "7 hans red hans"
    for url, status in (
        ("/rooms/7", 400),
        ("/rooms/7?name=a&size=1", 400),
        ("/rooms/x?name=a", 404),
    ):
        with pytest.raises(ConnectionRefusedError, match=str(status)):
            client.websocket(url)


def test_hooks_of_the_app_run_around_a_conversation(app):
    calls = []
    over = threading.Event()
    app.before_request(lambda was: calls.append("before"))

    @app.teardown_request
    def teardown(was):
        calls.append("teardown")
        over.set()

    @app.route("/")
    @app.websocket(WS_CHATTY)
    def one(was):
        calls.append("handler")
        yield "x"

    assert app.test_client().websocket("/").receive_message() == "x"
    assert over.wait(PATIENCE)
    assert calls == ["before", "handler", "teardown"]


def test_a_hook_can_refuse_a_handshake(app):
    @app.before_request
    def nobody(was):
        raise was.Error(403)

    @app.route("/")
    @app.websocket(WS_CHATTY)
    def never(was):
        raise AssertionError
        yield

    with pytest.raises(ConnectionRefusedError, match="403"):
        app.test_client().websocket("/")
