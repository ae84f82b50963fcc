"""The body of a request as granian gives it by RSGI."""

from __future__ import annotations

import asyncio
from typing import Any

from atila.http.exchange import ClientGone

EMPTY_PIECES = 16
"""Empty pieces in a row after which a body has broken off; a whole one ends with three at most."""


class Incoming:
    """A body, piece by piece. On the task loop only.

    granian gives b"" at the end, and b"" for an error before that; also for trailers and for an
    empty frame of HTTP/2. After an error of HTTP/1 the end follows; after one of HTTP/2, such as a
    stream that the client has reset, b"" again and again.

    Args:
        scope: of the request.
        protocol: likewise.
    """

    __slots__ = (
        "_empty",
        "_ended",
        "_has_broken",
        "_rest",
        "_scope",
        "_size",
        "_source",
        "_under_way",
    )

    def __init__(self, scope: Any, protocol: Any) -> None:
        self._scope = scope
        self._source = aiter(protocol)
        self._rest = b""
        self._size = self._empty = 0
        self._ended = self._has_broken = False
        self._under_way: asyncio.Task[bytes] | None = None

    async def read(self, size: int) -> bytes:
        """The next piece, of `size` bytes at most; see `Exchange.read`."""
        if not self._rest:
            if self._under_way is None:
                self._under_way = asyncio.create_task(self.next())
            # A reader that gives up waiting must not take along the piece that comes just then.
            self._rest = await asyncio.shield(self._under_way)
            self._under_way = None
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def close(self) -> None:
        """Wait for no piece any more."""
        if self._under_way is not None:
            self._under_way.cancel()

    async def next(self) -> bytes:
        """The next piece; b"" at the end, and ever after.

        Raises:
            ClientGone: the body is malformed, or the client left before its end.
        """
        in_a_row = 0
        while not self._ended:
            try:
                piece = await anext(self._source)
            except StopAsyncIteration:
                self._ended, self._has_broken = True, not self._is_whole()
            except RuntimeError:
                self._ended = self._has_broken = True
            else:
                if piece:
                    self._size += len(piece)
                    return bytes(piece)
                self._empty += 1
                in_a_row += 1
                if in_a_row == EMPTY_PIECES:
                    self._ended = self._has_broken = True
        if self._has_broken:
            raise ClientGone
        return b""

    def _is_whole(self) -> bool:
        length = self._scope.headers.get("content-length")
        if length is not None:
            return self._size == int(length)
        return (
            self._empty < 2
            or self._scope.http_version[0] != "1"
            or "trailer" in self._scope.headers
        )
