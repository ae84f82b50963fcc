"""Answers made while they are sent, and bodies read while they come."""

from __future__ import annotations

import contextlib
import hashlib
import json

import httpx
import pytest
from support.servers import Server
from support.wire import Broken, Connection

from atila.testing.waits import PATIENCE, wait_until

PIECE = 65536
MOST_UNREAD = 24 * 1024 * 1024
"""Bytes that may be made for a client that does not read: the kernel's buffers of both ends (up to
6 MB each on Linux) and those of the server, of 256 MB in all."""

either_kind = pytest.mark.parametrize("kind", ["", "-async"], ids=["generator", "async-generator"])


@either_kind
def test_first_piece_arrives_before_the_second_is_made(
    server: Server, name: str, kind: str
) -> None:
    with server.connect() as connection:
        connection.ask(f"/steps{kind}?gate={name}")
        head = connection.read_head()
        assert head.status == 200
        assert head.header("transfer-encoding") == "chunked"
        assert head.header("content-length") is None
        assert connection.read_chunk() == b"first,"
        server.board.open(name)
        assert connection.read_chunk() == b"second"
        assert connection.read_chunk() == b""
        assert connection.get("/text").status == 200


@either_kind
def test_stream_of_many_pieces_is_whole(client: httpx.Client, name: str, kind: str) -> None:
    length = 0
    with client.stream("GET", f"/flood{kind}", params={"name": name}) as answer:
        for chunk in answer.iter_raw():
            length += len(chunk)
            if length >= 16 * 1024 * 1024:
                break
            assert chunk.strip(b"x") == b""
    assert length >= 16 * 1024 * 1024


def test_empty_stream(server: Server) -> None:
    with server.connect() as connection:
        answer = connection.get("/empty-stream")
        assert (answer.status, answer.body, answer.complete) == (200, b"", True)
        assert connection.get("/text").status == 200


def test_head_of_a_stream(server: Server, name: str) -> None:
    with server.connect() as connection:
        connection.ask(f"/ticks?name={name}", "HEAD")
        assert connection.read("HEAD").status == 200
        server.board.wait_count(f"{name}-end")
        assert connection.get("/text").status == 200


@pytest.mark.unable("uvicorn", "it sends chunks to HTTP/1.0 too, whatever the application does")
def test_stream_to_http_1_0(server: Server, name: str) -> None:
    server.board.open(name)
    with server.connect() as connection:
        connection.send(f"GET /steps?gate={name} HTTP/1.0\r\nHost: x\r\n\r\n")
        head = connection.read_head()
        assert head.status == 200
        # HTTP/1.0 has no chunks: the end of the connection is the end of the body.
        assert head.header("transfer-encoding") is None
        assert connection.read_to_end() == b"first,second"


@either_kind
def test_nothing_more_is_made_while_the_client_does_not_read(
    server: Server, name: str, kind: str
) -> None:
    with server.connect(receive_buffer=65536) as connection:
        connection.ask(f"/flood{kind}?name={name}")
        server.board.wait_count(f"{name}-pieces")
        made = server.board.stalled_count(f"{name}-pieces")
        assert made * PIECE < MOST_UNREAD
        assert server.get("/text").status == 200
        # It goes on when the client does.
        connection.read_head()
        taken = 0
        while taken < made * PIECE + MOST_UNREAD // 2:
            taken += len(connection.read_chunk())
        assert server.board.count(f"{name}-pieces") > made
    server.board.wait_count(f"{name}-end")


def test_waiting_streams_hold_no_threads(server: Server, name: str) -> None:
    if server.engine == "gunicorn":
        pytest.skip("gunicorn: WSGI holds a thread of the server for each stream")
    connections = [server.connect(receive_buffer=4096) for _ in range(40)]
    try:
        for connection in connections:
            connection.ask(f"/flood?name={name}")
        for connection in connections:
            assert connection.read_head().status == 200
        assert server.get("/text").status == 200
    finally:
        for connection in connections:
            connection.reset()
    server.board.wait_count(f"{name}-end", 40)


@pytest.mark.parametrize("path", ["/ticks", "/flood", "/flood-async"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_generator_ends_when_the_client_leaves(
    server: Server, name: str, path: str, how: str
) -> None:
    connection = server.connect()
    connection.ask(f"{path}?name={name}")
    assert connection.read_head().status == 200
    connection.read_chunk()
    connection.reset() if how == "reset" else connection.close()
    server.board.wait_count(f"{name}-end")


@pytest.mark.unable("gunicorn", "a WSGI server tells that a client left only when it sends to it")
def test_silent_stream_ends_when_the_client_leaves(server: Server, name: str) -> None:
    with server.connect() as connection:
        connection.ask(f"/waits-async?name={name}")
        assert connection.read_head().status == 200
        assert connection.read_chunk() == b"one"
    server.board.wait_count(f"{name}-end")


@pytest.mark.parametrize("path", ["/breaks", "/breaks-async"])
def test_stream_that_fails_ends_incomplete(server: Server, path: str) -> None:
    with server.connect() as connection:
        try:
            answer = connection.get(path)
        except Broken:
            pass  # Head and first piece may be lost with the connection, as on granian.
        else:
            assert answer.status == 200
            assert not answer.complete
            assert b"500" not in answer.body
            assert connection.is_closed()
    with pytest.raises(httpx.TransportError):
        httpx.get(server.url(path))
    wait_until(lambda: "in the middle of a stream" in server.log(), "traceback in the log")
    assert server.get("/text").status == 200


def test_stream_that_fails_before_its_first_piece_is_an_error(server: Server) -> None:
    with server.connect() as connection:
        answer = connection.get("/breaks-at-once")
        assert (answer.status, answer.complete) == (500, True)
        assert connection.get("/text").status == 200


# Bodies -----------------------------------------------------------------------------------------


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("size", [0, 1, 16384, 5_000_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_body_is_read_by_pieces(client: httpx.Client, size: int, chunked: bool) -> None:
    body = (bytes(range(253)) * (size // 253 + 1))[:size]
    pieces = (body[at : at + 100_000] for at in range(0, size, 100_000))
    found = client.post("/upload", content=pieces if chunked else body).json()
    assert (found["length"], found["sha256"]) == (size, digest_of(body))
    assert found["longest"] <= 16384


@pytest.mark.unable("gunicorn", "WSGI gives a piece of the asked size when all of it has come")
def test_piece_of_a_body_is_there_before_the_next_is_sent(server: Server, name: str) -> None:
    with server.connect() as connection:
        connection.ask(f"/upload?name={name}", "POST", [("Content-Length", "10")])
        connection.send("12345")
        server.board.wait_count(f"{name}-bytes", 5)
        connection.send("67890")
        assert json.loads(connection.read().body)["sha256"] == digest_of(b"1234567890")


@pytest.mark.unable("gunicorn", "WSGI gives a piece of the asked size when all of it has come")
def test_chunk_of_a_body_is_there_before_the_next_is_sent(server: Server, name: str) -> None:
    with server.connect() as connection:
        connection.ask(f"/upload?name={name}", "POST", [("Transfer-Encoding", "chunked")])
        connection.send("5\r\n12345\r\n")
        server.board.wait_count(f"{name}-bytes", 5)
        connection.send("5\r\n67890\r\n0\r\n\r\n")
        assert json.loads(connection.read().body)["sha256"] == digest_of(b"1234567890")


def send_until_blocked(connection: Connection, most: int) -> int:
    """Send until the other end takes no more for half a second; how many bytes that were."""
    connection.socket.settimeout(0.5)
    sent = 0
    try:
        while sent < most:
            sent += connection.socket.send(b"z" * min(PIECE, most - sent))
    except TimeoutError:
        pass
    connection.socket.settimeout(PATIENCE)
    return sent


def test_client_has_to_wait_while_the_handler_does_not_read(server: Server, name: str) -> None:
    size = 128 * 1024 * 1024
    with server.connect() as connection:
        path = f"/upload-paused?name={name}"
        connection.ask(path, "POST", [("Content-Length", str(size))])
        sent = send_until_blocked(connection, size)
        server.board.wait_count(f"{name}-first")
        assert sent < MOST_UNREAD
        server.board.open(name)
        while sent < size:
            sent += connection.socket.send(b"z" * min(PIECE, size - sent))
        assert json.loads(connection.read().body) == {"length": size}


def test_client_that_leaves_while_it_sends(server: Server, name: str) -> None:
    with server.connect() as connection:
        connection.ask(f"/upload?name={name}", "POST", [("Content-Length", "1000")])
        connection.send("12345")
        if server.engine != "gunicorn":  # which waits for a whole piece
            server.board.wait_count(f"{name}-bytes", 5)
    server.board.wait_count(f"{name}-gone")


def test_unread_body_does_not_become_a_request(server: Server) -> None:
    smuggled = b"GET /fails HTTP/1.1\r\nHost: x\r\n\r\n"
    with server.connect() as connection:
        connection.ask("/upload-unread", "POST", body=smuggled)
        assert connection.read().text == "not read"
        # Either it is skipped, or the connection ends.
        with contextlib.suppress(OSError):
            connection.ask("/text", headers=[("Connection", "close")])
        rest = connection.read_to_end()
    assert rest == b"" or rest.startswith(b"HTTP/1.1 200")
    assert b" 500 " not in rest
