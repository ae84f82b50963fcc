"""The time limits of connections, which share one timer."""

import asyncio
import types

from atila.testing.waits import PATIENCE
from atila_ws.limits import LOOKS, Limits

LIMIT = 0.2


class Connection:
    def __init__(self, limits):
        self.limits = limits
        self.looks = []
        self.ends_at = None

    def check(self, now):
        self.looks.append(now)
        if len(self.looks) == self.ends_at:
            self.limits.discard(self, LIMIT)

    async def seen(self, times):
        async with asyncio.timeout(PATIENCE):
            while len(self.looks) < times:  # noqa: ASYNC110 - looks are not announced
                await asyncio.sleep(LIMIT / LOOKS)


def open_limits():
    loop = types.SimpleNamespace(loop=asyncio.get_running_loop())
    return Limits(types.SimpleNamespace(loop=loop))


def test_all_that_have_the_same_limit_share_a_timer():
    async def run():
        limits = open_limits()
        one, other, longer = (Connection(limits) for _ in range(3))
        limits.add(one, LIMIT)
        limits.add(other, LIMIT)
        limits.add(longer, 3600)
        await one.seen(3)
        assert one.looks == other.looks
        assert not longer.looks
        assert len(limits._timers) == 2

        limits.discard(one, LIMIT)
        looks = len(one.looks)
        await other.seen(looks + 3)
        assert len(one.looks) == looks

    asyncio.run(run())


def test_it_is_looked_at_often_enough():
    async def run():
        limits = open_limits()
        connection = Connection(limits)
        limits.add(connection, LIMIT)
        await connection.seen(LOOKS + 1)
        first, *_, last = connection.looks
        assert last - first >= LIMIT

    asyncio.run(run())


def test_without_connections_there_is_no_timer():
    async def run():
        limits = open_limits()
        ends, stays = Connection(limits), Connection(limits)
        ends.ends_at = 2
        limits.add(ends, LIMIT)
        limits.add(stays, LIMIT)
        await stays.seen(4)
        assert len(ends.looks) == 2
        limits.discard(stays, LIMIT)
        limits.discard(stays, LIMIT)
        assert not limits._timers
        assert not limits._limited

    asyncio.run(run())
