"""WS_REPORTY: a call of the handler for each message."""

import asyncio
import threading

import pytest

import atila
import atila_ws
from atila import Atila, SetupError
from atila.testing.waits import wait_until
from atila_ws import WS_CHATTY, WS_COROUTINE, WS_NOPOOL, WS_REPORTY, WS_THREADSAFE

FLAGS = pytest.mark.parametrize("flags", [0, WS_NOPOOL, WS_THREADSAFE, WS_NOPOOL | WS_THREADSAFE])


@FLAGS
def test_example_of_the_specification(app, flags):
    @app.route("/echo")
    @app.websocket(WS_REPORTY | flags, 60)
    def websocket(was, msg, **options):
        was.websocket.send("welcome")
        return "ECHO: " + msg

    ws = app.test_client().websocket("/echo?color=red")
    for message in ("one", "two"):
        ws.send_message(message)
        assert [ws.receive_message(), ws.receive_message()] == ["welcome", "ECHO: " + message]


def test_what_it_gives(app):
    class Task:
        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            return "awaited"

    values = {"none": None, "dict": {"a": 1}, "bytes": b"\x00", "empty": "", "task": Task()}

    @app.route("/")
    @app.websocket(WS_REPORTY)
    def give(was, name):
        return values[name]

    ws = app.test_client().websocket("/")
    for name in values:
        ws.send_message(name)
    assert [ws.receive_message() for _ in range(4)] == ['{"a":1}', b"\x00", "", "awaited"]


def test_messages_of_one_client_are_taken_one_after_the_other(app):
    inside, most = [], []

    @app.route("/")
    @app.websocket(WS_REPORTY)
    def slow(was, number):
        inside.append(number)
        most.append(len(inside))
        threading.Event().wait(0.005)
        inside.remove(number)
        return number

    ws = app.test_client().websocket("/")
    for n in range(20):
        ws.send_message(str(n))
    assert [ws.receive_message() for _ in range(20)] == [str(n) for n in range(20)]
    assert max(most) == 1


def test_where_it_runs(app):
    def where(was, message):
        return threading.current_thread().name

    def on_loop(was, message):
        return threading.current_thread().name

    async def coroutine(was, message):
        return threading.current_thread().name

    app.route("/pool")(app.websocket(WS_REPORTY)(where))
    app.route("/nopool")(app.websocket(WS_REPORTY | WS_NOPOOL)(on_loop))
    app.route("/async")(app.websocket(WS_REPORTY)(coroutine))
    names = {}
    for path in ("/pool", "/nopool", "/async"):
        ws = app.test_client().websocket(path)
        ws.send_message("?")
        names[path] = ws.receive_message()
    assert names["/nopool"] == names["/async"] == "atila-loop"
    assert names["/pool"].startswith("atila-")
    assert names["/pool"] != "atila-loop"


def test_its_context_is_the_current_one(app):
    @app.route("/")
    @app.websocket(WS_REPORTY)
    def current(was, message):
        return str(atila.current.get() is was)

    ws = app.test_client().websocket("/")
    ws.send_message("?")
    assert ws.receive_message() == "True"


def test_parameters(app):
    @app.route("/rooms/<int:id>")
    @app.websocket(WS_REPORTY)
    def typed(was, message, id, name="nobody"):
        return f"{message} {id!r} {name}"

    @app.route("/open")
    @app.websocket(WS_REPORTY)
    def open_to_all(was, message, **options):
        return str(sorted(options.items()))

    @app.route("/positional")
    @app.websocket(WS_REPORTY)
    def positional(was, message, /, **options):
        return f"{message} {options}"

    client = app.test_client()
    for url, answer in (
        ("/rooms/7?name=hans", "hi 7 hans"),
        ("/open?a=1&b=2", "[('a', '1'), ('b', '2')]"),
        ("/positional?message=x", "hi {'message': 'x'}"),
    ):
        ws = client.websocket(url)
        ws.send_message("hi")
        assert ws.receive_message() == answer
    for url in ("/rooms/7?message=x", "/rooms/7?other=x", "/open?message=x"):
        with pytest.raises(ConnectionRefusedError, match="400"):
            client.websocket(url)


def test_a_call_that_raises_closes_with_1011(app, caplog):
    @app.route("/")
    @app.websocket(WS_REPORTY)
    def broken(was, message):
        return 1 / int(message)

    ws = app.test_client().websocket("/")
    ws.send_message("0")
    assert ws.receive_message() is None
    assert ws.close_code == 1011
    wait_until(lambda: "ZeroDivisionError" in caplog.text)


def test_the_same_function_for_two_routes(app):
    def echo(was, message):
        return message

    app.route("/a")(app.websocket(WS_REPORTY)(echo))
    app.route("/b")(app.websocket(WS_REPORTY)(echo))
    for path in ("/a", "/b"):
        ws = app.test_client().websocket(path)
        ws.send_message("hi")
        assert ws.receive_message() == "hi"


@pytest.mark.parametrize("kind", ["none", "star", "keyword"])
def test_handlers_without_a_message(kind):
    def none(was):
        return "x"

    def star(was, *args):
        return "x"

    def keyword(was, *, message):
        return "x"

    app = Atila(__name__, layers={"ws": atila_ws.layer})
    handler = {"none": none, "star": star, "keyword": keyword}[kind]
    app.route("/")(app.websocket(WS_REPORTY)(handler))
    with pytest.raises(SetupError, match="must take the client's message"):
        app.test_client().get("/")


def test_work_after_each_answer(app):
    done = []

    @app.route("/reporty")
    @app.websocket(WS_REPORTY, 60)
    def reporty(was, message):
        was.after(done.append, message)
        if message == "fail":
            raise RuntimeError("asked to fail")
        return message

    @app.route("/async")
    @app.websocket(WS_CHATTY, 60)
    async def chatty(was):
        async for message in was.websocket:
            was.after(done.append, message)
            await was.websocket.send(message)

    @app.route("/generator")
    @app.websocket(WS_CHATTY, 60)
    def generator(was):
        while message := (yield):
            was.after(done.append, message)
            yield message

    @app.route("/coroutine")
    @app.websocket(WS_COROUTINE, 60)
    def coroutine(was):
        while message := (yield was.Input()):
            was.after(done.append, message)
            yield message

    for path in ("/reporty", "/async", "/generator", "/coroutine"):
        done.clear()
        with app.test_client().websocket(path) as socket:
            for text in ("a", "b"):
                socket.send_message(text)
                assert socket.receive_message() == text
                # While the connection goes on.
                wait_until(lambda text=text: done[-1:] == [text])
            if path == "/reporty":
                socket.send_message("fail")
                assert socket.receive_message() is None
        assert done == ["a", "b"]
