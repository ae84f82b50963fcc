"""No framework: a bare coroutine on Granian's own protocol (RSGI) with asyncpg's pool."""

import asyncio
from typing import Any

import asyncpg
import orjson

from benchmarks.apps.database.stock import CONNECTIONS, DSN, FEW, LOW, ROW, SUMMARY, UP_TO

JSON = [("content-type", "application/json")]
TEXT = [("content-type", "text/plain; charset=utf-8")]


class App:
    pool: Any

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.pool = loop.run_until_complete(
            asyncpg.create_pool(DSN, min_size=CONNECTIONS, max_size=CONNECTIONS)
        )

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        path: str = scope.path
        pool = self.pool
        if path.startswith("/row/"):
            record = await pool.fetchrow(ROW, int(path[5:]))
            protocol.response_bytes(200, JSON, orjson.dumps(dict(record)))
        elif path == "/two":
            low, summary = await asyncio.gather(pool.fetch(LOW, FEW), pool.fetchrow(SUMMARY, UP_TO))
            page = {"low": [dict(row) for row in low], "summary": dict(summary)}
            protocol.response_bytes(200, JSON, orjson.dumps(page))
        else:
            protocol.response_str(404, TEXT, "not found")


app = App()
