"""WS_CHATTY: a conversation as a generator."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from enum import Enum
from typing import TYPE_CHECKING, Any

from atila_ws.connection import END
from atila_ws.outbox import TURN
from atila_ws.styles.conversation import in_one_context

if TYPE_CHECKING:
    from atila.was import Was
    from atila_ws.connection import WebSocket


class Wants(Enum):
    """The next need of a generator: a message, or its turn."""

    MESSAGE = "a message of the client"
    ROOM = "room for more messages to it"
    NOTHING = "it has ended"


class Dialogue:
    """One connection's generator. Any thread may advance it, and only one does at a time.

    Args:
        start: gives the generator.
        socket: the connection that it sends to.
        turns: it runs on the task loop, where others must have their turn.
    """

    def __init__(
        self, start: Callable[[], Generator[Any, Any, Any]], socket: WebSocket, *, turns: bool
    ) -> None:
        self._turns = turns
        self._turn = 0
        self._start = start
        self._socket = socket
        self._generator: Generator[Any, Any, Any] | None = None
        # When the server stops, a step may be under way in a thread which nothing can interrupt;
        # `close` has to wait for it.
        self._lock = threading.Lock()

    def advance(self, message: Any) -> Wants:
        """Run it until it needs a message, sending the yielded ones; may block.

        Args:
            message: the message that it has waited for.

        Raises:
            ClientGone: the yielded message cannot be sent any more.
            Exception: any error that it raises.
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
            self._turn += 1
            if not self._socket.has_room() or (self._turns and self._turn % TURN == 0):
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
    run = in_one_context(was, in_pool=in_pool)
    dialogue = Dialogue(start, socket, turns=not in_pool)
    wants = Wants.ROOM
    over = False
    try:
        while wants is not Wants.NOTHING and not (over and wants is Wants.MESSAGE):
            message = None
            if wants is Wants.MESSAGE:
                message = await socket.next()
                if message is END:
                    message, over = None, True
            else:
                await socket.flush()
            wants = await run(dialogue.advance, message)
    finally:
        if wants is not Wants.NOTHING:
            await run(dialogue.close)
