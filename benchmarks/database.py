"""The PostgreSQL server that some contestants need, with its table filled."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.apps.database import stock
from benchmarks.contestants import Contestant


@contextmanager
def serving(contestants: Sequence[Contestant]) -> Iterator[None]:
    """Have it run while the block does, if one of these contestants needs it."""
    if not any(contestant.needs == "postgresql" for contestant in contestants):
        yield
        return
    from atila_tasks.testing import PostgreSQLServer

    with PostgreSQLServer() as server:
        # Contestants inherit the environment.
        os.environ["BENCHMARK_POSTGRESQL"] = server.address
        stock.DSN = f"postgresql://{server.address}"
        asyncio.run(stock.fill())
        yield
