"""WS_COROUTINE: a conversation as a generator that waits for messages and tasks alike."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any

from atila_ws.connection import END, Input
from atila_ws.styles.conversation import Run, in_one_context

if TYPE_CHECKING:
    from atila.was import Was
    from atila_ws.connection import WebSocket


class _Over:
    """The generator has returned this."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


async def drive(
    was: Was, socket: WebSocket, start: Callable[[], Generator[Any, Any, Any]], *, in_pool: bool
) -> None:
    """Lead a conversation to its end.

    An awaitable that the generator yields is awaited, and the result sent back into it:
    `was.Input()` for the next message of the client, or a task. Any other value is sent to the
    client. It gets None for a message
    once when the connection has ended; if it wants yet another one after that it is closed:
    GeneratorExit at its `yield`.

    Args:
        was: the request.
        socket: the connection.
        start: gives the generator.
        in_pool: its first step runs in a worker thread, so that it may block, as that of other
            coroutines does; all others run on the task loop.

    Raises:
        ClientGone: the generator sent something to a closed connection.
        Exception: any error that the generator raises.
    """
    first = in_one_context(was, in_pool=in_pool)
    step = in_one_context(was, in_pool=False)
    generator = start()
    try:
        yielded = await first(_advance, generator.send, None)
        is_over = False
        while not isinstance(yielded, _Over):
            if yielded is None or isinstance(yielded, Input):
                if is_over:
                    return
                message = await socket.next()
                is_over = message is END
                yielded = await step(_advance, generator.send, None if is_over else message)
            elif inspect.isawaitable(yielded):
                yielded = await _wait_for(yielded, generator, step)
            else:
                yielded = await _send(yielded, socket, generator, step)
        if yielded.value is not None:
            await socket.send(yielded.value)
    finally:
        generator.close()


async def _wait_for(awaited: Awaitable[Any], generator: Generator[Any, Any, Any], step: Run) -> Any:
    try:
        value = await awaited
    except Exception as error:
        return await step(_advance, generator.throw, error)
    return await step(_advance, generator.send, value)


async def _send(
    message: Any, socket: WebSocket, generator: Generator[Any, Any, Any], step: Run
) -> Any:
    try:
        await socket.send(message)
    except TypeError as error:
        # Raised where it was yielded, for the traceback to show that line.
        return await step(_advance, generator.throw, error)
    return await step(_advance, generator.send, None)


def _advance(move: Callable[[Any], Any], value: Any) -> Any:
    """The generator's next yielded value; `_Over` if it has returned."""
    try:
        return move(value)
    except StopIteration as end:
        # StopIteration itself cannot leave `async def` (PEP 479).
        return _Over(end.value)
