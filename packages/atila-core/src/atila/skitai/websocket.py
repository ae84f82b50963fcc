"""WebSockets over Skitai's connections, framed by websockets (RFC 6455).

Skitai's own reader of frames knows no fragments, takes unmasked frames and messages of any size,
answers a close with a pong, and drops empty messages; so its bytes go to the Sans-I/O core of
websockets.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from atila.errors import HTTPError
from atila.http import close_codes
from atila.http.exchange import ClientGone, Header
from atila.skitai.heads import Head
from atila.skitai.reader import Inbox
from atila.skitai.writer import HIGH, Outlet

if TYPE_CHECKING:
    from websockets.extensions import Extension

    from atila.skitai.base import Worker

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
FRAME = 10
"""Bytes that a message counts beside its own."""
CLOSE_SECONDS = 5.0
"""How long the peer may take to answer a close."""

_PONG = b"\x8a"
_Decoder = codecs.getincrementaldecoder("utf-8")


def handshake_fault(method: str, header: Callable[[str], str | None]) -> HTTPError | None:
    """The fault of a handshake (RFC 6455, section 4.2.1), None if it has none."""
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


class _Frames(Protocol):
    """The state of a connection, and its frames."""

    def recv_frame(self, frame: Frame) -> None:
        """A frame is complete."""
        if frame.opcode is Opcode.CLOSE:
            # A client may close in the middle of a fragmented message (RFC 6455, section 5.4),
            # which websockets takes for an error.
            self.current_size = None
        super().recv_frame(frame)


class WebSocket:
    """An accepted WebSocket.

    The public methods of `WebSocketTransport` are for the task loop, all others for the main
    thread, where the state of the frames lives.

    Args:
        worker: the worker.
        channel: its connection.
        limit: the most bytes of a message.
        hang_up: called on the main thread when the last frame is out.
        deflate: the compression that was agreed on, if one was.
    """

    def __init__(
        self,
        worker: Worker,
        channel: Any,
        limit: int,
        hang_up: Callable[[], object],
        deflate: Extension | None = None,
    ) -> None:
        self.close_code: int | None = None
        self._worker = worker
        self._channel = channel
        call = worker.pump.call
        self.outlet = Outlet(worker.loop, call, self._flush, lambda: call(hang_up))
        self._inbox = Inbox(worker.loop, call, self._pause)
        self._frames = _Frames(Side.SERVER, state=State.OPEN, max_size=limit)
        self._frames.extensions = [deflate] if deflate else []
        # Of a message in fragments: what came so far, and what checks that it is text. No list of
        # pieces: of tiny ones each would take many times its size.
        self._message = bytearray()
        self._decoder: codecs.IncrementalDecoder | None = None
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
        size = len(message) + FRAME
        await self.outlet.send_by(size, self._send, message, size)

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

    async def close(self, code: int = close_codes.NORMAL, reason: str = "") -> None:
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

    def _send(self, message: str | bytes, size: int) -> None:
        """Send a message, for which the sender was charged `size` bytes."""
        try:
            if isinstance(message, str):
                self._frames.send_text(message.encode())
            else:
                self._frames.send_binary(message)
        except InvalidState:
            pass  # Closed, or closing: nothing more goes out.
        self._put(size)

    def _put(self, size: int = 0) -> None:
        """Hand over the frames that are to go out."""
        frames = self._frames.data_to_send()
        if not frames and not size:
            return
        if self.outlet.backlog >= HIGH:
            # A client that reads no pongs gets no more of them.
            frames = [frame for frame in frames if not frame.startswith(_PONG)]
        self.outlet.put(b"".join(frames), size)

    def _close(self, code: int, reason: str) -> None:
        if self._frames.state is State.OPEN and not self._channel.closed:
            self._frames.send_close(code, reason)
            self._put()
            self._worker.later(CLOSE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self._code is None and not self._channel.closed:
            self._channel.close()

    def go_away(self) -> None:
        """The worker shuts down."""
        self._close(close_codes.GOING_AWAY, "the server shuts down")

    def timed_out(self) -> None:
        """Nothing moved for long: ask whether anybody is there."""
        channel = self._channel
        if channel.is_stuck() or self._pinged_at > channel.heard:
            channel.close()
        else:
            self._pinged_at = time.monotonic()
            if self._frames.state is State.OPEN:
                self._frames.send_ping(b"")
                self._put()

    # The main thread's: receiving.

    def _pause(self, stop: bool) -> None:
        self._channel.paused = stop

    def feed(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._code is not None:
            return
        frames = self._frames
        frames.receive_data(data)
        try:
            for frame in frames.events_received():
                self._handle(frame)  # type: ignore[arg-type]  # no others come after a handshake
        except UnicodeDecodeError:
            frames.fail(close_codes.INVALID_DATA)
        self._put()
        if frames.close_rcvd is not None:
            self._end(frames.close_rcvd.code)
        elif frames.eof_sent and frames.close_sent is not None:
            # The client broke the protocol, or a limit, and got a close frame that says so.
            self._end(frames.close_sent.code)

    def _handle(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT and frame.fin:
            self._inbox.put(str(frame.data, "utf-8"))
        elif opcode is Opcode.BINARY and frame.fin:
            self._inbox.put(bytes(frame.data))
        elif opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            if opcode is not Opcode.CONT:
                self._decoder = _Decoder() if opcode is Opcode.TEXT else None
            self._collect(bytes(frame.data), is_last=frame.fin)

    def _collect(self, data: bytes, *, is_last: bool) -> None:
        """A fragment of a message; wrong text is noticed at once."""
        if self._decoder is not None:
            self._decoder.decode(data, is_last)
        self._message += data
        if is_last:
            message, self._message = self._message, bytearray()
            self._inbox.put(bytes(message) if self._decoder is None else str(message, "utf-8"))

    def _end(self, code: int) -> None:
        """The closing handshake is done, or pointless."""
        self._code = int(code)
        self._message.clear()
        self._worker.loop.call(self._closed, self._code)
        self._inbox.finish()
        self.outlet.finish(b"")

    def lost(self) -> None:
        """The connection is closed."""
        if self._code is None:
            self._code = close_codes.ABNORMAL
            self._worker.loop.call(self._closed, close_codes.ABNORMAL)
            self._inbox.finish()
