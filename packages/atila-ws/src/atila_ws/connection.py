"""`was.websocket`: an open WebSocket, for handlers and threads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

from atila.http.close_codes import (
    GOING_AWAY,
    INTERNAL_ERROR,
    INVALID_DATA,
    MESSAGE_TOO_BIG,
    NORMAL,
    POLICY_VIOLATION,
)
from atila.http.exchange import ClientGone
from atila.runtime import after_answer
from atila.runtime.awaitables import DONE
from atila_ws.messages import Malformed, Message
from atila_ws.outbox import TURN, Outbox, Overflow, Receipt

if TYPE_CHECKING:
    from atila.app.settings import Config
    from atila.http.exchange import WebSocketTransport
    from atila.was import Was
    from atila_ws.delivery.envelope import Envelope
    from atila_ws.delivery.hub import Hub
    from atila_ws.messages import Encoding
    from atila_ws.styles.conversation import Grace

log = logging.getLogger("atila.ws")


READ_AHEAD = 4
"""Messages that are taken from the client before the handler asks for them. The connection is read
all the time, so that its end is noticed; a client that sends more than this is held up."""

CLOSE_TIMEOUT = 5.0
"""Seconds that the last messages, and after them the closing handshake, may take."""

END: Any = object()
"""Stands after the last message."""

DROP_TIMEOUT = 1.0
"""Seconds that the closing handshake may take with a client that does not read."""

_REASON_SIZE = 123
"""Bytes of the reason in a close frame: RFC 6455, section 5.5."""


class WebSocket:
    """An open WebSocket, created on the task loop when the handshake arrives.

    Any thread may call `send` and `close`. Coroutines on the task loop may await their result;
    other callers may ignore it.

    Args:
        hub: the connections of this process.
        space: the name space of the app, for the names of rooms.
        config: the settings of the app.
        timeout: seconds that `receive` waits for a message before it closes the connection; None
            waits for ever.
        encoding: the form of messages.
        protocol: the subprotocol that was chosen.
        was: the request; its work after the answer begins when the next message is asked for.

    Attributes:
        protocol: the subprotocol that route and client agreed on (RFC 6455, section 1.9); None if
            the client asked for none.
    """

    __slots__ = (
        "__weakref__",
        "_client_id",
        "_closed",
        "_closer",
        "_encoding",
        "_end_asked",
        "_grace",
        "_has_ended",
        "_held",
        "_hub",
        "_inbox",
        "_loop",
        "_max_message",
        "_outbox",
        "_patience",
        "_reader",
        "_sends",
        "_space",
        "_timeout",
        "_transport",
        "_waiter",
        "_waiting_since",
        "_was",
        "protocol",
    )

    def __init__(
        self,
        hub: Hub,
        space: str,
        config: Config,
        timeout: float | None,
        encoding: Encoding,
        protocol: str | None = None,
        was: Was | None = None,
    ) -> None:
        self.protocol = protocol
        self._was = was
        self._hub = hub
        self._space = space
        self._loop = hub.loop
        self._timeout = timeout
        self._encoding = encoding
        self._max_message: int = config.WS_MAX_MESSAGE
        self._patience: float = config.WS_SEND_TIMEOUT
        self._outbox = Outbox(hub.loop, config.WS_SEND_BUFFER)
        self._client_id = ""
        self._sends = 0
        self._transport: WebSocketTransport | None = None
        self._reader: asyncio.Task[None] | None = None
        # Lists, since an empty deque takes 700 bytes: no more than READ_AHEAD are in this one.
        self._inbox: list[Message] = []
        # The handler that waits for a message, since when, and the reader that it holds up.
        self._waiter: asyncio.Future[None] | None = None
        self._waiting_since = 0.0
        self._held: asyncio.Future[None] | None = None
        self._has_ended = False
        # The closing that was asked for, its task, and who waits for its end.
        self._end_asked: tuple[int, str, bool] | None = None
        self._closer: asyncio.Task[None] | None = None
        self._closed: asyncio.Future[None] | None = None
        self._grace: Grace | None = None

    def __repr__(self) -> str:
        return f"<WebSocket{' closed' if self.closed else ''}>"

    @property
    def client_id(self) -> str:
        """Identifies the connection, for `app.websocket_send` in any worker. A secret: a client
        that knows it, and can make the app send to it, reaches this connection.
        """
        if not self._client_id:
            self._client_id = self._hub.register(self)
        return self._client_id

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, or is about to: nothing more can be sent."""
        return self._end_asked is not None

    @property
    def close_code(self) -> int | None:
        """The code of the closing handshake (RFC 6455, section 7.4); None while it is open."""
        return None if self._transport is None else self._transport.close_code

    def start(self, transport: WebSocketTransport) -> None:
        """Begin to send and receive: the handshake has been accepted. On the task loop."""
        self._transport = transport
        self._outbox.attach(transport, self)
        self._reader = asyncio.create_task(self._read(transport))
        self._hub.limits.add(self, self._shortest())
        self._start_closing(transport)

    # Sending ------------------------------------------------------------------------------------

    def send(self, message: Any) -> Awaitable[None]:
        """Send a message: text as text, bytes as binary, dict and list as JSON; as the `encoding`
        of `@app.websocket` has it, if one is given. From any thread.

        While WS_SEND_BUFFER bytes wait for the client, this waits too. On the task loop it never
        waits, and `await was.websocket.send(message)` does; a coroutine that keeps sending without
        awaiting closes the connection. So does a client that takes nothing for WS_SEND_TIMEOUT.

        Raises:
            ClientGone: the connection is closed.
            TypeError: the message has a type that cannot be sent.
        """
        self.put(message)
        self._sends += 1
        if self._outbox.has_room() and self._sends % TURN:
            return DONE
        return _Waiting(self.flush)

    def put(self, message: Any) -> None:
        """Like `send`, with nothing to await."""
        item = self._encoding.encode(message)
        try:
            self._outbox.put(item, 0 if self._loop.is_current() else self._patience)
        except Overflow:
            raise self._too_slow() from None

    def take(self, envelope: Envelope, taken: asyncio.Future[bool] | None = None) -> bool:
        """Send a message that comes from elsewhere; see `push`."""
        return self.push(envelope.value, is_encoded=envelope.kind == "json", taken=taken)

    def push(self, message: Any, *, is_encoded: bool, taken: asyncio.Future[bool] | None) -> bool:
        """Send a message that does not come from the handler. On the task loop; never waits.

        Args:
            message: a value, or with `is_encoded` the encoded text or bytes.
            is_encoded: it was encoded as JSON already.
            taken: gets True when the system has the message, False if it never will.

        Returns:
            Whether it was put in. A client that leaves more than twice WS_SEND_BUFFER untaken is
            closed, with 1008: it would miss messages.
        """
        try:
            wired: Message = message if is_encoded else self._encoding.encode(message)
            self._outbox.put(wired if taken is None else Receipt(wired, taken))
        except (ClientGone, TypeError):
            return False
        except Overflow:
            self._too_slow()
            return False
        return True

    def has_room(self) -> bool:
        """Whether `send` would not wait now."""
        return self._outbox.has_room()

    async def flush(self) -> None:
        """Wait until there is room for more, and let others have their turn. On the task loop."""
        await asyncio.sleep(0)
        await self._outbox.room()

    def _too_slow(self) -> ClientGone:
        reason = "messages are not taken fast enough"
        self._end_soon(POLICY_VIOLATION, reason, drop=True)
        return ClientGone(reason)

    def break_off(self) -> None:
        """End at once: something could not be sent; see `outbox.Owner`. On the task loop."""
        self._end(NORMAL, "", drop=True)

    # Receiving ----------------------------------------------------------------------------------

    def receive(self) -> Coroutine[Any, Any, Any]:
        """The next message; None once the connection has ended, and ever after.

        On the task loop only. The connection is closed, with 1001, if no message comes within the
        route's timeout.

        Raises:
            RuntimeError: another task is waiting for it already.
        """
        return self.next(None)

    async def next(self, end: Any = END) -> Any:
        """Like `receive`, with a value of its own for the end; StopAsyncIteration is raised."""
        if self._was is not None:
            after_answer.start(self._was)
        while not self._inbox:
            if self._has_ended:
                return _given(end)
            if self._waiter is not None:
                raise RuntimeError("two tasks receive from one WebSocket: which gets the message?")
            self._waiter = self._loop.loop.create_future()
            self._waiting_since = self._loop.loop.time()
            try:
                await self._waiter
            finally:
                self._waiter = None
                self._waiting_since = 0.0
        message = self._inbox.pop(0)
        if self._held is not None and not self._held.done():
            self._held.set_result(None)
        decode = self._encoding.decode
        if decode is None:
            return message
        try:
            return decode(message)
        except Malformed as error:
            self._inbox.clear()
            self._end(INVALID_DATA, str(error), drop=False)
            return _given(end)

    def __aiter__(self) -> WebSocket:
        return self

    def __anext__(self) -> Coroutine[Any, Any, Any]:
        return self.next(StopAsyncIteration)

    def input(self, size: int = 0) -> Awaitable[Any]:
        """`was.Input()` of this connection: the next message, when it is yielded or awaited."""
        return Input(self)

    async def _read(self, transport: WebSocketTransport) -> None:
        """Take messages from the client until there are no more; then the connection ends."""
        code, reason = NORMAL, ""
        inbox = self._inbox
        try:
            while (message := await transport.receive()) is not None:
                if _is_longer(message, self._max_message):
                    code, reason = MESSAGE_TOO_BIG, f"a message may have {self._max_message} bytes"
                    break
                inbox.append(message)
                self._wake()
                while len(inbox) >= READ_AHEAD:
                    self._held = self._loop.loop.create_future()
                    await self._held
        except ClientGone:
            pass
        except Exception:
            log.exception("a WebSocket broke")
            code = INTERNAL_ERROR
        self._end(code, reason, drop=False)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # Rooms --------------------------------------------------------------------------------------

    def join(self, room: str) -> None:
        """Get messages of `app.websocket_broadcast(room, ...)`, of any worker. From any thread."""
        self._hub.join(self, (self._space, room))

    def leave(self, room: str) -> None:
        """Get no more of it. From any thread; done by itself when the connection ends."""
        self._hub.leave(self, (self._space, room))

    # Time ---------------------------------------------------------------------------------------

    def check(self, now: float) -> None:
        """End it if no message has come for too long, or none has been taken; see `Limited`."""
        if self._end_asked is not None:
            return
        timeout = self._timeout
        if timeout is not None and self._waiting_since and now - self._waiting_since >= timeout:
            self._end(GOING_AWAY, f"no message for {timeout:g} s", drop=False)
        elif self._outbox.since and now - self._outbox.since >= self._patience:
            self._too_slow()

    def _shortest(self) -> float:
        return self._patience if self._timeout is None else min(self._patience, self._timeout)

    # The end ------------------------------------------------------------------------------------

    def close(self, code: int = NORMAL, reason: str = "") -> Awaitable[None]:
        """Close the connection once all sent messages are on their way. From any thread; never
        waits.

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
        while not self._has_ended:
            if self._closed is None:
                self._closed = self._loop.loop.create_future()
            await asyncio.shield(self._closed)

    def when_closed(self, grace: Grace | None) -> None:
        """Have a grace begin when the connection is closed; at once if it is. On the task loop."""
        self._grace = grace
        if grace is not None and self._has_ended:
            grace.begin()

    def abandon(self) -> None:
        """The handshake failed: nothing was opened. On the task loop."""
        self._end_asked = self._end_asked or (NORMAL, "", True)
        self._finish()

    def _end_soon(self, code: int, reason: str, *, drop: bool) -> None:
        if self._loop.is_current():
            self._end(code, reason, drop=drop)
        else:
            self._loop.call(lambda: self._end(code, reason, drop=drop))

    def _end(self, code: int, reason: str, *, drop: bool) -> None:
        """Start the closing, unless it is under way. On the task loop only."""
        if self._end_asked is None:
            self._end_asked = code, reason, drop
            self._outbox.end()
            if self._transport is not None:
                self._start_closing(self._transport)

    def _start_closing(self, transport: WebSocketTransport) -> None:
        if self._end_asked is not None:
            self._closer = asyncio.create_task(self._close(transport, *self._end_asked))

    async def _close(
        self, transport: WebSocketTransport, code: int, reason: str, drop: bool
    ) -> None:
        try:
            if not drop and transport.close_code is None:
                await asyncio.wait_for(self._outbox.drained(), CLOSE_TIMEOUT)
        except TimeoutError:
            pass
        try:
            self._outbox.end(drop=True)
            limit = DROP_TIMEOUT if drop else CLOSE_TIMEOUT
            await asyncio.wait_for(transport.close(code, _shortened(reason)), limit)
        except (TimeoutError, ClientGone):
            pass
        except Exception:
            log.exception("a WebSocket could not be closed properly")
        finally:
            self._finish()

    def _finish(self) -> None:
        self._has_ended = True
        self._hub.forget(self)
        self._outbox.end(drop=True)
        if self._reader is not None:
            self._reader.cancel()
        self._hub.limits.discard(self, self._shortest())
        self._wake()
        if self._closed is not None:
            self._closed.set_result(None)
        if self._grace is not None:
            self._grace.begin()


class Input:
    """A coroutine yields it to receive the client's next message: `yield was.Input()`."""

    __slots__ = ("_socket",)

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    def __await__(self) -> Generator[Any, None, Any]:
        return self._socket.receive().__await__()


class _Waiting:
    """An awaitable that need not be awaited: an unawaited coroutine would log a warning."""

    __slots__ = ("_wait",)

    def __init__(self, wait: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._wait = wait

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()


def _given(end: Any) -> Any:
    if end is StopAsyncIteration:
        raise end
    return end


def _is_longer(message: Message, limit: int) -> bool:
    """Whether a message has more bytes than that; text counts as UTF-8."""
    if len(message) > limit:
        return True
    # No character has more than four bytes, so most texts need not be encoded to know.
    return isinstance(message, str) and len(message) * 4 > limit and len(message.encode()) > limit


def _shortened(reason: str) -> str:
    return reason.encode()[:_REASON_SIZE].decode("utf-8", "ignore")
