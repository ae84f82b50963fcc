"""WebSockets, by two independent clients; what a handler sees is what the engine gives."""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket
from support.servers import Server, serving
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from atila.testing.waits import PATIENCE, wait_until

MOST_UNREAD = 24 * 1024 * 1024
"""Bytes that may be sent to a client that does not read; as in test_streams.py."""

MAIN = Path(__file__).parent / "apps" / "main.py"
UPGRADE = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
]

pytestmark = pytest.mark.unable("gunicorn", "WSGI has no WebSocket")


@contextlib.contextmanager
def by_websockets(url: str) -> Iterator[ClientConnection]:
    with connect(url, max_size=None, compression=None, proxy=None) as socket:
        yield socket


@contextlib.contextmanager
def by_websocket_client(url: str) -> Iterator[Any]:
    socket = websocket.create_connection(url, timeout=PATIENCE)
    try:
        yield socket
    finally:
        socket.close()


clients = pytest.mark.parametrize("opened", [by_websockets, by_websocket_client])


@pytest.fixture
def echo(server: Server, name: str) -> str:
    """The URL of the echo, which writes its closing code on the board."""
    return server.url(f"/socket/echo?name={name}", "ws")


def test_accept_key(server: Server) -> None:
    with server.connect() as connection:
        answer = connection.get("/socket/echo", UPGRADE)
        assert answer.status == 101
        assert answer.header("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert (answer.header("upgrade") or "").lower() == "websocket"


@clients
@pytest.mark.parametrize("message", ["hello", "Grüße, 日本", "", "x" * 1_000_000])
def test_text(echo: str, opened: Any, message: str) -> None:
    with opened(echo) as socket:
        socket.send(message)
        assert socket.recv() == message


@clients
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1_000_000])
def test_binary(echo: str, opened: Any, size: int) -> None:
    message = os.urandom(size)
    with opened(echo) as socket:
        socket.send(message) if opened is by_websockets else socket.send_binary(message)
        assert socket.recv() == message


def test_compressed(echo: str) -> None:
    with connect(echo, max_size=None, proxy=None) as socket:
        socket.send("again and " * 50_000)
        assert socket.recv() == "again and " * 50_000


def test_fragmented(echo: str) -> None:
    with by_websockets(echo) as socket:
        socket.send(["one, ", "two, ", "three"])
        assert socket.recv() == "one, two, three"


@clients
def test_many_messages_keep_their_order(echo: str, opened: Any) -> None:
    with opened(echo) as socket:
        for number in range(200):
            socket.send(str(number))
        assert [socket.recv() for _ in range(200)] == [str(number) for number in range(200)]


def test_ping_is_answered(echo: str) -> None:
    with by_websockets(echo) as socket:
        assert socket.ping(b"are you there").wait(PATIENCE)
    with by_websocket_client(echo) as other:
        other.ping("there?")
        code, frame = other.recv_data_frame(control_frame=True)
        assert (code, frame.data) == (websocket.ABNF.OPCODE_PONG, b"there?")


def test_app_closes_with_code_and_reason(echo: str) -> None:
    with by_websockets(echo) as socket:
        socket.send("close 4001 enough")
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4001
    assert caught.value.rcvd.reason == "enough"


def test_client_closes(server: Server, name: str, echo: str) -> None:
    with by_websockets(echo) as socket:
        socket.send("one")
        socket.recv()
        socket.close(1000)
        assert socket.close_code == 1000
    server.board.wait_count(f"{name}-closed", 4)
    # hypercorn tells 1006 for every code that the client closes with.
    right = "1006" if server.engine == "hypercorn" else "1000"
    assert server.board.text(f"{name}-closed") == right


@pytest.mark.unable("granian", "RSGI does not tell the code that the client closed with")
@pytest.mark.unable("hypercorn", "it tells 1006 for every code that the client closes with")
def test_client_closes_with_a_code(server: Server, name: str, echo: str) -> None:
    with by_websockets(echo) as socket:
        socket.close(4321, "bye")
    server.board.wait_count(f"{name}-closed", 4)
    assert server.board.text(f"{name}-closed") == "4321"


def test_client_vanishes(server: Server, name: str, echo: str) -> None:
    socket = websocket.create_connection(echo, timeout=PATIENCE)
    socket.send("one")
    assert socket.recv() == "one"
    socket.sock.close()
    server.board.wait_count(f"{name}-closed", 4)
    # Nothing was said: 1006 (RFC 6455, section 7.1.5), or 1005 where the server takes it so.
    assert server.board.text(f"{name}-closed") in ("1005", "1006")


def test_sender_stops_when_the_client_vanishes(server: Server, name: str) -> None:
    url = server.url(f"/socket/flood?name={name}", "ws")
    socket = websocket.create_connection(url, timeout=PATIENCE)
    socket.recv()
    socket.sock.close()
    server.board.wait_count(f"{name}-gone")


def test_sender_waits_for_a_client_that_does_not_read(server: Server, name: str) -> None:
    with server.connect(receive_buffer=65536) as connection:
        connection.ask(f"/socket/flood?name={name}", headers=UPGRADE)
        server.board.wait_count(f"{name}-messages")
        assert server.get("/text").status == 200
        assert server.board.stalled_count(f"{name}-messages") * 65536 < MOST_UNREAD
    server.board.wait_count(f"{name}-gone")


def test_chatty(server: Server) -> None:
    with by_websockets(server.url("/chatty", "ws")) as socket:
        for message in ("one", "zwölf"):
            socket.send(message)
            assert socket.recv() == f"ECHO: {message}"
        socket.send("")
        with pytest.raises(ConnectionClosed):
            socket.recv()


def test_failing_handler_closes(server: Server) -> None:
    with by_websockets(server.url("/chatty/fails", "ws")) as socket:
        socket.send("go")
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1011
    wait_until(lambda: "in a WebSocket" in server.log(), "traceback in the log")


def test_failing_handler_that_accepted_by_itself_is_closed(server: Server) -> None:
    url = server.url("/socket/fails", "ws")
    with by_websockets(url) as socket, pytest.raises(ConnectionClosed) as caught:
        socket.recv(timeout=PATIENCE)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1011
    assert server.get("/text").status == 200


def test_refusing_handler_is_403(server: Server) -> None:
    with pytest.raises(InvalidStatus) as caught, by_websockets(server.url("/socket/refused", "ws")):
        pass
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize("path", ["/text", "/nowhere"])
def test_no_socket_here(server: Server, path: str) -> None:
    with pytest.raises(InvalidStatus) as caught, by_websockets(server.url(path, "ws")):
        pass
    # An ASGI server may answer each refusal with 403 only.
    assert caught.value.response.status_code in (403, 404)
    assert server.get("/text").status == 200


def test_plain_request_to_a_socket(server: Server) -> None:
    with server.connect() as connection:
        answer = connection.get("/socket/echo")
        assert answer.status == 426
        assert answer.header("upgrade") == "websocket"
        assert connection.get("/text").status == 200


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"\x81\x05hello", id="not-masked"),
        pytest.param(b"\xc1\x85\0\0\0\0hello", id="reserved-bit"),
        pytest.param(b"\x83\x85\0\0\0\0hello", id="unknown-opcode"),
        pytest.param(b"\x81\x82\0\0\0\0\xff\xfe", id="text-not-utf8"),
        pytest.param(b"\x80\x85\0\0\0\0hello", id="continues-nothing"),
        pytest.param(b"\x89\xfe\0\x7e\0\0\0\0" + b"p" * 126, id="long-ping"),
        pytest.param(b"\x88\x81\0\0\0\0x", id="close-of-one-byte"),
    ],
)
def test_broken_frame_ends_the_connection(server: Server, name: str, frame: bytes) -> None:
    with server.connect() as connection:
        connection.ask(f"/socket/echo?name={name}", headers=UPGRADE)
        assert connection.read_head().status == 101
        connection.send(frame)
        rest = connection.read_to_end()
        assert b"hello" not in rest
    server.board.wait_count(f"{name}-closed", 4)
    assert server.get("/text").status == 200


@pytest.mark.parametrize("missing", ["Sec-WebSocket-Key", "Sec-WebSocket-Version"])
def test_broken_handshake_is_refused(server: Server, missing: str) -> None:
    headers = [header for header in UPGRADE if header[0] != missing]
    with server.connect() as connection:
        answer = connection.get("/socket/echo", headers)
        assert 400 <= answer.status < 500
    assert server.get("/text").status == 200


def test_compression_is_agreed_on_where_there_is_some(server: Server, echo: str) -> None:
    with connect(echo, max_size=None, proxy=None) as socket:
        agreed = (
            socket.response.headers.get("Sec-WebSocket-Extensions", "") if socket.response else ""
        )
        assert ("permessage-deflate" in agreed) is (server.engine != "granian")
        for message in ("short", "again and " * 50_000, ""):
            socket.send(message)
            assert socket.recv() == message


def test_compressed_bomb_closes_with_1009(server: Server, name: str) -> None:
    """A few compressed bytes that become more than the limit of a message: 128 MiB."""
    if server.engine != "skitai":
        pytest.skip("the limits of other servers are theirs")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = deflate.compress(bytes(128 * 1024 * 1024)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    payload = payload[:-4]
    frame = b"\xc2\xff" + len(payload).to_bytes(8, "big") + b"\0\0\0\0" + payload
    with server.connect() as connection:
        extension = ("Sec-WebSocket-Extensions", "permessage-deflate")
        connection.ask(f"/socket/echo?name={name}", headers=[*UPGRADE, extension])
        assert connection.read_head().status == 101
        connection.send(frame)
        assert re.match(rb"\x88.\x03\xf1", connection.read_to_end(), re.DOTALL)
    server.board.wait_count(f"{name}-closed", 4)
    assert server.board.text(f"{name}-closed") == "1009"
    assert server.get("/text").status == 200


def test_a_server_that_stops_closes_with_1001(engine: str, name: str) -> None:
    with serving(engine, MAIN) as server:
        with by_websockets(server.url(f"/socket/echo?name={name}", "ws")) as socket:
            socket.send("x")
            assert socket.recv() == "x"
            server.terminate()
            with pytest.raises(ConnectionClosed) as caught:
                socket.recv(PATIENCE)
            server.wait_end()
        # uvicorn closes WebSockets by itself, before it tells the app.
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == (1012 if engine == "uvicorn" else 1001)
