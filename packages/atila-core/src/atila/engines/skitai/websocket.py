"""WebSockets over Skitai's connections, framed by wsproto (RFC 6455).

Skitai's own reader of frames knows no fragments, takes unmasked frames and messages of any size,
answers a close with a pong, and drops empty messages; so its bytes go to wsproto.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, TextMessage
from wsproto.utilities import LocalProtocolError

from atila.engines.skitai.heads import Head
from atila.engines.skitai.inbox import Inbox
from atila.engines.skitai.outlet import HIGH, Outlet
from atila.errors import HTTPError
from atila.exchange import ClientGone, Header

if TYPE_CHECKING:
    from atila.engines.skitai.deflate import Deflate
    from atila.engines.skitai.worker import Worker

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
GOING_AWAY = 1001
ABNORMAL = 1006
TOO_BIG = 1009
FRAME = 10
"""Bytes that a message counts beside its own."""
CLOSE_SECONDS = 5.0
"""How long the peer may take to answer a close."""


def handshake_fault(method: str, header: Callable[[str], str | None]) -> HTTPError | None:
    """What is wrong with a handshake (RFC 6455, section 4.2.1), None if nothing is."""
    if method != "GET":
        return HTTPError(400, "a WebSocket handshake is a GET request")
    if header("sec-websocket-version") != "13":
        return HTTPError(
            426, "only WebSocket version 13", headers=[("Sec-WebSocket-Version", "13")]
        )
    try:
        nonce = base64.b64decode(header("sec-websocket-key") or "", validate=True)
    except binascii.Error:
        nonce = b""
    if len(nonce) != 16:
        return HTTPError(400, "malformed Sec-WebSocket-Key")
    return None


def handshake_head(key: str, headers: Sequence[Header]) -> bytes:
    """The answer that completes a handshake."""
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    head = Head(101, headers)
    head.add("Upgrade: websocket")
    head.add("Connection: Upgrade")
    head.add("Sec-WebSocket-Accept: " + base64.b64encode(digest).decode())
    return head.encode()


class WebSocket:
    """An accepted WebSocket.

    The public methods of `WebSocketTransport` are for the task loop, all others for the main
    thread, where wsproto's state lives.

    Args:
        worker: what serves it.
        channel: its connection.
        limit: the most bytes (characters, of text) of a message.
        hang_up: called on the main thread when the last frame is out.
        deflate: the compression that was agreed on, if one was.
    """

    def __init__(
        self,
        worker: Worker,
        channel: Any,
        limit: int,
        hang_up: Callable[[], object],
        deflate: Deflate | None = None,
    ) -> None:
        self.close_code: int | None = None
        self._worker = worker
        self._channel = channel
        self._limit = limit
        call = worker.pump.call
        self.outlet = Outlet(worker.loop, call, self._flush, lambda: call(hang_up))
        self._inbox = Inbox(worker.loop, call, self._pause)
        self._frames = Connection(ConnectionType.SERVER, [deflate] if deflate else [])
        self._parts: list[Any] = []
        self._size = 0
        self._code: int | None = None
        self._pinged_at = 0.0

    # The task loop's.

    async def receive(self) -> str | bytes | None:
        """See `WebSocketTransport`."""
        try:
            return await self._inbox.get()
        except ClientGone:
            return None

    async def send(self, message: str | bytes) -> None:
        """See `WebSocketTransport`."""
        if self.close_code is not None or self.outlet.gone:
            raise ClientGone("the WebSocket is closed")
        event: Message[Any]
        if isinstance(message, str):
            event = TextMessage(message)
        else:
            event = BytesMessage(bytes(message))
        size = len(message) + FRAME
        await self.outlet.send_by(size, self._put, event, size)

    async def flushed(self) -> None:
        """Return when the main thread has given all that was sent to the system, as far as it takes
        it.
        """
        loop = self._worker.loop
        done = loop.loop.create_future()

        def tell() -> None:
            if not done.done():
                done.set_result(None)

        # Calls are made one after the other.
        self._worker.pump.call(loop.call, tell)
        await done

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """See `WebSocketTransport`."""
        self._worker.pump.call(self._close, code, reason)

    def _closed(self, code: int) -> None:
        if self.close_code is None:
            self.close_code = code
            self.outlet.fail()

    # The main thread's: sending.

    def _flush(self) -> None:
        if not self._channel.closed:
            self._channel.handle_write()

    def _put(self, event: Any, size: int) -> None:
        """Send a frame, for which the sender was charged `size` bytes."""
        try:
            data = self._frames.send(event)
        except LocalProtocolError:
            data = b""  # Closed, or closing: nothing more goes out.
        self.outlet.put(data, size)

    def _close(self, code: int, reason: str) -> None:
        if self._frames.state is ConnectionState.OPEN and not self._channel.closed:
            self._put(CloseConnection(code, reason), 0)
            self._worker.later(CLOSE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self._code is None and not self._channel.closed:
            self._channel.close()

    def go_away(self) -> None:
        """The worker shuts down."""
        self._close(GOING_AWAY, "the server shuts down")

    def timed_out(self) -> None:
        """Nothing moved for long: ask whether anybody is there."""
        channel = self._channel
        if channel.is_stuck() or self._pinged_at > channel.heard:
            channel.close()
        else:
            self._pinged_at = time.monotonic()
            self._put(Ping(), 0)

    # The main thread's: receiving.

    def _pause(self, stop: bool) -> None:
        self._channel.paused = stop

    def feed(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._code is not None:
            return
        self._frames.receive_data(data)
        for event in self._frames.events():
            self._handle(event)
            if self._code is not None:
                return

    def _handle(self, event: Any) -> None:
        if isinstance(event, Message):
            self._parts.append(event.data)
            self._size += len(event.data)
            if self._size > self._limit:
                self._fail(TOO_BIG)
            elif event.message_finished:
                self._inbox.put(self._join(event))
        elif isinstance(event, Ping):
            # A client that reads no pongs gets no more of them.
            if self.outlet.backlog < HIGH:
                self._put(event.response(), 0)
        elif isinstance(event, CloseConnection):
            # A peer that breaks the protocol is reported so too, with the state left open.
            if self._frames.state is ConnectionState.OPEN:
                self._fail(event.code)
                return
            if self._frames.state is ConnectionState.REMOTE_CLOSING:
                self._put(event.response(), 0)
            self._end(event.code)

    def _join(self, event: Any) -> str | bytes:
        parts, self._parts, self._size = self._parts, [], 0
        if isinstance(event, TextMessage):
            return "".join(parts)
        return b"".join(parts)

    def _fail(self, code: int) -> None:
        """The client broke the protocol, or a limit."""
        if self._frames.state is ConnectionState.OPEN:
            self._put(CloseConnection(code), 0)
        self._end(code)

    def _end(self, code: int) -> None:
        """The closing handshake is done, or pointless."""
        self._code = int(code)
        self._parts.clear()
        self._worker.loop.call(self._closed, self._code)
        self._inbox.finish()
        self.outlet.finish(b"")

    def lost(self) -> None:
        """The connection is closed."""
        if self._code is None:
            self._code = ABNORMAL
            self._worker.loop.call(self._closed, ABNORMAL)
            self._inbox.finish()
