"""Sanic with asyncpg's pool."""

import asyncio
from typing import Any

import asyncpg
from sanic import Request, Sanic
from sanic.response import HTTPResponse, json

from benchmarks.apps.database.stock import CONNECTIONS, DSN, FEW, LOW, ROW, SUMMARY, UP_TO

app: Any = Sanic("benchmark")


@app.before_server_start
async def connect(app: Any) -> None:
    app.ctx.pool = await asyncpg.create_pool(DSN, min_size=CONNECTIONS, max_size=CONNECTIONS)


@app.after_server_stop
async def disconnect(app: Any) -> None:
    await app.ctx.pool.close()


@app.get("/row/<number:int>")
async def row(request: Request, number: int) -> HTTPResponse:
    return json(dict(await app.ctx.pool.fetchrow(ROW, number)))


@app.get("/two")
async def two(request: Request) -> HTTPResponse:
    pool = app.ctx.pool
    low, summary = await asyncio.gather(pool.fetch(LOW, FEW), pool.fetchrow(SUMMARY, UP_TO))
    return json({"low": [dict(row) for row in low], "summary": dict(summary)})
