"""Bytes on their way to a client: the things that Skitai calls producers.

Skitai asks a producer for `more()` when the socket can take more, and takes b"" for its end; one
that also has `ready` is asked that first, and left alone while it says no.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, BinaryIO

from atila.http.exchange import ClientGone
from atila.runtime.loop import TaskLoop

PIECE = 65536
"""Most bytes that `more` gives; Skitai sends one piece in each round of its poll."""
HIGH = 131072
"""Bytes that a client may leave unread before its sender has to wait."""
REPORT = 32768
"""Bytes after which the main thread reports to the task loop how much was taken."""

Callback = Callable[[], object]


def open_at(path: str, offset: int) -> BinaryIO:
    """A file for a `FileSource`."""
    file = open(path, "rb")  # noqa: SIM115 - the source closes it
    file.seek(offset)
    return file


class BytesSource:
    """A body that is at hand.

    Args:
        head: the bytes before it.
        body: the body.
        sent: called when everything has been given to the socket.
    """

    def __init__(self, head: bytes, body: bytes, sent: Callback) -> None:
        self._head = head
        self._body = memoryview(body)
        self._at = 0
        self._sent = sent

    def more(self) -> bytes:
        """The next piece."""
        head, self._head = self._head, b""
        piece = head + self._body[self._at : self._at + PIECE - len(head)]
        self._at += len(piece) - len(head)
        if not piece:
            self._sent()
        return piece


class FileSource:
    """A part of an open file, read while it is sent; closes the file.

    Args:
        head: the bytes before it.
        file: positioned at the first byte.
        size: the number of bytes.
        sent: called when everything has been given to the socket.
        cut: called if the file turns out to be shorter.
    """

    def __init__(
        self, head: bytes, file: BinaryIO, size: int, sent: Callback, cut: Callback
    ) -> None:
        self._head = head
        self._file = file
        self._left = size
        self._sent = sent
        self._cut = cut

    def more(self) -> bytes:
        """The next piece."""
        head, self._head = self._head, b""
        piece = self._file.read(min(self._left, PIECE)) if self._left else b""
        self._left -= len(piece)
        if head:
            return head + piece
        if not piece:
            self._file.close()
            (self._cut if self._left else self._sent)()
        return piece

    def close(self) -> None:
        """Close the file; the client has left."""
        self._file.close()


class Outlet:
    """A body that is made while it is sent; its sender waits for a slow client.

    `send`, `end` and `fail` are for the task loop, `put`, `finish`, `ready` and `more` for the main
    thread.

    Args:
        loop: the task loop.
        call: has a function called on the main thread.
        flush: called on the main thread when there is something to send.
        sent: called there when everything has been given to the socket.
    """

    def __init__(
        self,
        loop: TaskLoop,
        call: Callable[..., None],
        flush: Callback,
        sent: Callback,
    ) -> None:
        self._loop = loop
        self._call = call
        self._flush = flush
        self._sent = sent
        # The main thread's:
        self._pieces: deque[bytes | memoryview] = deque()
        self._ended = False
        self._taken = 0
        self.backlog = 0
        # The task loop's:
        self._queued = 0
        self._room: asyncio.Future[None] | None = None
        self.gone = False

    async def send(self, data: bytes) -> None:
        """Hand over some bytes; return when there is room for more.

        Raises:
            ClientGone: the client has left.
        """
        await self.send_by(len(data), self.put, data)

    async def send_by(self, size: int, func: Callable[..., object], *args: Any) -> None:
        """Like `send`, by calling func(*args) on the main thread, which is to put `size` bytes."""
        if self.gone:
            raise ClientGone("the client has left")
        self._queued += size
        self._call(func, *args)
        while self._queued > HIGH:
            if self._room is None or self._room.done():
                self._room = self._loop.loop.create_future()
            await asyncio.shield(self._room)

    def end(self, tail: bytes) -> None:
        """End the body, after some last bytes."""
        self._call(self.finish, tail)

    def fail(self) -> None:
        """Note that the client has left, and wake waiting senders, which raise an error."""
        self.gone = True
        if self._room is not None and not self._room.done():
            self._room.set_exception(ClientGone("the client has left"))
            self._room.exception()  # Nobody may be waiting: then it is not worth a warning.

    def _report(self, taken: int) -> None:
        self._queued -= taken
        # What is below REPORT is never reported, so room must not depend on it.
        if self._queued <= HIGH // 2 and self._room is not None and not self._room.done():
            self._room.set_result(None)

    def put(self, data: bytes, size: int | None = None) -> None:
        """Add some bytes.

        Args:
            data: the bytes.
            size: the bytes that the sender was charged, if not their number.
        """
        if data:
            # An empty piece would be the end.
            self._pieces.append(data)
            self.backlog += len(data)
        if size is not None:
            self._taken += size - len(data)
        self._flush()

    def finish(self, tail: bytes) -> None:
        """Add the last bytes."""
        if tail:
            self._pieces.append(tail)
            self.backlog += len(tail)
        self._ended = True
        self._flush()

    def ready(self) -> bool:
        """Whether `more` has an answer."""
        return self._ended or bool(self._pieces)

    def more(self) -> bytes:
        """The next piece."""
        pieces = self._pieces
        if not pieces:
            self._sent()
            return b""
        parts, size = [pieces.popleft()], 0
        while pieces and size + len(parts[-1]) + len(pieces[0]) <= PIECE:
            size += len(parts[-1])
            parts.append(pieces.popleft())
        if len(parts[0]) > PIECE:
            view = memoryview(parts[0])
            pieces.appendleft(view[PIECE:])
            parts[0] = view[:PIECE]
        piece = b"".join(parts)
        self.backlog -= len(piece)
        self._taken += len(piece)
        if self._taken >= REPORT:
            self._loop.call(self._report, self._taken)
            self._taken = 0
        return piece
