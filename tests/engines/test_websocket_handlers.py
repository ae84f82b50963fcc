"""atila-ws: how handlers are written, who may connect, and how it ends, by independent clients."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.servers import USUAL, Server, serving
from support.sockets import UPGRADE, by_websocket_client, by_websockets, clients
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from atila.testing.waits import wait_until

engines = USUAL

SCRIPT = Path(__file__).with_name("apps") / "sockets.py"
MOST_UNREAD = 24 * 1024 * 1024
"""Bytes that may be sent to a client that does not read; as in test_streams.py."""

pytestmark = pytest.mark.unable("gunicorn", "WSGI has no WebSocket")


def noted(server: Server, name: str) -> tuple[int, int]:
    """How often a connection was opened and closed."""
    return server.board.count(f"{name}-open"), server.board.count(f"{name}-close")


# The specification's examples -------------------------------------------------------------------


@clients
def test_spec_chatty(server: Server, opened: Any) -> None:
    with opened(server.url("/spec/chatty", "ws")) as socket:
        for message in ("one", "zwölf", "x" * 10_000):
            socket.send(message)
            assert socket.recv() == "ECHO: " + message


@clients
def test_spec_coroutine(server: Server, opened: Any) -> None:
    # Its own server is asked: a second request while the first conversation goes on.
    with opened(server.url(f"/spec/coroutine?base={server.url('')}", "ws")) as socket:
        for _ in range(3):
            socket.send("go")
            assert socket.recv() == "ready"


@clients
def test_spec_reporty(server: Server, opened: Any) -> None:
    with opened(server.url("/spec/reporty?color=red", "ws")) as socket:
        for message in ("one", "two"):
            socket.send(message)
            assert [socket.recv(), socket.recv()] == ["welcome", "ECHO: " + message]


@clients
def test_spec_nopool(server: Server, opened: Any) -> None:
    with opened(server.url("/spec/nopool?color=red", "ws")) as socket:
        socket.send("go")
        thread, _, options = socket.recv().partition(" ")
        assert options == "[('color', 'red')]"
        assert not thread.startswith("atila-worker")
        assert socket.recv() == "started"


@clients
@pytest.mark.parametrize(("path", "threads"), [("/spec/counting", 1), ("/spec/threadsafe", 2)])
def test_spec_counting(server: Server, opened: Any, path: str, threads: int) -> None:
    with opened(server.url(path, "ws")) as socket:
        socket.send("count")
        got = [socket.recv() for _ in range(100 * threads + 1)]
        socket.send("still there?")
        assert socket.recv() == "started"
    got.remove("started")
    assert sorted(got) == sorted([f"send {i}" for i in range(100)] * threads)
    if threads == 1:
        assert got == [f"send {i}" for i in range(100)]


@clients
def test_spec_push(server: Server, client: httpx.Client, opened: Any) -> None:
    assert client.get("/item_in_stock").text == "nobody"
    client.get("/login")
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    url = server.url(f"/spec/push?options={opened.__name__}", "ws")
    closed = server.board.count("closed")
    with opened(url, cookie=cookie) as socket:
        for name, value in socket.set_cookies().items():
            client.cookies.delete(name)
            client.cookies.set(name, value)
        assert client.get("/item_in_stock").text == "delivered"
        assert socket.recv() == "Item In Stock!"
        socket.send("hello")
        assert socket.recv() == "you said: hello"
    server.board.wait_count("closed", closed + 1)
    assert server.board.count(f"opened {opened.__name__}") == 1
    wait_until(lambda: client.get("/item_in_stock").text == "nobody", "forgotten")


# Other ways -------------------------------------------------------------------------------------


@clients
@pytest.mark.parametrize("path", ["/async", "/async/reporty"])
def test_async_handlers(server: Server, opened: Any, path: str) -> None:
    with opened(server.url(path, "ws")) as socket:
        for number in range(50):
            socket.send(str(number))
        assert [socket.recv() for _ in range(50)] == [str(number) for number in range(50)]


def test_coroutine_with_tasks(server: Server) -> None:
    ended = server.board.count("coroutine-ended")
    with by_websockets(server.url("/coroutine/tasks", "ws")) as socket:
        for message in ("one", "two"):
            socket.send(message)
            assert socket.recv() == message.upper()
    server.board.wait_count("coroutine-ended", ended + 1)


@clients
def test_json(server: Server, opened: Any) -> None:
    with opened(server.url("/json", "ws")) as socket:
        for value in ({"a": [1, None]}, [1], "text", 5, None, False):
            socket.send(json.dumps(value))
            assert json.loads(socket.recv()) == {"got": value}
    with opened(server.url("/json/sends", "ws")) as socket:
        assert [json.loads(socket.recv()) for _ in range(2)] == [{"a": 1}, [1, "two"]]


def test_what_is_no_json_ends_the_connection(server: Server) -> None:
    with by_websockets(server.url("/json", "ws")) as socket:
        socket.send("{'a': 1}")
        assert socket.closed_with() == 1007


def test_binary(server: Server) -> None:
    with by_websockets(server.url("/binary", "ws")) as socket:
        socket.send("grün")
        assert socket.recv() == "grün".encode()
        socket.send(b"\xff")
        assert socket.recv() == b"\xff"


def test_parameters(server: Server) -> None:
    with by_websockets(server.url("/query/7?name=hans", "ws")) as socket:
        socket.send("hello")
        assert socket.recv() == "7 hans hello"
    for path in ("/query/7?message=x", "/query/7?other=1"):
        with pytest.raises(InvalidStatus) as caught, by_websockets(server.url(path, "ws")):
            pass
        assert caught.value.response.status_code in (400, 403)


# Who may ----------------------------------------------------------------------------------------


def test_permissions_are_asked_for_at_the_handshake(server: Server) -> None:
    with by_websockets(server.url("/guarded?name=hans", "ws")) as socket:
        assert socket.recv() == "hello hans"
    with (
        pytest.raises(InvalidStatus) as caught,
        by_websockets(server.url("/guarded?name=eve", "ws")),
    ):
        pass
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize(
    ("path", "origin", "welcome"),
    [
        ("/spec/chatty", "http://127.0.0.1:PORT", True),
        ("/spec/chatty", "https://evil.example", False),
        ("/spec/chatty", "http://127.0.0.1:1", False),
        ("/spec/chatty", "null", False),
        ("/friends", "https://friend.example", True),
        ("/friends", "https://evil.example", False),
        ("/anywhere", "https://evil.example", True),
    ],
)
def test_origins(server: Server, path: str, origin: str, welcome: bool) -> None:
    headers = {"Origin": origin.replace("PORT", str(server.port))}
    url = server.url(path, "ws")
    if welcome:
        with connect(url, additional_headers=headers, proxy=None):
            return
    with (
        pytest.raises(InvalidStatus) as caught,
        connect(url, additional_headers=headers, proxy=None),
    ):
        pass
    assert caught.value.response.status_code == 403


# Ends -------------------------------------------------------------------------------------------


@clients
def test_app_closes_with_a_code(server: Server, opened: Any) -> None:
    with opened(server.url("/async", "ws")) as socket:
        socket.send("close 4001 enough")
        assert socket.closed_with() == 4001


def test_silence_closes_with_1001(server: Server) -> None:
    with by_websockets(server.url("/silent", "ws")) as socket:
        assert socket.closed_with() == 1001
    server.board.wait_count("silent None")


def test_too_large_a_message_closes_with_1009(server: Server, name: str) -> None:
    with by_websockets(server.url(f"/noted?name={name}", "ws")) as socket:
        socket.send("x" * 100_000)
        assert socket.recv() == "x" * 100_000
        socket.send("x" * 100_001)
        assert socket.closed_with() == 1009
    server.board.wait_count(f"{name}-close")
    assert noted(server, name) == (1, 1)


def test_onclose_runs_once_when_the_handler_fails(server: Server, name: str) -> None:
    with by_websockets(server.url(f"/noted?name={name}", "ws")) as socket:
        socket.send("fail")
        assert socket.closed_with() == 1011
    server.board.wait_count(f"{name}-close")
    with by_websockets(server.url(f"/noted?name={name}", "ws")) as socket:
        socket.send("x")
        socket.recv()
    server.board.wait_count(f"{name}-close", 2)
    assert noted(server, name) == (2, 2)


VICTIM = """
import sys
from websockets.sync.client import connect

sockets = [connect(sys.argv[1], proxy=None) for _ in range(5)]
for socket in sockets:
    socket.send("x")
    socket.recv()
print("ready", flush=True)
sys.stdin.read()
"""


def test_onclose_runs_once_for_killed_clients(server: Server, name: str) -> None:
    command = [sys.executable, "-c", VICTIM, server.url(f"/noted?name={name}", "ws")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"ready\n"
        os.kill(victim.pid, signal.SIGKILL)
    server.board.wait_count(f"{name}-close", 5)
    with by_websockets(server.url(f"/noted?name={name}", "ws")) as socket:
        socket.send("still serving")
        assert socket.recv() == "still serving"
    server.board.wait_count(f"{name}-close", 6)
    assert noted(server, name) == (6, 6)


def test_client_that_never_reads_harms_nobody(server: Server, name: str) -> None:
    with server.connect(receive_buffer=65536) as connection:
        connection.ask(f"/noted/flood?name={name}", headers=UPGRADE)
        server.board.wait_count(f"{name}-open")
        with by_websockets(server.url("/async", "ws")) as socket:
            for number in range(20):
                socket.send(str(number))
                assert socket.recv() == str(number)
        # It is closed when it has taken nothing for WS_SEND_TIMEOUT.
        server.board.wait_count(f"{name}-close")
    assert noted(server, name) == (1, 1)


def test_half_a_frame_and_a_flood_harm_nobody(server: Server, name: str) -> None:
    url = f"/noted?name={name}"
    with server.connect() as half, server.connect() as flood:
        for connection in (half, flood):
            connection.ask(url, headers=UPGRADE)
            assert connection.read_head().status == 101
        half.send(b"\x81\xfe\xff\xff\0\0\0\0only the beg")
        # Nothing that comes back is read.
        flood.socket.setblocking(False)
        frame = b"\x82\xfe\x10\x00\0\0\0\0" + b"z" * 4096
        for _ in range(5000):
            try:
                flood.socket.send(frame)
            except BlockingIOError:
                break
        with by_websockets(server.url("/async", "ws")) as socket:
            for number in range(20):
                socket.send(str(number))
                assert socket.recv() == str(number)
    server.board.wait_count(f"{name}-close", 2)
    assert noted(server, name) == (2, 2)


def test_shutdown_closes_with_1001(engine: str, name: str) -> None:
    with serving(engine, SCRIPT) as server:
        with contextlib.ExitStack() as stack:
            url = server.url(f"/noted?name={name}", "ws")
            sockets = [stack.enter_context(by_websockets(url)) for _ in range(5)]
            for socket in sockets:
                socket.send("x")
                assert socket.recv() == "x"
            server.terminate()
            codes = {socket.closed_with() for socket in sockets}
            server.wait_end()
        # uvicorn closes WebSockets by itself, before it tells the app.
        assert codes == ({1012} if engine == "uvicorn" else {1001})
        assert noted(server, name) == (5, 5)


# Rooms, in one worker; test_websocket_workers.py has more of them -------------------------------


def test_rooms(server: Server, client: httpx.Client, name: str) -> None:
    url = server.url(f"/rooms/{name}?room={name}", "ws")
    elsewhere = server.url(f"/rooms/x{name}?room=x{name}", "ws")
    with (
        by_websockets(url) as one,
        by_websocket_client(url) as two,
        by_websockets(elsewhere) as far,
    ):
        one.send("hello")
        assert [one.recv(), two.recv()] == [f"hello to {name}"] * 2
        assert client.get(f"/rooms/{name}/say?text=hi").text == "2"
        assert [one.recv(), two.recv()] == ["hi"] * 2
        two.send("leave")
        assert two.recv() == "left"
        assert client.get(f"/rooms/{name}/say/async?text=bye").text == "1"
        assert one.recv() == '{"said":"bye"}'
        far.send("leave")
        assert far.recv() == "left"
    wait_until(lambda: client.get(f"/rooms/{name}/say?text=hi").text == "0", "an empty room")


def test_sending_to_nobody(client: httpx.Client) -> None:
    for client_id in ("", "nonsense", "00ff00ff00ff.abc", "../x.y", "a.b.c"):
        answer = client.get("/push", params={"client_id": client_id, "text": "x"})
        assert answer.text.endswith("False"), answer.text


def test_one_sends_to_the_other(server: Server, client: httpx.Client) -> None:
    for path in ("/push", "/push/async"):
        with by_websockets(server.url("/clients", "ws")) as socket:
            _, client_id = socket.recv().split()
            answer = client.get(path, params={"client_id": client_id, "text": "psst"})
            assert answer.text.endswith("True")
            assert socket.recv() == "psst"
        wait_until(
            lambda path=path, client_id=client_id: client.get(
                path, params={"client_id": client_id, "text": "x"}
            ).text.endswith("False"),
            "the connection gone",
        )
