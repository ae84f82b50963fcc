"""Time limits of work on the task loop: each is called in time, none for what has ended."""

from __future__ import annotations

import asyncio
import time

from atila.testing.waits import patience
from atila_tasks.upstream.time_limits import TimeLimits


class Work:
    """Notes when its time is over."""

    def __init__(self) -> None:
        self.over_at = 0.0
        self.over = asyncio.Event()

    def time_up(self) -> None:
        self.over_at = time.monotonic()
        self.over.set()


async def until(works: list[Work]) -> None:
    async with asyncio.timeout(patience()):
        for work in works:
            await work.over.wait()


def test_each_ends_in_time_whichever_has_ended_before() -> None:
    async def use() -> None:
        limits = TimeLimits(asyncio.get_running_loop())
        deadlines = {}
        for seconds in (0.05, 0.02, 0.03):
            for number in range(20):
                work = Work()
                deadline = deadlines[work] = time.monotonic() + seconds
                limit = limits.of(seconds)
                limit.note(work, deadline)
                if number % 2:
                    limit.forget(work)
                    del deadlines[work]
        await until([*deadlines])
        assert all(deadline <= work.over_at for work, deadline in deadlines.items())
        # A second one, after all have ended.
        work = Work()
        limits.of(0.02).note(work, time.monotonic() + 0.02)
        await until([work])

    asyncio.run(use())


def test_one_that_was_forgotten_is_not_called() -> None:
    async def use() -> None:
        limits = TimeLimits(asyncio.get_running_loop())
        ended, other = Work(), Work()
        deadline = time.monotonic() + 0.01
        limits.of(0.01).note(ended, deadline)
        limits.of(0.01).note(other, deadline)
        limits.of(0.01).forget(ended)
        await until([other])
        assert not ended.over_at

    asyncio.run(use())


def test_limits_that_are_all_different_are_forgotten_with_their_work() -> None:
    async def use() -> None:
        loop = asyncio.get_running_loop()
        limits = TimeLimits(loop)
        for number in range(1000):
            work, seconds = Work(), 100 + number / 1000
            limits.of(seconds).note(work, time.monotonic() + seconds)
            limits.of(seconds).forget(work)
        assert len(limits._lines) < 20

    asyncio.run(use())
