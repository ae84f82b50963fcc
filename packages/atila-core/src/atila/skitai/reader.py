"""Carries a client's data from the main thread to a reader on the task loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from atila.runtime.loop import TaskLoop

HIGH = 262144
"""Bytes that may wait for the reader before the engine stops reading from the client."""
REPORT = 32768
"""Bytes after which the task loop reports to the main thread how much was read."""
OVERHEAD = 256
"""Bytes that a message counts beside its length, so that many empty ones are not free."""


class Inbox:
    """Pieces of a body, or messages, with back-pressure.

    `put`, `finish` and `fail` are for the main thread, `get` and `get_bytes` for the task loop.

    Args:
        loop: the task loop.
        call: has a function called on the main thread.
        pause: called on the main thread to stop (True) or resume (False) reading from the client.
    """

    def __init__(
        self, loop: TaskLoop, call: Callable[..., None], pause: Callable[[bool], object]
    ) -> None:
        self._loop = loop
        self._call = call
        self._pause = pause
        # The main thread's:
        self._held = 0
        self._paused = False
        # The task loop's:
        self._items: deque[str | bytes] = deque()
        self._ended = False
        self._error: Exception | None = None
        self._read = 0
        self._reader: asyncio.Future[None] | None = None

    def put(self, item: str | bytes) -> None:
        """Add a piece or a message."""
        self._held += len(item) + OVERHEAD
        if self._held > HIGH and not self._paused:
            self._paused = True
            self._pause(True)
        self._loop.call(self._arrived, item)

    def finish(self) -> None:
        """No more comes; the bytes received can still be read."""
        self._loop.call(self._end, None)

    def fail(self, error: Exception) -> None:
        """No more comes; the bytes received are dropped, and reading raises `error`."""
        self._loop.call(self._end, error)

    async def get(self) -> str | bytes | None:
        """The next piece or message; None after the last one."""
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._reader = self._loop.loop.create_future()
            await self._reader
        item = self._items.popleft()
        self._consumed(len(item) + OVERHEAD)
        return item

    async def get_bytes(self, size: int) -> bytes:
        """The next piece, at most `size` bytes of it; b"" after the last one."""
        item = await self.get()
        if not isinstance(item, bytes):
            return b""  # None: a body has no text in it.
        if len(item) > size:
            self._items.appendleft(item[size:])
            self._read -= len(item) - size + OVERHEAD  # It will be counted when it is read.
            return item[:size]
        return item

    def _arrived(self, item: str | bytes) -> None:
        self._items.append(item)
        self._wake()

    def _end(self, error: Exception | None) -> None:
        if error is not None:
            self._items.clear()
        self._ended, self._error = True, error
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _consumed(self, size: int) -> None:
        self._read += size
        if self._read >= REPORT or not self._items:
            self._call(self._released, self._read)
            self._read = 0

    def _released(self, size: int) -> None:
        self._held -= size
        if self._paused and self._held <= HIGH // 2:
            self._paused = False
            self._pause(False)
