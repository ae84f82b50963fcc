"""Spare threads, which work in place of worker threads that wait.

A handler's thread is scarce, and it may wait for something scarcer still: a processor for a
password hash, a connection of a pool, a lock. Code that is about to wait enters `waiting`, and the
pool of its thread may run another one in its place, up to its number of spare threads. So a slow
resource delays the handlers that need it, and no others. Of one route no more threads wait than the
pool has without the spare ones; its further requests wait without a thread (`crowds`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from atila.errors import BUSY, HTTPError
from atila.runtime.loop import in_event_loop

if TYPE_CHECKING:
    from types import TracebackType


class Lender(Protocol):
    """Whose thread waits."""

    def lend(self, *, sheds: bool) -> bool:
        """The calling thread is about to wait.

        Args:
            sheds: the caller fails, in place of waiting, if the answer is False.

        Returns:
            Whether another thread may take its place.
        """

    def take_back(self, *, sheds: bool) -> None:
        """The wait of the calling thread is over; to be called if `lend` gave True."""


class _Own(threading.local):
    """The data of a thread.

    Attributes:
        lender: the pool that it belongs to; None for foreign threads.
        is_lent: whether it waits already.
        doing: in its only place, the function that it carries out for its pool.
    """

    lender: Lender | None = None
    is_lent = False

    def __init__(self) -> None:
        self.doing: list[Callable[..., object]] = [id]


own = _Own()


class waiting:
    """Around a wait of the calling thread: `with waiting(): finished.acquire()`.

    Nothing in threads that belong to no pool, and on a loop.

    Args:
        sheds: raise rather than wait in a thread that no spare one can replace.

    Raises:
        HTTPError: 503, as many threads wait as may.
    """

    __slots__ = ("_lender", "_sheds")

    def __init__(self, *, sheds: bool = False) -> None:
        self._sheds = sheds
        self._lender: Lender | None = None

    def __enter__(self) -> None:
        lender = own.lender
        if lender is None or own.is_lent:
            return
        if lender.lend(sheds=self._sheds):
            own.is_lent = True
            self._lender = lender
        elif self._sheds:
            raise too_many()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._lender is not None:
            own.is_lent = False
            self._lender.take_back(sheds=self._sheds)


def too_many() -> HTTPError:
    """The error of a request that would have to wait where too many do."""
    return HTTPError(503, "too many requests wait for the same", 0, BUSY)


class Lock:
    """A lock that the thread which has it may take again, and that others wait for in spare
    threads: `with lock: …`.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            with waiting():
                self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


class Gate:
    """Limits the threads in a piece of code that gains nothing from more: `with gate: …`.

    Others wait, handlers' threads in exchange for spare ones; handlers without a spare thread are
    refused.

    Args:
        places: the most threads at a time.

    Raises:
        HTTPError: 503, too many wait already, or waiting would block an event loop.
    """

    def __init__(self, places: int) -> None:
        self._places = threading.BoundedSemaphore(places)

    def __enter__(self) -> None:
        if self._places.acquire(blocking=False):
            return
        if in_event_loop():
            raise too_many()
        with waiting(sheds=True):
            self._places.acquire()

    def __exit__(self, *error: object) -> None:
        self._places.release()


SERVER_THREADS = 4
"""Threads of a WSGI server that may wait at a time, where waiting can be refused."""


class ServerThreads:
    """The threads of a WSGI server, which alone knows how many there are, and starts no others."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(SERVER_THREADS)

    def lend(self, *, sheds: bool) -> bool:
        """See `Lender`."""
        return sheds and self._places.acquire(blocking=False)

    def take_back(self, *, sheds: bool) -> None:
        """See `Lender`."""
        self._places.release()
