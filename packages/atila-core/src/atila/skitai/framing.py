"""Finds the end of an HTTP/1.x request body (RFC 9112, sections 6 and 7)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from atila.errors import HTTPError

MAX_CHUNK_LINE = 4096
MAX_TRAILERS = 16384

FIELD_LINE = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*"
"""A header or trailer, for regular expressions: no white space before the colon, no control
characters, no line folding (RFC 9110, section 5.5; RFC 9112, section 5).
"""
WHITE = " \t"
"""The blanks that may surround a value; `str.strip` takes more away than a proxy does."""

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_TRAILER = re.compile(FIELD_LINE)


class BodyReader(Protocol):
    """Takes the bytes after the head of a request."""

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """Take the next bytes of the connection.

        Returns:
            The bytes of the body among them, and those after the body; None while it goes on.

        Raises:
            HTTPError: the body is malformed, so the rest of the connection is unreadable.
        """


class SizedBody:
    """A body of `size` bytes."""

    __slots__ = ("left",)

    def __init__(self, size: int) -> None:
        self.left = size

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """See `BodyReader`."""
        size = len(data)
        if size < self.left:
            self.left -= size
            return data, None
        left, self.left = self.left, 0
        return data[:left], data[left:]


class ChunkedBody:
    """A body in chunks (RFC 9112, section 7.1). Extensions and trailers are read and dropped."""

    __slots__ = ("_buffer", "_left", "_step", "_trailers")

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0
        self._trailers = 0
        self._step: Callable[[list[bytes]], bool | None] = self._read_size

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        """See `BodyReader`."""
        self._buffer += data
        pieces: list[bytes] = []
        while (more := self._step(pieces)) is True:
            pass
        if more is None:
            return b"".join(pieces), self._buffer
        return b"".join(pieces), None

    # Each step takes its part off the buffer and says: go on (True), wait for more bytes (False),
    # or that the body has ended (None).

    def _read_size(self, pieces: list[bytes]) -> bool:
        line = self._line(MAX_CHUNK_LINE)
        if line is None:
            return False
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise HTTPError(400, "malformed chunk size")
        self._left = int(match[1], 16)
        self._step = self._read_data if self._left else self._read_trailer
        return True

    def _read_data(self, pieces: list[bytes]) -> bool:
        buffer = self._buffer
        if not buffer:
            return False
        piece, self._buffer = buffer[: self._left], buffer[self._left :]
        pieces.append(piece)
        self._left -= len(piece)
        if self._left == 0:
            self._step = self._read_data_end
        return True

    def _read_data_end(self, pieces: list[bytes]) -> bool:
        if len(self._buffer) < 2:
            return False
        if not self._buffer.startswith(b"\r\n"):
            raise HTTPError(400, "a chunk is longer than its size says")
        self._buffer = self._buffer[2:]
        self._step = self._read_size
        return True

    def _read_trailer(self, pieces: list[bytes]) -> bool | None:
        line = self._line(MAX_TRAILERS)
        if line is None:
            return False
        if line and _TRAILER.fullmatch(line) is None:
            raise HTTPError(400, "malformed trailer")
        self._trailers += len(line)
        if self._trailers > MAX_TRAILERS:
            raise HTTPError(431, "trailers too large")
        return True if line else None

    def _line(self, limit: int) -> bytes | None:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > limit:
                raise HTTPError(400, "line too long in a chunked body")
            return None
        # A bare line feed would let two servers disagree on where the body ends.
        if end == 0 or self._buffer[end - 1] != 0x0D:
            raise HTTPError(400, "bare line feed in a chunked body")
        line, self._buffer = self._buffer[: end - 1], self._buffer[end + 1 :]
        return line


def body_reader(version: str, lengths: list[str], codings: list[str]) -> BodyReader | None:
    """A reader for the framing of a request's body; None if it has none.

    Args:
        version: "1.0" or "1.1".
        lengths: the values of all Content-Length headers.
        codings: the codings of all Transfer-Encoding headers.

    Raises:
        HTTPError: 400 if the framing is ambiguous, 501 for an unknown coding.
    """
    if codings:
        if lengths:
            raise HTTPError(400, "both Content-Length and Transfer-Encoding")
        if version == "1.0":
            raise HTTPError(400, "Transfer-Encoding in HTTP/1.0")
        if len(codings) > 1 or lowered(codings[0]) != "chunked":
            raise HTTPError(501, "Transfer-Encoding other than chunked")
        return ChunkedBody()
    if not lengths:
        return None
    values = {value.strip(WHITE) for line in lengths for value in line.split(",")}
    value = values.pop()
    if values or not (value.isascii() and value.isdigit() and len(value) < 19):
        raise HTTPError(400, "malformed Content-Length")
    size = int(value)
    return SizedBody(size) if size else None


def lowered(value: str) -> str:
    """A token in lower case, as ASCII knows it: the sign of the kelvin is no k (U+212A)."""
    value = value.strip(WHITE)
    return value.lower() if value.isascii() else value


def too_large(limit: int) -> HTTPError:
    """The error for a body beyond the limit of its route, in bytes."""
    return HTTPError(413, f"the body is larger than {limit} bytes")
