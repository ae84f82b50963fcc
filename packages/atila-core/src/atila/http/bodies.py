"""Collects request bodies: small ones in memory, large ones in a file as they arrive."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import logging
import os
import tempfile
from collections.abc import AsyncIterable, Iterator
from typing import IO

from atila.errors import HTTPError

log = logging.getLogger("atila.bodies")

IN_MEMORY = 1048576
"""Bytes of a body that are kept in memory; a longer one is in a file."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
PIECE = 262144
"""Bytes that are gathered before they are written to the file, and read from it at once."""


class Spool:
    """A body in a file without a name: nobody else can open it, and nothing is left of it when it
    is closed, even by a crash.

    It stands where a short body has bytes; `bytes(spool)` reads all of it into memory.
    """

    __slots__ = ("_file", "_size")

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The body from its beginning, in pieces of `PIECE` bytes."""
        # By position: several may read at once.
        handle, at = self._file.fileno(), 0
        while piece := os.pread(handle, PIECE, at):
            at += len(piece)
            yield piece

    def open(self) -> IO[bytes]:
        """The body as a file to be read from its beginning, which outlives this."""
        file = os.fdopen(os.dup(self._file.fileno()), "rb")
        file.seek(0)
        return file

    def close(self) -> None:
        """Give the space free; the body cannot be read any more."""
        self._file.close()


Body = bytes | Spool


def pieces(body: Body) -> Iterator[bytes]:
    """A body in pieces, wherever it is."""
    return iter((body,)) if isinstance(body, bytes) else body.pieces()


def as_file(body: Body) -> IO[bytes]:
    """A body as a file to be read, wherever it is."""
    return io.BytesIO(body) if isinstance(body, bytes) else body.open()


class BodySink:
    """Where an engine puts the pieces of a body as they arrive.

    Args:
        limit: bytes that the body may have.
        folder: the folder for the file of a large one; None for the system's temporary folder.
        keep: False to count the pieces only and forget them.
        is_form: whether it is multipart/form-data.
    """

    __slots__ = ("_chunks", "_file", "_folder", "_keep", "_pending", "is_form", "limit", "size")

    def __init__(
        self, limit: int, folder: str | None = None, *, keep: bool = True, is_form: bool = False
    ) -> None:
        self.limit = limit
        self.is_form = is_form
        self.size = 0
        self._folder = folder
        self._keep = keep
        self._chunks: list[bytes] = []
        self._pending = 0
        self._file: IO[bytes] | None = None

    def feed(self, chunk: bytes) -> bool:
        """Take a piece. Never blocks.

        Returns:
            Whether `spill` is to be called now.

        Raises:
            HTTPError: 413, the body is longer than it may be.
        """
        self.size += len(chunk)
        if self.size > self.limit:
            self.close()
            raise HTTPError(413, f"a body may have {self.limit} bytes")
        if not self._keep:
            return False
        self._chunks.append(chunk)
        self._pending += len(chunk)
        return self.size > IN_MEMORY and self._pending >= PIECE

    def spill(self) -> None:
        """Write the collected bytes to the file. Blocks as long as the disk does.

        Raises:
            HTTPError: 507, the disk is full or cannot be written to.
        """
        try:
            with storing("body", whatever=True):
                if self._file is None:
                    self._file = tempfile.TemporaryFile(buffering=0, dir=self._folder)  # noqa: SIM115 - kept
                for chunk in self._chunks:
                    write_all(self._file, chunk)
        except HTTPError:
            self.close()
            raise
        self._chunks.clear()
        self._pending = 0

    def write(self, chunk: bytes) -> None:
        """`feed`, and `spill` if it is time to; for an engine that has nothing to wait with.

        Raises:
            HTTPError: 413 or 507.
        """
        if self.feed(chunk):
            self.spill()

    async def collect(self, chunks: AsyncIterable[bytes]) -> None:
        """Take all pieces; the disk is waited for in another thread.

        Raises:
            HTTPError: 413 or 507.
        """
        async for chunk in chunks:
            if self.feed(chunk):
                await asyncio.to_thread(self.spill)

    def finish(self) -> Body:
        """The body, once all of it has arrived.

        Raises:
            HTTPError: 507.
        """
        if self._file is None and self.size <= IN_MEMORY:
            chunks = self._chunks
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if not self._keep:
            return b""
        self.spill()
        assert self._file is not None  # noqa: S101 - spill has made it
        return Spool(self._file, self.size)

    def close(self) -> None:
        """Drop the collected bytes, and remove the file."""
        self._chunks.clear()
        if self._file is not None:
            self._file.close()


def write_all(file: IO[bytes], data: bytes | bytearray) -> None:
    """Write to an unbuffered file, which may take less than all of it at a time."""
    at = 0
    # Released whatever happens: an error keeps its frames, and a bytearray that is seen by one
    # cannot be cleared.
    with memoryview(data) as view:
        while at < len(view):
            with view[at:] as rest:
                at += file.write(rest)


@contextlib.contextmanager
def storing(name: str, *, whatever: bool = False) -> Iterator[None]:
    """Around writing to a disk. Errors of the system other than no room go through as they are.

    Args:
        name: names the thing to be stored, for the answer.
        whatever: treat all errors of the system alike, where no handler is there to see them.

    Raises:
        HTTPError: 507, there is no room.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM and not whatever:
            raise
        log.error("the %s of a request cannot be stored: %s", name, error)
        raise HTTPError(507, f"the server cannot store this {name}") from error
