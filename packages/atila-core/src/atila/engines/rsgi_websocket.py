"""A WebSocket of granian by RSGI."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Protocol

from atila.engines import peer
from atila.http import close_codes
from atila.http.exchange import Address, ClientGone
from atila.runtime.awaitables import DONE

REPLY_SECONDS = 1.0
"""How long the peer may take to answer a close."""


class Request(Protocol):
    """The part of a request that its WebSocket needs; see `RSGIExchange`."""

    _protocol: Any

    @property
    def peer(self) -> Address: ...

    @property
    def server(self) -> Address: ...

    def is_bare(self) -> bool: ...

    def _note_end(self) -> None: ...


class WebSocket:
    """See `WebSocketTransport`. On the task loop only.

    Args:
        exchange: the request, which ends with it.
        transport: granian's, of the accepted connection.
    """

    __slots__ = (
        "__weakref__",
        "_closing",
        "_exchange",
        "_is_receiving",
        "_replied",
        "_transport",
        "_under_way",
        "close_code",
    )

    def __init__(self, exchange: Request, transport: Any) -> None:
        self._exchange = exchange
        self._transport = transport
        self._under_way: Any = None
        self._closing = 0
        self._is_receiving = False
        self._replied: asyncio.Future[None] | None = None
        self.close_code: int | None = None

    async def receive(self) -> str | bytes | None:
        if self.close_code is not None:
            return None
        self._is_receiving = True
        try:
            message = await self._transport.receive()
        except RuntimeError:
            message = None
        finally:
            self._is_receiving = False
        if message is None or message.kind == 0:
            self._closed(
                self._closing or (close_codes.ABNORMAL if message is None else close_codes.NORMAL)
            )
            return None
        data: str | bytes = message.data
        return data

    def send(self, message: str | bytes) -> Awaitable[None]:
        # granian begins to send when it is asked to. To wait for its end each time would have its
        # threads wake this one for nothing: about a third of what an echo costs.
        under_way = self._under_way
        if under_way is not None and not under_way.done():
            return self._send_next(message)
        self._send(message)
        return DONE

    async def _send_next(self, message: str | bytes) -> None:
        await self.flushed()
        self._send(message)

    def _send(self, message: str | bytes) -> None:
        if self._closing or self.close_code is not None:
            raise ClientGone
        under_way = self._under_way
        try:
            if under_way is not None:
                under_way.result()
            if isinstance(message, str):
                self._under_way = self._transport.send_str(message)
            else:
                self._under_way = self._transport.send_bytes(message)
        except RuntimeError as error:
            self._closed(close_codes.ABNORMAL)
            raise ClientGone from error

    async def flushed(self) -> None:
        """Return when the operating system has all sent messages.

        Raises:
            ClientGone: the connection is closed.
        """
        under_way, self._under_way = self._under_way, None
        if under_way is None:
            return
        try:
            if under_way.done():
                under_way.result()
            else:
                self._under_way = under_way
                await under_way
                self._under_way = None
        except RuntimeError as error:
            self._closed(close_codes.ABNORMAL)
            raise ClientGone from error

    async def close(self, code: int = close_codes.NORMAL, reason: str = "") -> None:
        if self.close_code is not None or self._closing:
            return
        self._closing = code
        await self.flushed()
        if self.close_code is not None:
            return
        # granian 2.8 sends a close frame without a code, whatever it is given. What it sends after
        # ours the client drops (RFC 6455, section 5.5.1).
        if not self._tell(code, reason):
            self._exchange._protocol.close(code)
        # That only begins to send; the connection must not be dropped before.
        await self._reply()
        if self.close_code is None:
            self._exchange._protocol.close(code)
            self._closed(code)

    async def _reply(self) -> None:
        """Wait shortly for the client's close frame; messages before that are dropped."""
        self._replied = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                while self.close_code is None and not self._is_receiving:
                    await self.receive()
                await self._replied
        except TimeoutError:
            pass

    def _tell(self, code: int, reason: str) -> bool:
        """Send our own close frame; only on a connection that is neither TLS nor HTTP/2."""
        exchange = self._exchange
        if not exchange.is_bare():
            return False
        body = code.to_bytes(2, "big") + reason.encode()
        frame = bytes((0x88, len(body))) + body
        return peer.tell(exchange.peer, exchange.server, frame)

    def _closed(self, code: int) -> None:
        if self.close_code is None:
            self.close_code = code
        if self._replied is not None and not self._replied.done():
            self._replied.set_result(None)
        # granian ends the TCP connection only when nothing refers to the transport any more.
        self._transport = None
        self._exchange._note_end()
