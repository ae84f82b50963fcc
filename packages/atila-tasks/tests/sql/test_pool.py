"""The pool by itself: never too many connections, none lost, nobody forgotten."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atila_tasks.core.errors import PoolExhausted
from atila_tasks.databases.pool import Pool


class Connection:
    def __init__(self) -> None:
        self.ended = False

    def is_closed(self) -> bool:
        return self.ended

    async def close(self) -> None:
        self.ended = True

    def terminate(self) -> None:
        self.ended = True


class Server:
    """Where connections are made; some fail."""

    def __init__(self, seed: int = 0) -> None:
        self.made: list[Connection] = []
        self.random = random.Random(seed)
        self.fails = 0.0

    @property
    def open(self) -> int:
        return sum(not connection.ended for connection in self.made)

    async def connect(self) -> Connection:
        await asyncio.sleep(0)
        if self.random.random() < self.fails:
            raise ConnectionError
        connection = Connection()
        self.made.append(connection)
        return connection


async def well(connection: Connection) -> None:
    if connection.ended:
        raise ConnectionError


def pool_of(
    server: Server, size: int, patience: float = 5.0, idle: float = 60.0
) -> Pool[Connection]:
    return Pool("@x", server.connect, well, size=size, patience=patience, idle=idle)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 4), users=st.integers(1, 25))
def test_whatever_happens(seed: int, size: int, users: int) -> None:
    """Users that are cancelled, connections that break, and some that cannot be made."""

    async def main() -> None:
        server = Server(seed)
        server.fails = 0.2
        pool = pool_of(server, size)
        chance = server.random.random
        held = 0

        async def use() -> None:
            nonlocal held
            for _ in range(4):
                try:
                    connection = pool.take_free() or await pool.take()
                except ConnectionError:
                    continue
                held += 1
                assert held <= size
                assert server.open <= size
                try:
                    for _ in range(server.random.randrange(3)):
                        await asyncio.sleep(0)
                finally:
                    held -= 1
                    if chance() < 0.2:
                        connection.ended = chance() < 0.5
                        pool.drop(connection)
                    else:
                        pool.give(connection)

        tasks = [asyncio.create_task(use()) for _ in range(users)]
        for _ in range(users):
            await asyncio.sleep(0)
            if chance() < 0.5:
                server.random.choice(tasks).cancel()
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            error = None if task.cancelled() else task.exception()
            assert error is None, error
        assert pool.busy == 0
        # All places are there still.
        server.fails = 0.0
        taken = [await pool.take() for _ in range(size)]
        for connection in taken:
            pool.give(connection)
        await pool.close()
        assert server.open == 0

    asyncio.run(main())


def test_who_waits_too_long() -> None:
    async def main() -> None:
        pool = pool_of(Server(), 1, patience=0.05)
        connection = await pool.take()
        with pytest.raises(PoolExhausted) as error:
            await pool.take()
        assert error.value.code == 503
        pool.give(connection)
        assert await pool.take() is connection

    asyncio.run(main())


def test_first_come_first_served() -> None:
    async def main() -> None:
        pool = pool_of(Server(), 1)
        order: list[int] = []

        async def use(number: int) -> None:
            connection = await pool.take()
            order.append(number)
            await asyncio.sleep(0)
            pool.give(connection)

        await asyncio.gather(*(use(number) for number in range(10)))
        assert order == list(range(10))

    asyncio.run(main())


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only where a test says so, on a busy machine, too."""

    now = 1000.0

    def time(self) -> float:
        return self.now

    async def pass_time(self, seconds: float) -> None:
        self.now += seconds
        # What is due now runs in the next turn, and what that begins in the one after it.
        for _ in range(3):
            await asyncio.sleep(0)


def test_idle_ones_are_closed_the_others_stay() -> None:
    async def main() -> None:
        server = Server()
        pool = pool_of(server, 3, idle=0.5)
        for connection in [await pool.take() for _ in range(3)]:
            pool.give(connection)
        for _ in range(20):
            # One is enough for who comes one by one.
            pool.give(pool.take_free() or await pool.take())
            await loop.pass_time(0.1)
        assert (server.open, len(server.made)) == (1, 3)
        await pool.close()
        assert server.open == 0

    loop = Loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())


def test_connections_that_end_while_nobody_uses_them() -> None:
    async def main() -> None:
        server = Server()
        pool = pool_of(server, 2)
        for connection in [await pool.take() for _ in range(2)]:
            pool.give(connection)
            connection.ended = True
        taken = [await pool.take() for _ in range(2)]
        assert not any(connection.ended for connection in taken)
        assert pool.open == 2

    asyncio.run(main())
