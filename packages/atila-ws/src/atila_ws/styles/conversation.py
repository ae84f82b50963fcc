"""One WebSocket from handshake to end: the common part of all styles."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from atila import ANSWERED, ClientGone
from atila.http.close_codes import GOING_AWAY, INTERNAL_ERROR, NORMAL
from atila.http.response import head
from atila.runtime import after_answer, spans
from atila.runtime.offload import adopt, in_context, uninterrupted
from atila_ws.connection import WebSocket
from atila_ws.delivery.hub import hub_of, space_of
from atila_ws.protocols import HEADER, choose

if TYPE_CHECKING:
    from atila.http.exchange import Header
    from atila.was import Was
    from atila_ws.declaration import Declaration
    from atila_ws.messages import Encoding

Talk = Callable[[WebSocket], Awaitable[None]]
Run = Callable[..., Awaitable[Any]]

log = logging.getLogger("atila.ws")

_OF_BODIES = frozenset({"content-type", "content-length"})


async def run(was: Was, talk: Talk, declared: Declaration, encoding: Encoding) -> Any:
    """Accept a WebSocket, talk, and close it: with 1000, or 1011 if the handler raised.

    `onopen` runs before the handshake is answered, so that it can refuse it by raising, and the
    cookies and session that it sets still reach the client. Text or bytes that it returns are sent
    before anything that the handler sends.

    Args:
        was: the request.
        talk: leads the conversation; the connection ends when it does.
        declared: the arguments of the decorator.
        encoding: the form of messages.

    Returns:
        atila.ANSWERED

    Raises:
        HTTPError: 400, the client asks for no subprotocol that the route speaks.
        Exception: any error of the handler, `onopen` or `onclose`.
    """
    app = was.app
    protocol = None
    if declared.protocols:
        protocol = choose(was.exchange.header(HEADER), declared.protocols)
    socket = WebSocket(
        hub_of(was.site),
        space_of(app),
        app.config,
        declared.timeout,
        encoding,
        protocol,
        partial(after_answer.start, was),
    )
    was.__dict__["websocket"] = socket
    # In place of the method of core, which reads the body of a request.
    was.__dict__["Input"] = socket.input
    # Where the handshake carries no cookie, what `onopen` has for the client is late already.
    was.headers_sent = not was.exchange.accepts_headers
    try:
        greeting = await _call(was, declared.onopen)
    except BaseException as error:
        was.headers_sent = False
        socket.abandon()
        if not isinstance(error, Exception):
            # The server stops: nobody knows how far `onopen` got.
            await _call(was, declared.onclose)
        raise
    code, transport = INTERNAL_ERROR, None
    try:
        transport = await was.accept(_headers(was), protocol)
        socket.start(transport)
        if greeting and isinstance(greeting, str | bytes):
            await socket.send(greeting)
        if spans.active is None:
            await talk(socket)
        else:
            route = was.app.mount_prefix + was.endpoint.route.rule
            with spans.active.inner(f"websocket {route}", {"http.route": route}):
                await talk(socket)
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


async def coroutine(was: Was, socket: WebSocket, handling: Awaitable[Any]) -> None:
    """Lead a conversation that is an `async def` handler.

    When the connection has ended, the handler has WS_GRACE seconds to notice; then it is cancelled,
    for one that waits for something else than the client would stay for ever.

    Args:
        was: the request.
        socket: the connection.
        handling: the handler, called.

    Raises:
        ClientGone: the handler sent something to a closed connection.
        Exception: whatever the handler raises.
    """
    now = asyncio.get_running_loop().time
    grace: float = was.app.config.WS_GRACE
    try:
        async with asyncio.timeout(None) as limit:
            socket.when_closed(lambda: limit.reschedule(now() + grace))
            try:
                await handling
            finally:
                socket.when_closed(None)
    except TimeoutError:
        if not limit.expired():
            raise
        log.warning(
            "%s went on for %g s after its connection had ended, and was cancelled",
            was.endpoint.route.name,
            grace,
        )
