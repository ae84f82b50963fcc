"""`was.websocket`: an open WebSocket, as handlers and threads use it."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

from atila.exchange import ClientGone
from atila_ws.outbox import Message, Outbox, Overflow

if TYPE_CHECKING:
    from atila.config import Config
    from atila.exchange import WebSocketTransport
    from atila.loop import TaskLoop

log = logging.getLogger("atila.ws")

# RFC 6455, section 7.4.1
NORMAL = 1000
GOING_AWAY = 1001
POLICY_VIOLATION = 1008
MESSAGE_TOO_BIG = 1009
INTERNAL_ERROR = 1011

READ_AHEAD = 4
"""Messages that are taken from the client before the handler asks for them. The connection is read
all the time, so that its end is noticed; a client that sends more than this is held up."""

CLOSE_TIMEOUT = 5.0
"""Seconds that the last messages, and after them the closing handshake, may take."""

_REASON_SIZE = 123
"""Bytes of the reason in a close frame: RFC 6455, section 5.5."""


class WebSocket:
    """An open WebSocket. Made, and started, on the task loop.

    `send` and `close` may be called from any thread. What they give may be awaited, in
    coroutines on the task loop, and may be ignored.

    Args:
        transport: the accepted WebSocket of the engine.
        loop: the task loop.
        config: the settings of the app.
        timeout: seconds that `receive` waits for a message before it closes the connection; None
            waits for ever.

    Attributes:
        client_id: identifies the connection, for others to send to it.
    """

    def __init__(
        self, transport: WebSocketTransport, loop: TaskLoop, config: Config, timeout: float | None
    ) -> None:
        self.client_id = uuid.uuid4().hex
        self._transport = transport
        self._loop = loop
        self._timeout = timeout
        self._max_message: int = config.WS_MAX_MESSAGE
        self._patience: float = config.WS_SEND_TIMEOUT
        self._outbox = Outbox(loop, config.WS_SEND_BUFFER)
        self._inbox: asyncio.Queue[Message | None] = asyncio.Queue()
        self._ahead = asyncio.Semaphore(READ_AHEAD)
        self._closer: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._at_close: Callable[[], None] | None = None
        self._writer = self._run(self._outbox.pump(transport.send))
        self._reader = self._run(self._read())

    def __repr__(self) -> str:
        return f"<WebSocket {self.client_id}{' closed' if self.closed else ''}>"

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, or is about to: nothing more can be sent."""
        return self._closer is not None

    @property
    def close_code(self) -> int | None:
        """The code of the closing handshake (RFC 6455, section 7.4); None while it is open."""
        return self._transport.close_code

    # Sending ------------------------------------------------------------------------------------

    def send(self, message: str | bytes) -> Awaitable[None]:
        """Send a message; text as text, bytes as binary. From any thread.

        While WS_SEND_BUFFER bytes wait for the client, this waits too. On the task loop it never
        waits, and `await was.websocket.send(message)` does; who sends on and on there without
        awaiting closes the connection. So does a client that takes nothing for WS_SEND_TIMEOUT.

        Raises:
            ClientGone: the connection is closed.
            TypeError: the message is neither text nor bytes.
        """
        self.put(message)
        return _Waiting(self.room)

    def put(self, message: str | bytes) -> None:
        """Like `send`, with nothing to await."""
        message = _checked(message)
        try:
            self._outbox.put(message, 0 if self._loop.is_current() else self._patience)
        except Overflow:
            raise self._too_slow() from None

    def has_room(self) -> bool:
        """Whether `send` would not wait now."""
        return self._outbox.has_room()

    async def room(self) -> None:
        """Wait until `send` would not. On the task loop only.

        Raises:
            ClientGone: the client takes nothing, so that the connection was closed.
        """
        if self._outbox.has_room():
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._outbox.room()
        except TimeoutError:
            raise self._too_slow() from None

    def _too_slow(self) -> ClientGone:
        reason = "messages are not taken fast enough"
        self._end_soon(POLICY_VIOLATION, reason, drop=True)
        return ClientGone(reason)

    # Receiving ----------------------------------------------------------------------------------

    async def receive(self) -> str | bytes | None:
        """The next message; None once the connection has ended, and ever after.

        On the task loop only. The connection is closed, with 1001, if no message comes within the
        route's timeout.
        """
        try:
            async with asyncio.timeout(self._timeout if self._inbox.empty() else None):
                message = await self._inbox.get()
        except TimeoutError:
            await self.close(GOING_AWAY, f"no message for {self._timeout:g} s")
            return None
        if message is None:
            # For whoever asks next.
            self._inbox.put_nowait(None)
        else:
            self._ahead.release()
        return message

    def __aiter__(self) -> WebSocket:
        return self

    async def __anext__(self) -> str | bytes:
        message = await self.receive()
        if message is None:
            raise StopAsyncIteration
        return message

    async def _read(self) -> None:
        """Take messages from the client until there are no more."""
        while True:
            await self._ahead.acquire()
            message = await self._transport.receive()
            if message is None:
                return
            if _is_longer(message, self._max_message):
                reason = f"a message may have {self._max_message} bytes"
                self._end(MESSAGE_TOO_BIG, reason, drop=False)
                return
            self._inbox.put_nowait(message)

    # The end ------------------------------------------------------------------------------------

    def close(self, code: int = NORMAL, reason: str = "") -> Awaitable[None]:
        """Close the connection once what was sent is on its way. From any thread; never waits.

        `await was.websocket.close()` waits until it is closed, on the task loop. Closing twice
        does nothing.

        Args:
            code: why: 1000, 3000 to 4999, or another that may be sent (RFC 6455, section 7.4).
            reason: the same in words; at most 123 bytes are sent.

        Raises:
            ValueError: the code must not be sent.
        """
        if not 1000 <= code <= 4999 or code in (1004, 1005, 1006, 1015):
            raise ValueError(f"a WebSocket cannot be closed with the code {code}")
        self._end_soon(code, reason, drop=False)
        return _Waiting(self._wait_closed)

    async def _wait_closed(self) -> None:
        # The same in type as the other waits, which give nothing.
        await self._closed.wait()

    def when_closed(self, func: Callable[[], None] | None) -> None:
        """Have a function called when the connection is closed; at once if it is. On the loop."""
        self._at_close = func
        if func is not None and self._closed.is_set():
            func()

    def _end_soon(self, code: int, reason: str, *, drop: bool) -> None:
        if self._loop.is_current():
            self._end(code, reason, drop=drop)
        else:
            self._loop.call(lambda: self._end(code, reason, drop=drop))

    def _end(self, code: int, reason: str, *, drop: bool) -> None:
        """Start the closing, unless it is under way. On the task loop only."""
        if self._closer is None:
            self._outbox.end(drop=drop)
            self._closer = asyncio.create_task(self._close(code, reason, drop=drop))

    async def _close(self, code: int, reason: str, *, drop: bool) -> None:
        try:
            if not drop and self._transport.close_code is None:
                await asyncio.wait({self._writer}, timeout=CLOSE_TIMEOUT)
            self._writer.cancel()
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._transport.close(code, _shortened(reason))
        except (TimeoutError, ClientGone):
            pass
        except Exception:
            log.exception("a WebSocket could not be closed properly")
        finally:
            self._reader.cancel()
            self._outbox.end(drop=True)
            self._inbox.put_nowait(None)
            self._closed.set()
            if self._at_close is not None:
                self._at_close()

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return asyncio.create_task(self._until_end(work))

    async def _until_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Read, or write, as long as it goes; the connection ends when either does."""
        code = NORMAL
        try:
            await work
        except ClientGone:
            pass
        except Exception:
            log.exception("a WebSocket broke")
            code = INTERNAL_ERROR
        self._end(code, "", drop=False)


class _Waiting:
    """What may be awaited and need not be: a coroutine would complain of the latter."""

    __slots__ = ("_wait",)

    def __init__(self, wait: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._wait = wait

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()


def _checked(message: Any) -> Message:
    if isinstance(message, str | bytes):
        return message
    if isinstance(message, bytearray | memoryview):
        return bytes(message)
    raise TypeError(f"a WebSocket sends str or bytes, not {type(message).__name__}")


def _is_longer(message: Message, limit: int) -> bool:
    """Whether a message has more bytes than that; text counts as UTF-8."""
    if len(message) > limit:
        return True
    # No character has more than four bytes, so most texts need not be encoded to know.
    return isinstance(message, str) and len(message) * 4 > limit and len(message.encode()) > limit


def _shortened(reason: str) -> str:
    return reason.encode()[:_REASON_SIZE].decode("utf-8", "ignore")
