"""FastAPI with asyncpg's pool."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI

from benchmarks.apps.database.stock import CONNECTIONS, DSN, FEW, LOW, ROW, SUMMARY, UP_TO


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(DSN, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/row/{number}")
async def row(number: int) -> dict[str, Any]:
    return dict(await app.state.pool.fetchrow(ROW, number))


@app.get("/two")
async def two() -> dict[str, Any]:
    pool = app.state.pool
    low, summary = await asyncio.gather(pool.fetch(LOW, FEW), pool.fetchrow(SUMMARY, UP_TO))
    return {"low": [dict(row) for row in low], "summary": dict(summary)}
