"""A bare HTTP/2 client: sends requests whole, in pieces or broken, and says what came back."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)

TIMEOUT = 20.0
"""Seconds that a connection waits for the other end."""

Bytes = str | bytes


@dataclass
class Answer:
    """One response.

    Attributes:
        status: its code; 0 if there was none.
        headers: in the order sent.
        body: as far as it came.
        complete: whether the stream ended in order.
    """

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False

    def header(self, name: str) -> str | None:
        """The value of the first header of a name."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def text(self) -> str:
        return self.body.decode()


class Http2:
    """A connection to a server on this machine that speaks HTTP/2 by prior knowledge.

    Args:
        port: where it listens.
        context: for TLS, with ALPN in the place of prior knowledge (RFC 7301).
    """

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        if context is not None:
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self._received = b""
        # Headers go out as they are given, whatever is wrong with them.
        self._wire = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._wire.initiate_connection()
        self._flush()

    def __enter__(self) -> Http2:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Sequence[tuple[Bytes, Bytes]] = (),
        *,
        authority: str | None = "localhost",
        end: bool = True,
    ) -> int:
        """Send the head of a request; the number of its stream."""
        stream = self._wire.get_next_available_stream_id()
        head: list[tuple[Bytes, Bytes]] = [(":method", method), (":scheme", "http")]
        head += [(":path", path)]
        if authority is not None:
            head.append((":authority", authority))
        pairs = [(_bytes(name), _bytes(value)) for name, value in (*head, *headers)]
        self._wire.send_headers(stream, pairs, end_stream=end)
        self._flush()
        return stream

    def send(self, stream: int, data: bytes, *, end: bool = False) -> None:
        """Send a piece of a body that fits into the window."""
        self._wire.send_data(stream, data, end_stream=end)
        self._flush()

    def get(self, path: str, headers: Sequence[tuple[Bytes, Bytes]] = ()) -> Answer:
        """GET, and the whole answer."""
        return self.read(self.ask(path, headers=headers))

    def post(self, path: str, body: bytes, headers: Sequence[tuple[Bytes, Bytes]] = ()) -> Answer:
        """POST without a Content-Length, and the whole answer."""
        stream = self.ask(path, "POST", headers, end=False)
        self.send(stream, body, end=True)
        return self.read(stream)

    def read(self, stream: int, least: int | None = None) -> Answer:
        """The answer of a stream: all of it, or as soon as so many bytes of its body have come."""
        answer, ended = Answer(), False
        while not ended and (least is None or not answer.status or len(answer.body) < least):
            try:
                received = self.socket.recv(65536)
            except ConnectionResetError:
                break
            if not received:
                break
            self._received += received
            while frame := self._next_frame():
                for event in self._wire.receive_data(frame):
                    ended |= self._take(event, stream, answer)
            # The server may have gone meanwhile.
            with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
                self._flush()
        return answer

    def _next_frame(self) -> bytes:
        """The next frame that has come as a whole; b"" if none has."""
        size = 9 + int.from_bytes(self._received[:3], "big")
        if len(self._received) < size:
            return b""
        frame, self._received = self._received[:size], self._received[size:]
        return frame

    def _take(self, event: object, stream: int, answer: Answer) -> bool:
        """Note an event; whether it is the last."""
        match event:
            case ResponseReceived(stream_id=number) if number == stream:
                pairs = [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
                answer.status = int(pairs[0][1])
                answer.headers = pairs[1:]
            case DataReceived():
                self._wire.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if event.stream_id == stream:
                    answer.body += event.data
            case StreamEnded(stream_id=number) if number == stream:
                answer.complete = True
                return True
            case StreamReset(stream_id=number) if number == stream:
                return True
            case ConnectionTerminated(error_code=ErrorCodes.NO_ERROR):
                # Streams go on to their end (RFC 9113, section 6.8); h2 takes no frame any more.
                self._wire.state_machine.state = ConnectionState.CLIENT_OPEN
            case ConnectionTerminated():
                return True
        return False

    def reset(self, stream: int, code: ErrorCodes = ErrorCodes.CANCEL) -> None:
        """Give a request up: RST_STREAM."""
        self._wire.reset_stream(stream, code)
        self._flush()

    def say_goodbye(self) -> None:
        """Send GOAWAY; the connection stays open."""
        self._wire.close_connection()
        self._flush()

    def break_off(self) -> None:
        """Leave without a farewell: the other end sees a reset connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _flush(self) -> None:
        self.socket.sendall(self._wire.data_to_send())


def _bytes(text: Bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
