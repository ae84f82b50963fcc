"""A WebSocket of an ASGI server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from atila.engines.asgi_body import Message, Receive, Send
from atila.http import close_codes
from atila.http.exchange import ClientGone

TURN = 16
"""Messages that a sender may send before others have their turn."""


class Request(Protocol):
    """The part of a request that its WebSocket needs; see `ASGIExchange`."""

    _receive: Receive
    _send: Send


class WebSocket:
    """See `WebSocketTransport`. On the task loop only.

    Args:
        exchange: the request.
    """

    __slots__ = (
        "__weakref__",
        "_ahead",
        "_ended",
        "_exchange",
        "_is_over",
        "_is_receiving",
        "_sent",
        "close_code",
    )

    def __init__(self, exchange: Request) -> None:
        self._exchange = exchange
        self._ahead: asyncio.Task[Message] | None = None
        self._is_receiving = False
        self._sent = 0
        self.close_code: int | None = None
        self._is_over = False
        self._ended: asyncio.Future[None] | None = None

    async def receive(self) -> str | bytes | None:
        if self.close_code is not None:
            return None
        self._is_receiving = True
        try:
            if self._ahead is None:
                message = await self._exchange._receive()
            else:
                # Whoever waits here may be cancelled, which must not lose a message.
                message = await asyncio.shield(self._ahead)
                self._ahead = None
        finally:
            self._is_receiving = False
        if message["type"] == "websocket.disconnect":
            self._closed(message.get("code") or close_codes.NO_STATUS)
            return None
        text: str | None = message.get("text")
        data: bytes | None = message.get("bytes")
        return text if text is not None else data

    async def send(self, message: str | bytes) -> None:
        # hypercorn takes messages for a client that has left, and returns at once: only what it
        # tells `receive` shows that, and it has to be let.
        self._sent += 1
        if not self._is_receiving:
            await self._look_ahead()
        elif self._sent % TURN == 0:
            await asyncio.sleep(0)
        if self.close_code is not None:
            raise ClientGone
        key = "text" if isinstance(message, str) else "bytes"
        try:
            await self._exchange._send({"type": "websocket.send", key: message})
        except (OSError, RuntimeError) as error:
            self._closed(close_codes.ABNORMAL)
            raise ClientGone from error

    async def flushed(self) -> None:
        """The server took it when it was sent."""

    async def _look_ahead(self) -> None:
        """See whether the client has left, for a sender where nobody receives."""
        ahead = self._ahead
        if ahead is None:
            ahead = self._ahead = asyncio.create_task(_await(self._exchange._receive()))
        await asyncio.sleep(0)
        # Somebody may have received it meanwhile.
        is_there = self._ahead is ahead and not self._is_receiving and ahead.done()
        if is_there and ahead.result()["type"] == "websocket.disconnect":
            await self.receive()

    async def close(self, code: int = close_codes.NORMAL, reason: str = "") -> None:
        if self.close_code is None:
            self.close_code = code
            goodbye = {"type": "websocket.close", "code": code, "reason": reason}
            try:
                await self._exchange._send(goodbye)
            finally:
                # Not before: granian closes without a code when the application has returned.
                self._closed(code)

    def _closed(self, code: int) -> None:
        self.close_code = code
        self._is_over = True
        if self._ahead is not None:
            self._ahead.cancel()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    async def ended(self) -> None:
        """Return when it is closed, and the client has been sent why."""
        if not self._is_over:
            self._ended = asyncio.get_running_loop().create_future()
            await self._ended


async def _await(message: Awaitable[Message]) -> Message:
    return await message
