"""`was.Queue`: answers that a function in a thread produces piece by piece."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from contextvars import copy_context
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import TYPE_CHECKING, Any, Concatenate

from atila import HTTPError, current
from atila.errors import BUSY
from atila.http.exchange import ClientGone
from atila.runtime.pool import WorkerPool
from atila.serving.provision import supplied_alone
from atila.serving.streams import to_bytes
from atila_tasks.core.backends import site_singleton

if TYPE_CHECKING:
    from atila import Was
    from atila.app.settings import Config

log = logging.getLogger("atila.tasks")

SIZE = 16
"""Pieces that may wait for the client."""


class Queue:
    """Takes the pieces of an answer from a producer.

    Args:
        was: the request.
        size: pieces that may wait.
    """

    def __init__(self, was: Was, size: int) -> None:
        self._loop = was.site.loop
        self._size = size
        self._pieces: deque[Any] = deque()
        self._room = threading.Condition()
        self._arrival = asyncio.Event()
        self._is_left = False
        self._is_ended = False
        self._error: Exception | None = None

    def put(self, piece: str | bytes | None) -> None:
        """Send a piece of the answer; None ends it. Waits while the client takes its time.

        Raises:
            ClientGone: the reader has left: the producer should clean up and end.
            TypeError: it is neither text nor bytes.
            RuntimeError: it has been ended already.
        """
        if piece is not None:
            to_bytes(piece)
        with self._room:
            if self._is_ended:
                raise RuntimeError("the queue has been ended: put(None) was its last")
            self._room.wait_for(lambda: self._is_left or len(self._pieces) < self._size)
            if self._is_left:
                raise ClientGone("the client has left")
            if piece is None:
                self._is_ended = True
            else:
                self._pieces.append(piece)
        self._tell()

    # For the answer, on the task loop.

    async def get(self) -> Any:
        """The next piece; None after the last.

        Raises:
            Exception: the producer's error.
        """
        while True:
            with self._room:
                if self._pieces:
                    self._room.notify()
                    return self._pieces.popleft()
                if self._error is not None:
                    raise self._error
                if self._is_ended:
                    return None
                self._arrival.clear()
            await self._arrival.wait()

    def leave(self) -> None:
        """The reader has left."""
        with self._room:
            self._is_left = True
            self._pieces.clear()
            self._room.notify_all()

    def end(self, error: Exception | None) -> bool:
        """The producer has ended. In its thread.

        Returns:
            Whether a reader is left that gets its error.
        """
        with self._room:
            is_open = not self._is_left and not self._is_ended
            if is_open:
                self._is_ended = True
                self._error = error
        self._tell()
        return is_open

    def _tell(self) -> None:
        # A loop that is closed has no waiter left.
        with suppress(RuntimeError):
            self._loop.call(self._arrival.set)


class Producers:
    """The threads of producers, which clients may hold for as long as they read.

    Args:
        size: the most of them.
    """

    def __init__(self, size: int) -> None:
        self.pool = WorkerPool(size, size, name="atila-producer", one_thread_per_job=True)
        self._running: set[Queue] = set()

    def start(self, was: Was, produce: Callable[[Queue], object], queue: Queue) -> bool:
        """Have a thread fill a queue; False if there is none."""
        self._running.add(queue)
        if self.pool.submit(copy_context().run, self._run, was, produce, queue):
            return True
        self._running.discard(queue)
        return False

    def _run(self, was: Was, produce: Callable[[Queue], object], queue: Queue) -> None:
        current.set(was)
        problem: Exception | None = None
        try:
            produce(queue)
        except Exception as error:
            problem = error
        except BaseException as error:
            # SystemExit and the like end a thread, not the answer to a request.
            problem = RuntimeError(f"a producer ended with {type(error).__name__}")
        self._running.discard(queue)
        if not queue.end(problem) and not isinstance(problem, ClientGone | None):
            log.error("request %s: its producer failed", was.request_id, exc_info=problem)

    def close(self) -> None:
        """End the producers, which have no readers any more."""
        for queue in tuple(self._running):
            queue.leave()


def _make(config: Config) -> Producers:
    return Producers(config.QUEUE_THREADS)


def queue(
    was: Was,
    produce: Callable[[Queue], object] | Callable[Concatenate[Queue, ...], object],
    /,
    *,
    size: int = SIZE,
) -> Any:
    """Answer with the pieces that a function puts into a queue: `return was.Queue(produce)`.

    Args:
        was: the request.
        produce: called as produce(queue) in a thread when the answer begins. It puts str or bytes,
            and None at the end, or returns. Further parameters are values of providers, made for it
            alone; they end when it does.
        size: pieces that may wait for the client before the producer has to.

    Returns:
        An asynchronous iterator of the pieces. It raises HTTPError 503 if too many producers run.

    Raises:
        TypeError: produce is `async def`.
    """
    if iscoroutinefunction(produce) or isasyncgenfunction(produce):
        raise TypeError(
            "was.Queue takes a plain function (queue); write an asynchronous generator for work"
            " that needs no thread"
        )
    return _pieces(was, supplied_alone(was, produce, 1, ()), size)


async def _pieces(was: Was, produce: Callable[[Queue], object], size: int) -> AsyncIterator[Any]:
    pieces = Queue(was, size)
    # Only now: a queue that is never answered with would have a producer that waits for ever.
    if not site_singleton(was.site, _make).start(was, produce, pieces):
        raise HTTPError(503, "too many answers are produced", 0, BUSY)
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
    finally:
        pieces.leave()
