"""A bare HTTP/1.1 client: sends any bytes, and tells exactly what came back."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from atila.testing.waits import PATIENCE

TIMEOUT = PATIENCE
"""Seconds that a connection waits for the other end."""

Header = tuple[str, str]


class Broken(Exception):
    """The connection ended, or what came is no HTTP."""


@dataclass
class Answer:
    """One response.

    Attributes:
        status: its code.
        headers: in the order sent, names in lower case.
        body: as far as it came.
        complete: whether it ended as its head said it would.
    """

    status: int
    headers: list[Header] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False

    def all(self, name: str) -> list[str]:
        """The values of all headers of a name."""
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str | None:
        """The value of the first header of a name."""
        return next(iter(self.all(name)), None)

    @property
    def text(self) -> str:
        return self.body.decode()


class Connection:
    """A TCP connection to a server on this machine.

    Args:
        port: where it listens.
        receive_buffer: bytes that the kernel may hold for us; None for its default.
        address: where it listens, if it has a namespace of its own.
        source: the address that it comes from; "" for the usual one.
        context: for TLS.
    """

    def __init__(
        self,
        port: int,
        receive_buffer: int | None = None,
        context: ssl.SSLContext | None = None,
        address: str = "127.0.0.1",
        source: str = "",
    ) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(TIMEOUT)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((address, port))
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self._buffer = b""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave."""
        self.socket.close()

    def reset(self) -> None:
        """Leave without a farewell: the other end sees a reset connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def end_sending(self) -> None:
        """Close our half; go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data: bytes | str) -> None:
        """Send bytes as they are, text as Latin-1."""
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def ask(
        self,
        target: str,
        method: str = "GET",
        headers: Sequence[Header] = (),
        body: bytes | None = None,
    ) -> None:
        """Send a well-formed request."""
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines) + "\r\n\r\n")
        if body:
            self.send(body)

    def get(self, target: str, headers: Sequence[Header] = ()) -> Answer:
        """GET, and the whole answer."""
        self.ask(target, headers=headers)
        return self.read()

    def read(self, method: str = "GET") -> Answer:
        """The next answer, with its whole body.

        Raises:
            Broken: the connection ended before an answer, or it is malformed.
        """
        answer = self.read_head()
        while 100 <= answer.status < 200 and answer.status != 101:
            answer = self.read_head()
        try:
            self._read_body(answer, method)
        except Broken:
            pass
        return answer

    def read_head(self) -> Answer:
        """Status and headers of the next answer; see `read`."""
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        version, _, status = first.partition(" ")
        if not version.startswith("HTTP/1.") or not status[:3].isdigit():
            raise Broken(f"no status line: {first!r}")
        answer = Answer(int(status[:3]))
        for line in rest:
            name, _, value = line.partition(":")
            answer.headers.append((name.lower(), value.strip()))
        return answer

    def _read_body(self, answer: Answer, method: str) -> None:
        if method == "HEAD" or answer.status in (101, 204, 304):
            answer.complete = True
        elif answer.header("transfer-encoding") == "chunked":
            while chunk := self.read_chunk():
                answer.body += chunk
            answer.complete = True
        elif (length := answer.header("content-length")) is not None:
            while len(self._buffer) < int(length):
                try:
                    self._fill()
                except Broken:
                    answer.body, self._buffer = self._buffer, b""
                    raise
            answer.body, self._buffer = self._buffer[: int(length)], self._buffer[int(length) :]
            answer.complete = True
        else:
            answer.body = self.read_to_end()
            # Nothing tells whether that was all.
            answer.complete = answer.header("connection") == "close"

    def read_chunk(self) -> bytes:
        """The next piece of a chunked body; b"" for its regular end."""
        while b"\r\n" not in self._buffer:
            self._fill()
        size, _, self._buffer = self._buffer.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        while len(self._buffer) < length + 2:
            self._fill()
        chunk, self._buffer = self._buffer[:length], self._buffer[length + 2 :]
        return chunk

    def read_bytes(self, size: int) -> bytes:
        """The next bytes, as many as that."""
        while len(self._buffer) < size:
            self._fill()
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def read_to_end(self) -> bytes:
        """All that comes until the other end closes, in order or not."""
        try:
            while True:
                self._fill()
        except Broken:
            pass
        rest, self._buffer = self._buffer, b""
        return rest

    def is_closed(self) -> bool:
        """Whether the other end closes the connection, without another byte."""
        return self.read_to_end() == b""

    def _fill(self) -> None:
        try:
            data = self.socket.recv(262144)
        except TimeoutError:
            raise AssertionError(f"nothing came within {TIMEOUT:.0f} s") from None
        except OSError as error:
            raise Broken(str(error)) from error
        if not data:
            raise Broken("the connection was closed")
        self._buffer += data
