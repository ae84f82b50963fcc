"""WS_CHATTY: a conversation written as a generator."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Generator
from contextvars import copy_context
from enum import Enum
from typing import TYPE_CHECKING, Any

from atila.streams import in_worker

if TYPE_CHECKING:
    from atila.was import Was
    from atila_ws.connection import WebSocket

Run = Callable[..., Awaitable[Any]]


class Wants(Enum):
    """What a generator needs to go on."""

    MESSAGE = "a message of the client"
    ROOM = "room for more messages to it"
    NOTHING = "it has ended"


class Dialogue:
    """One connection's generator. Any thread may advance it, and only one does at a time.

    Args:
        start: gives the generator.
        socket: what it sends to.
    """

    def __init__(self, start: Callable[[], Generator[Any, Any, Any]], socket: WebSocket) -> None:
        self._start = start
        self._socket = socket
        self._generator: Generator[Any, Any, Any] | None = None
        # When the server stops, a step may be under way in a thread which nothing can interrupt;
        # `close` has to wait for it.
        self._lock = threading.Lock()

    def advance(self, message: str | bytes | None) -> Wants:
        """Run it until it needs something, sending what it yields; may block.

        Args:
            message: what it has waited for.

        Raises:
            ClientGone: what it yielded cannot be sent any more.
            Exception: whatever it raises.
        """
        with self._lock:
            if self._generator is None:
                self._generator = self._start()
            try:
                return self._advance(self._generator, message)
            except StopIteration as end:
                if end.value is not None:
                    self._socket.put(end.value)
                return Wants.NOTHING

    def _advance(self, generator: Generator[Any, Any, Any], message: Any) -> Wants:
        yielded = generator.send(message)
        while yielded is not None:
            try:
                self._socket.put(yielded)
            except TypeError as error:
                # Raised where it was yielded, for the traceback to show that line.
                yielded = generator.throw(error)
                continue
            if not self._socket.has_room():
                return Wants.ROOM
            yielded = next(generator)
        return Wants.MESSAGE

    def close(self) -> None:
        """Have it run its `finally` blocks; may block."""
        with self._lock:
            if self._generator is not None:
                self._generator.close()


async def converse(
    was: Was,
    socket: WebSocket,
    start: Callable[[], Generator[Any, Any, Any]],
    *,
    in_pool: bool,
) -> None:
    """Lead a conversation to its end.

    The generator gets None once when the connection has ended. If it wants yet another message
    after that, or sends one, it is closed: GeneratorExit at its `yield`.

    Args:
        was: the request.
        socket: the connection.
        start: gives the generator.
        in_pool: its steps run in worker threads, else on the task loop.

    Raises:
        ClientGone: the generator sent something to a closed connection.
        Exception: whatever the generator raises.
    """
    run = _in_one_context(was, in_pool=in_pool)
    dialogue = Dialogue(start, socket)
    wants = Wants.ROOM
    over = False
    try:
        while wants is not Wants.NOTHING and not (over and wants is Wants.MESSAGE):
            message = None
            if wants is Wants.MESSAGE:
                message = await socket.receive()
                over = message is None
            else:
                await socket.room()
            wants = await run(dialogue.advance, message)
    finally:
        if wants is not Wants.NOTHING:
            await run(dialogue.close)


def _in_one_context(was: Was, *, in_pool: bool) -> Run:
    """Gives a function that calls others, all in one context, whatever thread they run in."""
    # So the context variables that the handler sets stay from step to step, and `atila.current`
    # is this request's in each of them.
    context = copy_context()

    async def in_thread(func: Callable[..., Any], *args: Any) -> Any:
        return await in_worker(was, context.run, func, *args)

    async def on_loop(func: Callable[..., Any], *args: Any) -> Any:
        return context.run(func, *args)

    return in_thread if in_pool else on_loop
