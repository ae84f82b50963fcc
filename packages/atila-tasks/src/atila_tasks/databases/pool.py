"""A pool of connections to one server, for one event loop.

Connections and timers are of no request: the event loop keeps the variables that they were made
with, and a request's are the whole of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextvars import Context
from typing import Generic, Protocol, TypeVar

from atila.runtime.context import outside
from atila_tasks.core.errors import PoolExhausted


class Connected(Protocol):
    """The parts of a connection that a pool uses."""

    def is_closed(self) -> bool:
        """Whether it cannot be used any more."""

    async def close(self) -> None:
        """End it."""

    def terminate(self) -> None:
        """End it at once."""


C = TypeVar("C", bound=Connected)

HEALTH_AFTER = 30.0
"""Seconds without use after which a connection is tried before it is given out."""
QUIET_AFTER = 0.005
"""Seconds without use after which the operating system is asked whether its server has ended it."""
GOODBYE = 2.0
"""Seconds that a connection has to end in good order."""


class Pool(Generic[C]):
    """Connections, made as they are needed. On the task loop only, hence without locks.

    Args:
        name: the name of the alias, for errors.
        connect: makes a connection.
        check: raises if a connection does not work any more.
        is_quiet: whether a connection looks sound, without asking the server: that there is nothing
            to be read from it.
        size: the most connections.
        patience: seconds that a request waits for one.
        idle: seconds without use after which one is closed; infinity for never.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Awaitable[C]],
        check: Callable[[C], Awaitable[object]],
        *,
        is_quiet: Callable[[C], bool] = lambda connection: True,
        size: int,
        patience: float,
        idle: float,
    ) -> None:
        self._name = name
        self._connect = connect
        self._check = check
        self._is_quiet = is_quiet
        self._size = size
        self._patience = patience
        self._idle = idle
        # The one used last is taken first, so that those not needed grow old.
        self._free: deque[tuple[C, float]] = deque()
        # Each with the time at which it is over; all wait equally long, so the first is the next.
        self._waiting: deque[tuple[asyncio.Future[C | None], float]] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._all: set[C] = set()
        self._opening = 0
        self._timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._is_over = False

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._all)

    @property
    def connections(self) -> Collection[C]:
        """All of them, those given out as well."""
        return tuple(self._all)

    @property
    def busy(self) -> int:
        """How many of them are given out."""
        return len(self._all) - len(self._free)

    def take_free(self) -> C | None:
        """A connection that is there and was used lately; None if there is none."""
        if self._free:
            connection, since = self._free[-1]
            now = asyncio.get_running_loop().time()
            if not connection.is_closed() and self._looks_well(connection, now - since):
                self._free.pop()
                return connection
        return None

    def _looks_well(self, connection: C, idle: float) -> bool:
        return idle < QUIET_AFTER or (idle < HEALTH_AFTER and self._is_quiet(connection))

    async def take(self) -> C:
        """A connection; to be given back by `give`.

        Raises:
            PoolExhausted: there was none in time.
            Exception: as `connect`.
        """
        loop = asyncio.get_running_loop()
        while self._free:
            connection, since = self._free.pop()
            idle = loop.time() - since
            if not connection.is_closed() and (
                self._looks_well(connection, idle) or await self._works(connection)
            ):
                return connection
            self._all.discard(connection)
            self._pass_on()
        if len(self._all) + self._opening >= self._size:
            given = await self._wait(loop)
            if given is not None:
                return given
        else:
            self._opening += 1
        return await self._open_one()

    async def _works(self, connection: C) -> bool:
        try:
            await self._check(connection)
        except asyncio.CancelledError:
            self.drop(connection)
            raise
        except Exception:
            connection.terminate()
            return False
        return True

    async def _wait(self, loop: asyncio.AbstractEventLoop) -> C | None:
        """A connection that another request gives back; None for the right to open one."""
        place: asyncio.Future[C | None] = loop.create_future()
        deadline = loop.time() + self._patience
        self._waiting.append((place, deadline))
        if self._alarm is None:
            self._alarm = loop.call_at(deadline, self._give_up, context=Context())
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                # It was given a connection in the same moment: on to the next.
                given = place.result()
                if given is None:
                    self._opening -= 1
                    self._pass_on()
                else:
                    self.give(given)
            while self._waiting and self._waiting[0][0].done():
                self._waiting.popleft()
            raise

    def _give_up(self) -> None:
        """End the waiters whose time is over."""
        loop = asyncio.get_running_loop()
        self._alarm = None
        while self._waiting:
            place, deadline = self._waiting[0]
            if not place.done() and deadline > loop.time():
                self._alarm = loop.call_at(deadline, self._give_up, context=Context())
                return
            self._waiting.popleft()
            if not place.done():
                place.set_exception(PoolExhausted(self._name, self._size, self._patience))

    async def _open_one(self) -> C:
        """Open one, for which there is room: it is counted already."""
        try:
            connection = await outside(self._connect())
        except BaseException:
            self._opening -= 1
            self._pass_on()
            raise
        self._opening -= 1
        if self._is_over:
            connection.terminate()
        else:
            self._all.add(connection)
        return connection

    def give(self, connection: C) -> None:
        """Give back a connection that works."""
        if connection.is_closed() or self._is_over:
            self.drop(connection)
            return
        while self._waiting:
            place, _ = self._waiting.popleft()
            if not place.done():
                place.set_result(connection)
                return
        loop = asyncio.get_running_loop()
        self._free.append((connection, loop.time()))
        if self._timer is None and self._idle < float("inf"):
            self._timer = loop.call_later(self._idle, self._expire, context=Context())

    def drop(self, connection: C) -> None:
        """Give back a connection that may not work any more: it is closed, and replaced when one
        is needed.
        """
        self._all.discard(connection)
        if not connection.is_closed():
            task = asyncio.get_running_loop().create_task(_end(connection))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        self._pass_on()

    def _pass_on(self) -> None:
        """Let the longest waiter open a connection."""
        while self._waiting and len(self._all) + self._opening < self._size:
            place, _ = self._waiting.popleft()
            if not place.done():
                # Its place is taken now, so that nobody comes first.
                self._opening += 1
                place.set_result(None)
                return

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._free and loop.time() - self._free[0][1] >= self._idle:
            self.drop(self._free.popleft()[0])
        if self._free:
            self._timer = loop.call_at(
                self._free[0][1] + self._idle, self._expire, context=Context()
            )

    async def close(self) -> None:
        """Close all connections, those given out as well."""
        self._is_over = True
        for timer in (self._timer, self._alarm):
            if timer is not None:
                timer.cancel()
        self._free.clear()
        for place, _ in self._waiting:
            if not place.done():
                place.cancel()
        for connection in list(self._all):
            self.drop(connection)
        if self._ending:
            await asyncio.wait(self._ending, timeout=GOODBYE + 1)


async def _end(connection: Connected) -> None:
    try:
        async with asyncio.timeout(GOODBYE):
            await connection.close()
    except BaseException:
        connection.terminate()
