"""The outbox: messages to one client, added from any thread and sent on the task loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol

from atila.http.exchange import ClientGone
from atila.runtime.awaitables import DONE, begin
from atila.runtime.spare_threads import waiting
from atila_ws.messages import Message

if TYPE_CHECKING:
    from atila.http.exchange import WebSocketTransport
    from atila.runtime.loop import TaskLoop

log = logging.getLogger("atila.ws")

OVERHEAD = 64
"""Bytes that a waiting message counts besides its content, so that empty ones count too."""

CROWD = 16
"""Messages that may wait whatever their size, put in on the loop, where no sender is held up."""


TURN = 16
"""Messages that are sent before others on the loop have their turn."""


class Overflow(Exception):
    """The client takes its messages too slowly."""


class Receipt:
    """A message whose sender waits for its outcome.

    Attributes:
        message: the message.
        taken: on the task loop: True once the system has the message, False if it never will.
            Cancelling it withdraws the message, unless it is being sent.
    """

    __slots__ = ("message", "sending", "taken")

    def __init__(self, message: Message, taken: asyncio.Future[bool]) -> None:
        self.message = message
        self.taken = taken
        self.sending = False

    def settle(self, outcome: bool) -> None:
        """Set its outcome, unless it is known."""
        if not self.taken.done():
            self.taken.set_result(outcome)


class Owner(Protocol):
    """The connection that messages are sent to."""

    def break_off(self) -> None:
        """End: something could not be sent."""


class Outbox:
    """Messages that wait for a client to take them, up to a limit.

    A message is sent at once where that needs no waiting. Only one that has to wait costs a task,
    which then lives as long as there is something to send.

    Args:
        loop: the task loop.
        limit: bytes that may wait; a sender of more is held up.

    Attributes:
        since: loop time since which a message is being sent; 0 if none is.
    """

    __slots__ = (
        "_changed",
        "_ended",
        "_limit",
        "_lock",
        "_loop",
        "_messages",
        "_owner",
        "_roused",
        "_sent",
        "_size",
        "_task",
        "_transport",
        "since",
    )

    def __init__(self, loop: TaskLoop, limit: int) -> None:
        self._loop = loop
        self._limit = limit
        self._lock = threading.Lock()
        self._changed: threading.Condition | None = None
        self._messages: list[Message | Receipt] = []
        self._size = 0
        self._ended = False
        # Somebody is sending, or will soon: whoever puts something in need not see to it.
        self._roused = False
        # These belong to the loop.
        self.since = 0.0
        self._transport: WebSocketTransport | None = None
        self._owner: Owner | None = None
        self._task: asyncio.Task[None] | None = None
        self._sent: asyncio.Future[None] | None = None

    def attach(self, transport: WebSocketTransport, owner: Owner) -> None:
        """Begin to send. On the loop only.

        Args:
            transport: the connection to the client.
            owner: breaks off when something could not be sent.
        """
        self._transport, self._owner = transport, owner
        self._go_on()

    def has_room(self) -> bool:
        """Whether a sender need not wait; true as well once there is nothing to wait for."""
        return self._ended or self._size < self._limit

    def put(self, item: Message | Receipt, patience: float = 0) -> None:
        """Add a message.

        Args:
            item: the message.
            patience: seconds that the calling thread may wait for room. 0 never waits, for the
                loop: there a sender may pass the limit, but not by far.

        Raises:
            ClientGone: the outbox has ended.
            Overflow: no room came about in time, or the limit was passed by far.
        """
        transport = self._transport
        if self._roused or self._ended or transport is None or not self._loop.is_current():
            self._queue(item, patience)
        elif (sending := self._begin(transport, item)) is not DONE:
            with self._lock:
                self._size += _size(item)
                self._roused = True
            self._go_on_after(sending, item)

    def _queue(self, item: Message | Receipt, patience: float) -> None:
        with self._lock:
            if patience and not self.has_room() and not self._wait_for_room(patience):
                raise Overflow
            if self._ended:
                raise ClientGone("the connection is closed")
            if self._size >= 2 * self._limit and len(self._messages) >= CROWD:
                raise Overflow
            self._messages.append(item)
            self._size += _size(item)
            if self._roused:
                return
            self._roused = True
        if self._loop.is_current():
            self._go_on()
        else:
            self._loop.call(self._go_on)

    def _wait_for_room(self, patience: float) -> bool:
        if self._changed is None:
            self._changed = threading.Condition(self._lock)
        with waiting():
            return self._changed.wait_for(self.has_room, patience)

    def _go_on(self) -> None:
        """Send waiting messages, as far as that needs no waiting. On the loop only."""
        transport = self._transport
        if self._task is not None or transport is None:
            return
        for _ in range(TURN):
            with self._lock:
                if not self._messages:
                    self._roused = False
                    return
                item = self._messages.pop(0)
            sending = self._begin(transport, item)
            if sending is not DONE:
                self._go_on_after(sending, item)
                return
            self._over(item)
        self._loop.loop.call_soon(self._go_on)

    def _begin(self, transport: WebSocketTransport, item: Message | Receipt) -> Awaitable[None]:
        """Send a message as far as that needs no waiting; DONE if nothing is left to do."""
        try:
            if isinstance(item, Receipt):
                return begin(_deliver(transport, item))
            sending = transport.send(item)
            return sending if sending is DONE else begin(sending)
        except Exception as error:
            self._fail(error)
            return DONE

    def _go_on_after(self, sending: Awaitable[None], item: Message | Receipt) -> None:
        self.since = self._loop.loop.time()
        self._task = asyncio.create_task(self._wait(sending, item))

    async def _wait(self, sending: Awaitable[None], item: Message | Receipt) -> None:
        try:
            await sending
        except Exception as error:
            self._fail(error)
        finally:
            self.since = 0.0
            self._task = None
            self._over(item)
        self._go_on()

    def _over(self, item: Message | Receipt) -> None:
        """A message counts until it is sent: a client that does not read leaves no room."""
        with self._lock:
            self._size -= _size(item)
            if self._changed is not None:
                self._changed.notify_all()
        self._notify()

    def _notify(self) -> None:
        if self._sent is not None:
            sent, self._sent = self._sent, None
            sent.set_result(None)

    async def room(self) -> None:
        """Return when `has_room`. On the loop only."""
        while not self.has_room():
            await self._change()

    async def drained(self) -> None:
        """Return when nothing is left to be sent. On the loop only."""
        while self._messages or self._task is not None:
            await self._change()

    async def _change(self) -> None:
        if self._sent is None:
            self._sent = self._loop.loop.create_future()
        # Others may wait for the same.
        await asyncio.shield(self._sent)

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, ClientGone):
            log.error("a WebSocket broke", exc_info=error)
        self._forget()
        if self._owner is not None:
            self._owner.break_off()

    def end(self, *, drop: bool = False) -> None:
        """Take no more messages; `drop` forgets those that wait as well. On the loop only."""
        with self._lock:
            self._ended = True
            if self._changed is not None:
                self._changed.notify_all()
        if drop:
            self._forget()
            if self._task is not None:
                self._task.cancel()
        self._notify()

    def _forget(self) -> None:
        """Drop waiting messages, which cannot be sent any more."""
        with self._lock:
            dropped, self._messages = self._messages, []
        for item in dropped:
            if isinstance(item, Receipt):
                item.settle(False)


async def _deliver(transport: WebSocketTransport, item: Receipt) -> None:
    try:
        if not item.taken.done():
            item.sending = True
            await transport.send(item.message)
            await transport.flushed()
            item.settle(True)
    finally:
        item.settle(False)


def _size(item: Message | Receipt) -> int:
    message = item.message if isinstance(item, Receipt) else item
    return len(message) + OVERHEAD
