"""Clients that leave while their requests are under way.

A request that waits for a worker thread is taken out of the queue, one that is processed on the
task loop is cancelled. Most requests are answered within `SWEEP_SECONDS` and are never watched:
there is one timer for all of them, which runs only while there are any.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from typing import TYPE_CHECKING, Any

from atila.errors import CLIENT_LEFT
from atila.http import uploads

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import Exchange
    from atila.runtime.loop import TaskLoop
    from atila.runtime.pool import WorkerPool

SWEEP_SECONDS = 0.2
"""A request is watched when it has been under way for one to two times as long."""

log = logging.getLogger("atila.site")


class Watch:
    """Waits for the client of one request to leave. On the task loop only.

    Args:
        exchange: the request.

    Attributes:
        has_left: whether `leave` was called.
    """

    __slots__ = ("_departure", "_exchange", "has_left")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange: Exchange | None = exchange
        self._departure: asyncio.Future[None] | None = None
        self.has_left = False

    def leave(self) -> None:
        """Called once when the client has left."""
        raise NotImplementedError

    def listen(self) -> None:
        """Wait for the client from now on, unless it was stopped."""
        if self._exchange is not None and self._departure is None:
            self._departure = self._exchange.departure()
            self._departure.add_done_callback(self._departed)

    def _departed(self, departure: asyncio.Future[None]) -> None:
        # Cancelled where the loop ends, with all that waits on it.
        if self._exchange is not None and not departure.cancelled():
            # An error of the server is logged, and no client that has left.
            departure.result()
            self.has_left = True
            self.leave()

    def stop(self) -> None:
        """Wait no longer: the request is answered."""
        self._exchange = None
        departure, self._departure = self._departure, None
        if departure is not None:
            departure.remove_done_callback(self._departed)
            departure.cancel()


class TaskWatch(Watch):
    """Has an asyncio task cancelled when the client leaves between `begin` and `stop`."""

    __slots__ = ("_begun", "_departures", "_task")

    def __init__(self, exchange: Exchange, departures: Departures) -> None:
        # All of its own: one call for each request on the task loop, not two.
        self._exchange, self._departures = exchange, departures
        self._departure, self.has_left = None, False
        self._task: asyncio.Task[Any] | None = None
        # The end of a WebSocket is known by its transport.
        self._begun = exchange.is_websocket

    def begin(self) -> None:
        """The running task waits for something; most requests never do."""
        if not self._begun:
            self._begun = True
            self._task = asyncio.current_task()
            self._departures.add(self)

    def leave(self) -> None:
        if self._task is not None:
            self._task.cancel()


class QueueWatch(Watch):
    """Has a request that waits for a worker thread taken out of the queue."""

    __slots__ = ("_departures", "_was")

    def __init__(self, was: Was, departures: Departures) -> None:
        super().__init__(was.exchange)
        self._was, self._departures = was, departures

    def leave(self) -> None:
        self._departures.withdraw(self._was)


class Unwatched:
    """In place of a watch for a WebSocket, which needs none, and may stay for days."""

    has_left = False

    @staticmethod
    def begin() -> None:
        """Do nothing."""

    stop = begin


class Departures:
    """The watches of a site. On the task loop only, but for `watch_queue`.

    Args:
        loop: the task loop.
        pool: the worker threads, and the requests that wait for them.
    """

    def __init__(self, loop: TaskLoop, pool: WorkerPool) -> None:
        self._loop = loop
        self._pool = pool
        self._young: list[Watch] = []
        self._grown: list[Watch] = []
        self._queued: dict[Was, Watch] = {}
        self._left: set[Was] = set()
        self._is_sweeping = False
        pool.all_busy = self.watch_queue

    def add(self, watch: Watch) -> None:
        """Have a watch listen, unless it is stopped soon."""
        self._young.append(watch)
        if not self._is_sweeping:
            self._start()

    def watch_queue(self) -> None:
        """All worker threads are busy, and a request waits. From any thread."""
        if not self._is_sweeping:
            self._loop.call(self._start)

    def _start(self) -> None:
        if not self._is_sweeping:
            self._is_sweeping = True
            # Of no request: it would be kept until then.
            self._loop.loop.call_later(SWEEP_SECONDS, self._sweep, context=Context())

    def _sweep(self) -> None:
        for watch in self._grown:
            watch.listen()
        self._grown, self._young = self._young, []
        self._look_at_queue()
        self._is_sweeping = False
        if self._grown or self._pool.waiting:
            self._start()

    def _look_at_queue(self) -> None:
        waiting = {job[0]: None for job in self._pool.queued() if job}
        for was in self._queued.keys() - waiting.keys():
            self._queued.pop(was).stop()
        for was in waiting:
            watch = self._queued.get(was)
            if watch is not None:
                watch.listen()
            elif not was.exchange.is_websocket:
                self._queued[was] = QueueWatch(was, self)

    def withdraw(self, was: Was) -> None:
        """Take a request out of the queue, whose client has left."""
        # Many leave at once: one look at the queue is enough for them.
        if not self._left:
            self._loop.loop.call_soon(self._withdraw)
        self._left.add(was)

    def _withdraw(self) -> None:
        left, self._left = self._left, set()
        for job in self._pool.withdraw(lambda job: bool(job) and job[0] in left):
            abandon(job[0])


def abandon(was: Was) -> None:
    """End a request whose client has left before anything was done for it: no hook has seen it.

    From any thread; never raises.
    """
    uploads.discard(was)
    try:
        was.exchange.respond(CLIENT_LEFT, (), b"")
    except Exception:
        log.exception("request %s, whose client has left, could not be ended", was.request_id)
