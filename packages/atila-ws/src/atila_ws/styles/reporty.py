"""WS_REPORTY: one call of the handler for each message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila_ws.connection import END
from atila_ws.styles.conversation import in_one_context

if TYPE_CHECKING:
    from atila.was import Was
    from atila_ws.connection import WebSocket


async def report(was: Was, socket: WebSocket, call: Callable[[Any], Any], *, in_pool: bool) -> None:
    """Lead a conversation to its end: call the handler for each message, and send its result.

    The messages of one client are taken one after the other. An awaitable result, such as a task,
    is awaited on the task loop; None is not sent.

    Args:
        was: the request.
        socket: the connection.
        call: the handler, with its parameters, for a message.
        in_pool: it runs in worker threads, else on the task loop.

    Raises:
        ClientGone: the handler sent something to a closed connection.
        Exception: any error that the handler raises.
    """
    run = in_one_context(was, in_pool=in_pool)
    while (message := await socket.next()) is not END:
        value = await run(call, message)
        if hasattr(type(value), "__await__"):
            value = await value
        if value is not None:
            await socket.send(value)
