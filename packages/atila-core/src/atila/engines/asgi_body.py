"""The messages of an ASGI server about a running request: its body, and the client's leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from atila.http.exchange import ClientGone

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

AHEAD = 262144
"""Bytes of a body without a reader that are taken from the server, to see the client leave."""
LOOK_SECONDS = 1.0
"""Seconds between two looks at the server, once so many are taken."""


class Incoming:
    """The messages that a server has for one request. On the task loop only.

    `read` and `departed` may wait at the same time, in two tasks, each of which may be cancelled;
    the server is asked for one message at a time, and no message is lost.

    Args:
        receive: the `receive` of the request.
        send: likewise.
        has_body: whether the head announces a body.

    Attributes:
        ended: the whole body has come.
        gone: set when the client has left.
    """

    __slots__ = (
        "_ahead",
        "_ends",
        "_is_reading",
        "_receive",
        "_rest",
        "_send",
        "_turn",
        "ended",
        "gone",
    )

    def __init__(self, receive: Receive, send: Send, *, has_body: bool) -> None:
        self._receive = receive
        self._send = send
        self._rest = b""
        self._ahead: asyncio.Task[None] | None = None
        self._is_reading = False
        self._ends = 0
        self._turn = asyncio.Event()
        self.ended = not has_body
        self.gone = asyncio.Event()

    async def read(self, size: int) -> bytes:
        """The next piece of the body, of `size` bytes at most; see `Exchange.read`."""
        while not self._rest and not self.ended:
            if self.gone.is_set():
                raise ClientGone
            self._is_reading = True
            try:
                if self._ahead is None:
                    self._take(await self._receive())
                else:
                    await asyncio.shield(self._ahead)
            finally:
                self._is_reading = False
                self._turn.set()
        piece, self._rest = self._rest[:size], self._rest[size:]
        if piece:
            self._turn.set()
        return piece

    async def departed(self) -> None:
        """Return when the client has left."""
        while not self.gone.is_set():
            if self._ends > 1:
                await self.gone.wait()
            elif self._is_full():
                await self._wait_turn(LOOK_SECONDS)
                if has_left(self._send):
                    self.gone.set()
            elif self._is_reading or self._ahead is not None:
                await self._wait_turn(None)
            else:
                await self._look_ahead()

    async def drain(self, seconds: float) -> None:
        """Drop the rest of a body that has no reader any more, for some time at most.

        Otherwise hypercorn would wait for a reader without end, and hold the connection.
        """
        try:
            async with asyncio.timeout(seconds):
                while not self.ended:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        self.gone.set()
                        return
                    self.ended = not message.get("more_body", False)
        except TimeoutError:
            pass

    def _is_full(self) -> bool:
        return len(self._rest) >= AHEAD and not self.ended

    async def _wait_turn(self, seconds: float | None) -> None:
        self._turn.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._turn.wait()
        except TimeoutError:
            pass

    async def _look_ahead(self) -> None:
        ahead = self._ahead = asyncio.create_task(self._take_next())
        try:
            await asyncio.shield(ahead)
        finally:
            if not self._is_reading:
                # Cancelled: a server keeps the message that it has not given yet.
                ahead.cancel()

    async def _take_next(self) -> None:
        try:
            self._take(await self._receive())
        finally:
            self._ahead = None
            self._turn.set()

    def _take(self, message: Message) -> None:
        if message["type"] == "http.disconnect":
            self.gone.set()
            return
        more: bool = message.get("more_body", False)
        if not self.ended:
            body: bytes = message.get("body", b"")
            self._rest = self._rest + body if self._rest else body
            self.ended = not more
        elif not more:
            # After the end a server waits until the client leaves. One that repeats the end instead
            # does not say when that is.
            self._ends += 1


def has_left(send: object) -> bool:
    """Whether a server knows that the client has left, which it says while nobody receives only.

    Relied on: `send` is a method of uvicorn's cycle (`disconnected`) or hypercorn's stream
    (`closed`), whose `send` does nothing then; of other servers nothing is known.
    """
    owner = getattr(send, "__self__", None)
    return getattr(owner, "disconnected", False) is True or getattr(owner, "closed", False) is True
