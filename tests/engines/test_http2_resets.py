"""HTTP/2 connections whose clients begin requests only to take them back, or take no answers."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event, ResponseReceived, StreamEnded
from support.servers import Server
from support.wire import Broken, Connection

from atila.testing.waits import wait_until

SCRIPT = Path(__file__).with_name("apps") / "leaving.py"

engines = ("skitai", "granian", "hypercorn")

STREAMS = 90
"""Fewer than any server lets be open at a time."""
FLOOD = 5000
BEGUN = FLOOD // 4
"""More than it is to begin of those: Granian ends all after 1,024 resets of its own."""
PING = b"\0\0\x08\x06\0\0\0\0\0" + b"ping ack"
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
CONTINUED = 50_000_000
"""Bytes of a head: far more than the kernel keeps for a server that reads no more."""
ALLOWED = 2 * 1024 * 1024
"""Bytes of memory."""


class Wire:
    """A bare HTTP/2 client on a connection of its own."""

    def __init__(self, server: Server, receive_buffer: int | None = None) -> None:
        self.connection: Connection = server.connect(receive_buffer)
        self.state = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.state.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.connection.send(self.state.data_to_send())

    def ask(self, target: str) -> int:
        """Begin a request; the id of its stream."""
        stream = self.state.get_next_available_stream_id()
        head = [(":method", "GET"), (":scheme", "http"), (":path", target), (":authority", "a")]
        self.state.send_headers(stream, head, end_stream=True)
        self.flush()
        return stream

    def reset(self, stream: int) -> None:
        self.state.reset_stream(stream, ErrorCodes.CANCEL)
        self.flush()

    def events(self) -> Iterator[Event]:
        """What the server says, until it closes the connection."""
        while data := self.connection.socket.recv(65536):
            yield from self.state.receive_data(data)
            self.flush()

    def get(self, target: str) -> str:
        """The status of an answer."""
        stream, status = self.ask(target), ""
        for event in self.events():
            if isinstance(event, ResponseReceived) and event.stream_id == stream:
                status = dict(event.headers)[":status"]
            elif isinstance(event, StreamEnded) and event.stream_id == stream:
                return status
        raise Broken("the connection was closed")


def queued(server: Server) -> int:
    return int(server.get("/queued").text)


def test_requests_that_were_taken_back_are_not_begun(server: Server, name: str) -> None:
    wire = Wire(server)
    streams = [wire.ask(f"/waits?gate={name}") for _ in range(STREAMS)]
    server.board.wait_count(f"{name}-started", 2)
    wait_until(lambda: queued(server) == STREAMS - 2, "all others wait for a thread")
    for stream in streams[2:]:
        wire.reset(stream)
    wait_until(lambda: queued(server) == 0, "they are forgotten")
    server.board.open(name)
    # Whoever takes back what it need not wait for is no attacker.
    assert wire.get("/") == "200"
    assert server.get(f"/waits?gate={name}").text == "done"
    assert server.board.count(f"{name}-started") == 3


@pytest.mark.unable("hypercorn", "it has no such limit")
@pytest.mark.parametrize("kind", ["by the client", "by the server"])
def test_a_client_that_does_so_for_ever_is_told_to_calm_down(
    server: Server, name: str, kind: str
) -> None:
    wire = Wire(server)
    calmed: list[ErrorCodes | int | None] = []
    try:
        for _ in range(FLOOD):
            stream = wire.ask(f"/waits?gate={name}")
            if kind == "by the client":
                wire.reset(stream)
            else:
                # More credit than there can be: the server has to reset it (CVE-2025-8671).
                wire.connection.send(b"\0\0\x04\x08\0" + struct.pack(">II", stream, 0x7FFFFFFF))
                del wire.state.streams[stream]
    except OSError:
        pass  # It was cut off already.
    try:
        calmed = [e.error_code for e in wire.events() if isinstance(e, ConnectionTerminated)]
    except OSError:
        pass
    # The kernel may have dropped it, since more came than the server read.
    assert calmed in ([ErrorCodes.ENHANCE_YOUR_CALM], [])
    server.board.open(name)
    wait_until(lambda: server.get("/").text == "ready", "others are answered")
    assert server.board.stalled_count(f"{name}-started") < BEGUN
    assert Wire(server).get("/") == "200"


@pytest.mark.unable("hypercorn", "it has no such limit")
def test_the_last_word_is_read_by_a_client_that_stops_then(server: Server, name: str) -> None:
    wire, codes = Wire(server), []
    wire.connection.socket.settimeout(0.001)
    while not codes:
        # The server may close between two of them: what it said before can be read all the same.
        with contextlib.suppress(ConnectionError):
            wire.reset(wire.ask(f"/waits?gate={name}"))
        with contextlib.suppress(TimeoutError, ConnectionError):
            for event in wire.events():
                if isinstance(event, ConnectionTerminated):
                    codes.append(event.error_code)
    server.board.open(name)
    assert codes == [ErrorCodes.ENHANCE_YOUR_CALM]


@pytest.mark.memory
@pytest.mark.parametrize("size", [0, 8000], ids=["empty", "long"])
def test_a_head_that_goes_on_for_ever(server: Server, size: int) -> None:
    """HEADERS that do not end, and CONTINUATION without end (CVE-2024-27316 and its kind)."""
    wire = Wire(server)
    assert wire.get("/") == "200"
    before, stream = server.resident(), struct.pack(">I", 3)
    # A header that is not to be remembered: "x", and a value.
    field = b"\0\x01x\x7f" + _integer(size - 127) + b"a" * size if size else b""
    piece = struct.pack(">I", len(field))[1:] + b"\x09\0" + stream + field
    wire.connection.socket.settimeout(1)
    # :method GET, :scheme http, :path /, :authority a.
    wire.connection.send(b"\0\0\x06\x01\x01" + stream + b"\x82\x86\x84\x41\x01a")
    with pytest.raises((TimeoutError, ConnectionError)):
        _send_all(wire, [piece * (CONTINUED // 50 // len(piece))] * 50)
    assert server.resident() - before < ALLOWED
    assert server.get("/").text == "ready"


def _send_all(wire: Wire, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        wire.connection.send(piece)


def _integer(rest: int) -> bytes:
    """What follows a full prefix of an integer of HPACK (RFC 7541, section 5.1)."""
    return bytes((rest % 128 | 128, rest // 128))


@pytest.mark.memory
@pytest.mark.slow
@pytest.mark.parametrize("frame", [PING, SETTINGS], ids=["PING", "SETTINGS"])
def test_memory_of_answers_that_nobody_takes(server: Server, frame: bytes) -> None:
    wire = Wire(server, receive_buffer=4096)
    assert wire.get("/") == "200"
    before = server.resident()
    wire.connection.socket.settimeout(1)
    # A server either reads no more, or ends the connection.
    with pytest.raises((TimeoutError, ConnectionError)):
        wire.connection.send(frame * 3_000_000)
    assert server.resident() - before < ALLOWED
    assert server.get("/").text == "ready"
