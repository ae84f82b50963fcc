"""gRPC over HTTP/2 as bytes: length-prefixed messages, compression, deadlines.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Awaitable, Callable

from atila_render.grpc.status import INTERNAL, RESOURCE_EXHAUSTED, UNIMPLEMENTED, GrpcError

HEAD = 5
"""Bytes before a message: a flag and a length."""
PIECE = 65536
WORTH_IT = 1024
"""Bytes from which on a message is compressed."""
ENCODINGS = "identity,gzip,deflate"

_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])", re.ASCII)
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_WINDOW_BITS = {"gzip": 31, "deflate": 15}


def parse_timeout(text: str | None) -> float | None:
    """Seconds of a grpc-timeout header; None if there is none.

    Raises:
        GrpcError: it is malformed.
    """
    if text is None:
        return None
    match = _TIMEOUT.fullmatch(text)
    if match is None:
        raise GrpcError(INTERNAL, "malformed grpc-timeout")
    return int(match[1]) * _UNITS[match[2]]


class FrameReader:
    """The messages of a request, decompressed.

    Args:
        read: gives the next piece of the body, of so many bytes at most; b"" at its end.
        encoding: the value of the grpc-encoding header; None if there is none.
        limit: bytes that a message may have, compressed or not.

    Raises:
        GrpcError: the encoding is unknown.
    """

    def __init__(
        self, read: Callable[[int], Awaitable[bytes]], encoding: str | None, limit: int
    ) -> None:
        if encoding not in (None, "identity", "gzip", "deflate"):
            raise GrpcError(
                UNIMPLEMENTED,
                f"messages are not taken with grpc-encoding {encoding[:20]!r}",
                [("grpc-accept-encoding", ENCODINGS)],
            )
        self._read = read
        self._encoding = encoding
        self._limit = limit
        self._buffer = bytearray()

    async def next(self) -> bytes | None:
        """The next message; None at the end.

        Raises:
            GrpcError: it is malformed, too long, or cut.
            ClientGone: the client has left.
        """
        if not await self._fill(HEAD):
            return None
        flag, size = self._buffer[0], int.from_bytes(self._buffer[1:HEAD], "big")
        if flag > 1:
            raise GrpcError(INTERNAL, f"a message has the flag {flag}")
        if size > self._limit:
            raise GrpcError(
                RESOURCE_EXHAUSTED, f"a message has {size} bytes; {self._limit} are taken"
            )
        if not await self._fill(HEAD + size):
            raise GrpcError(INTERNAL, "the request ended within a message")
        message = bytes(memoryview(self._buffer)[HEAD : HEAD + size])
        del self._buffer[: HEAD + size]
        return self._decompressed(message) if flag else message

    async def _fill(self, size: int) -> bool:
        """Have so many bytes in the buffer; False at the end of the body."""
        while len(self._buffer) < size:
            piece = await self._read(PIECE)
            if not piece:
                if self._buffer:
                    raise GrpcError(INTERNAL, "the request ended within a message")
                return False
            self._buffer += piece
        return True

    def _decompressed(self, message: bytes) -> bytes:
        if self._encoding in (None, "identity"):
            raise GrpcError(INTERNAL, "a message is compressed, and no grpc-encoding says how")
        unpacker = zlib.decompressobj(_WINDOW_BITS[str(self._encoding)])
        try:
            data = unpacker.decompress(message, self._limit)
        except zlib.error:
            raise GrpcError(INTERNAL, "a compressed message is malformed") from None
        if unpacker.unconsumed_tail and not unpacker.eof:
            raise GrpcError(
                RESOURCE_EXHAUSTED, f"a message has more than {self._limit} bytes, decompressed"
            )
        if not unpacker.eof:
            raise GrpcError(INTERNAL, "a compressed message is cut")
        return data


def frame(message: bytes, *, compress: bool = False) -> bytes:
    """A message with its prefix; compressed with gzip where that saves bytes."""
    if compress and len(message) >= WORTH_IT:
        packed = gzip.compress(message, 6, mtime=0)
        return b"\1" + len(packed).to_bytes(4, "big") + packed
    return b"\0" + len(message).to_bytes(4, "big") + message
