"""One WebSocket from handshake to end: the common part of all styles."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from types import TracebackType
from typing import TYPE_CHECKING, Any

from atila import ANSWERED, ClientGone, HTTPError
from atila.http.close_codes import GOING_AWAY, INTERNAL_ERROR, NORMAL
from atila.http.response import head
from atila.runtime import spans
from atila.runtime.offload import adopt, in_context, uninterrupted
from atila_ws.connection import WebSocket
from atila_ws.delivery.hub import hub_of, space_of
from atila_ws.protocols import HEADER, choose

if TYPE_CHECKING:
    from atila.http.exchange import Header
    from atila.layers import Handler
    from atila.was import Was
    from atila_ws.declaration import Declaration
    from atila_ws.messages import Encoding

Leader = Callable[["Was", WebSocket, "Handler", Mapping[str, Any]], Awaitable[None]]
"""Leads a conversation with a handler and its parameters."""
Run = Callable[..., Awaitable[Any]]

log = logging.getLogger("atila.ws")

_NOTHING = nullcontext()
_OF_BODIES = frozenset({"content-type", "content-length"})


def answering(
    handler: Handler,
    lead: Leader,
    declared: Declaration,
    encoding: Encoding,
    *,
    taken: str | None,
    has_grace: bool,
) -> Handler:
    """The handler that core calls in place of a route's: it accepts a WebSocket, leads the
    conversation, and closes it: with 1000, or 1011 if the handler raised.

    It is `async`, since all of it runs on the task loop, and one coroutine, since each takes memory
    for as long as the connection is open. It gives ANSWERED. It raises HTTPError: 400, the client
    asks for no subprotocol that the route speaks; and any error of the handler, `onopen` or
    `onclose`.

    `onopen` runs before the handshake is answered, so that it can refuse it by raising, and the
    cookies and session that it sets still reach the client. Text or bytes that it returns are sent
    before anything that the handler sends.

    Args:
        handler: the route's, within the wrappers of other layers.
        lead: leads a conversation with it; the connection ends when that does.
        declared: the arguments of the decorator.
        encoding: the form of messages.
        taken: the parameter that gets the messages, which no client may give.
        has_grace: it is a coroutine, which may wait for something else than the client.
    """

    async def answer(was: Was, /, **params: Any) -> Any:
        if taken in params:
            # Only ** lets it through.
            raise HTTPError(400, f"unknown parameter {taken!r}")
        socket = _socket_of(was, declared, encoding)
        greeting = await _greeting(was, socket, declared)
        code, transport = INTERNAL_ERROR, None
        try:
            transport = await was.accept(_headers(was), socket.protocol)
            socket.start(transport)
            if greeting and isinstance(greeting, str | bytes):
                await socket.send(greeting)
            with _span(was):
                async with Grace(was, socket) if has_grace else _NOTHING:
                    await lead(was, socket, handler, params)
            code = NORMAL
        except ClientGone:
            # Of another connection it is an error like any other.
            if transport is not None and not socket.closed:
                raise
        except asyncio.CancelledError:
            code = GOING_AWAY
            raise
        finally:
            was.headers_sent = transport is not None
            try:
                if transport is not None:
                    await socket.close(code)
                else:
                    socket.abandon()
            finally:
                await _call(was, declared.onclose)
        return ANSWERED

    return answer


def _span(was: Was) -> AbstractContextManager[Any]:
    if spans.active is None:
        return _NOTHING
    route = was.app.mount_prefix + was.endpoint.route.rule
    return spans.active.inner(f"websocket {route}", {"http.route": route})


def _socket_of(was: Was, declared: Declaration, encoding: Encoding) -> WebSocket:
    """`was.websocket` of a request, which is not accepted yet.

    Raises:
        HTTPError: see `answering`.
    """
    app, protocol = was.app, None
    if declared.protocols:
        protocol = choose(was.exchange.header(HEADER), declared.protocols)
    socket = WebSocket(
        hub_of(was.site),
        space_of(app),
        app.config,
        declared.timeout,
        encoding,
        protocol,
        was,
    )
    was.__dict__["websocket"] = socket
    # In place of the method of core, which reads the body of a request.
    was.__dict__["Input"] = socket.input
    return socket


async def _greeting(was: Was, socket: WebSocket, declared: Declaration) -> Any:
    """The result of `onopen`."""
    # Where the handshake carries no cookie, one that it sets is late already.
    was.headers_sent = not was.exchange.accepts_headers
    try:
        return await _call(was, declared.onopen)
    except BaseException as error:
        was.headers_sent = False
        socket.abandon()
        if not isinstance(error, Exception):
            # The server stops: nobody knows how far `onopen` got.
            await _call(was, declared.onclose)
        raise


def _headers(was: Was) -> list[Header]:
    """The headers of the answer to the handshake: cookies, above all."""
    if not was.exchange.accepts_headers:
        return []
    return [header for header in head(was, None) if header[0].lower() not in _OF_BODIES]


async def _call(was: Was, hook: Callable[[Was], Any] | None) -> Any:
    if hook is None:
        return None
    if inspect.iscoroutinefunction(hook):
        return await hook(was)
    context = copy_context()
    value = await uninterrupted(was, in_context(was, context, hook, was))
    adopt(context)
    return value


def in_one_context(was: Was, *, in_pool: bool) -> Run:
    """A function that calls others, all in one context, whatever thread they run in.

    Args:
        was: the request.
        in_pool: they run in worker threads, else on the task loop.
    """
    # So the context variables that the handler sets stay from step to step, and `atila.current`
    # is this request's in each of them.
    context = copy_context()

    async def in_thread(func: Callable[..., Any], *args: Any) -> Any:
        try:
            return await uninterrupted(was, in_context(was, context, func, *args))
        finally:
            # For `onclose`, and the hooks of the app.
            adopt(context)

    async def on_loop(func: Callable[..., Any], *args: Any) -> Any:
        try:
            return context.run(func, *args)
        finally:
            adopt(context)

    return in_thread if in_pool else on_loop


class Grace:
    """Around a handler that is a coroutine: when the connection has ended, it has WS_GRACE seconds
    to notice; then it is cancelled, for one that waits for something else than the client would
    stay for ever.

    Args:
        was: the request.
        socket: the connection.
    """

    __slots__ = ("_limit", "_socket", "_was")

    def __init__(self, was: Was, socket: WebSocket) -> None:
        self._was = was
        self._socket = socket
        self._limit = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()
        self._socket.when_closed(self)

    def begin(self) -> None:
        """The connection has ended."""
        now = asyncio.get_running_loop().time()
        self._limit.reschedule(now + self._was.app.config.WS_GRACE)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._socket.when_closed(None)
        try:
            await self._limit.__aexit__(kind, error, traceback)
        except TimeoutError:
            log.warning(
                "%s went on for %g s after its connection had ended, and was cancelled",
                self._was.endpoint.route.name,
                self._was.app.config.WS_GRACE,
            )
            return True
        return False
