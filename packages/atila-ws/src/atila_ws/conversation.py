"""One WebSocket from handshake to end: what all specs have in common."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from atila import ANSWERED, ClientGone
from atila.streams import in_worker
from atila_ws.connection import GOING_AWAY, INTERNAL_ERROR, NORMAL, WebSocket

if TYPE_CHECKING:
    from atila.was import Was
    from atila_ws.declaration import Declaration

Talk = Callable[[WebSocket], Awaitable[None]]

log = logging.getLogger("atila.ws")


async def run(was: Was, talk: Talk, declared: Declaration) -> Any:
    """Accept a WebSocket, talk, and close it: with 1000, or 1011 if the handler raised.

    Args:
        was: the request.
        talk: leads the conversation; the connection ends when it does.
        declared: what the handler was decorated with.

    Returns:
        atila.ANSWERED

    Raises:
        Exception: whatever the handler, `onopen` or `onclose` raised.
    """
    transport = await was.exchange.accept()
    was.answering = True
    socket = WebSocket(transport, was.site.loop, was.app.config, declared.timeout)
    was.__dict__["websocket"] = socket
    code = INTERNAL_ERROR
    try:
        await _call(was, declared.onopen)
        await talk(socket)
        code = NORMAL
    except ClientGone:
        # Of another connection it is an error like any other.
        if not socket.closed:
            raise
    except asyncio.CancelledError:
        code = GOING_AWAY
        raise
    finally:
        try:
            await socket.close(code)
        finally:
            await _call(was, declared.onclose)
    return ANSWERED


async def _call(was: Was, hook: Callable[[Was], Any] | None) -> None:
    if hook is None:
        return
    if inspect.iscoroutinefunction(hook):
        await hook(was)
    else:
        await in_worker(was, copy_context().run, hook, was)


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
