"""The outbox: messages on their way to a client, put in from any thread, sent on the task loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from atila.exchange import ClientGone

if TYPE_CHECKING:
    from atila.loop import TaskLoop

Message = str | bytes

OVERHEAD = 64
"""Bytes that a waiting message counts besides its content, so that empty ones count too."""

CROWD = 16
"""Messages that may wait on whatever their size, put in on the loop, where nobody is held up."""


class Overflow(Exception):
    """The client takes its messages too slowly."""


class Outbox:
    """Messages that wait for a client to take them, up to a limit.

    Args:
        loop: the task loop.
        limit: bytes that may wait; who puts in more is held up.
    """

    def __init__(self, loop: TaskLoop, limit: int) -> None:
        self._loop = loop
        self._limit = limit
        self._changed = threading.Condition()
        self._messages: deque[Message] = deque()
        self._size = 0
        self._ended = False
        # These two belong to the loop; threads wait for _changed.
        self._filled = asyncio.Event()
        self._sent = asyncio.Event()

    def has_room(self) -> bool:
        """Whether a sender need not wait; true as well once there is nothing to wait for."""
        return self._ended or self._size < self._limit

    def put(self, message: Message, patience: float = 0) -> None:
        """Add a message.

        Args:
            message: the message.
            patience: seconds that the calling thread may wait for room. 0 never waits, for the
                loop: there a sender may pass the limit, but not by far.

        Raises:
            ClientGone: the outbox has ended.
            Overflow: no room came about in time, or the limit was passed by far.
        """
        with self._changed:
            if patience and not self._changed.wait_for(self.has_room, patience):
                raise Overflow
            if self._ended:
                raise ClientGone("the connection is closed")
            if self._size >= 2 * self._limit and len(self._messages) >= CROWD:
                raise Overflow
            self._messages.append(message)
            self._size += len(message) + OVERHEAD
            first = len(self._messages) == 1
        if not first:
            return
        if self._loop.is_current():
            self._filled.set()
        else:
            self._loop.call(self._filled.set)

    async def room(self) -> None:
        """Return when `has_room`. On the loop only."""
        while not self.has_room():
            self._sent.clear()
            await self._sent.wait()

    async def pump(self, send: Callable[[Message], Awaitable[None]]) -> None:
        """Send messages as they come, until `end` was called and none is left. On the loop only."""
        while True:
            await self._filled.wait()
            while self._messages:
                message = self._messages.popleft()
                await send(message)
                # It counts until it is sent: a client that does not read leaves no room.
                with self._changed:
                    self._size -= len(message) + OVERHEAD
                    self._changed.notify_all()
                self._sent.set()
            with self._changed:
                if self._ended:
                    return
                if not self._messages:
                    self._filled.clear()

    def end(self, *, drop: bool = False) -> None:
        """Take no more messages; `drop` forgets those that wait as well. On the loop only."""
        with self._changed:
            self._ended = True
            if drop:
                self._messages.clear()
            self._changed.notify_all()
        self._filled.set()
        self._sent.set()
