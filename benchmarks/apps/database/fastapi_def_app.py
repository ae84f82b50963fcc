"""FastAPI with psycopg's pool: ``def`` handlers, which it runs in its thread pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from benchmarks.apps.database.stock import CONNECTIONS, DSN, FEW, LOW, ROW, SUMMARY, UP_TO

pool: Any = ConnectionPool(
    DSN,
    min_size=CONNECTIONS,
    max_size=CONNECTIONS,
    open=False,
    kwargs={"row_factory": dict_row, "autocommit": True},
)


@asynccontextmanager
async def connected(app: FastAPI) -> AsyncIterator[None]:
    pool.open(wait=True)
    yield
    pool.close()


app = FastAPI(lifespan=connected)


def fetched(statement: str, value: int) -> list[dict[str, Any]]:
    with pool.connection() as connection:
        return list(connection.execute(statement.replace("$1", "%s"), [value]).fetchall())


@app.get("/row/{number}")
def row(number: int) -> dict[str, Any]:
    return fetched(ROW, number)[0]


@app.get("/two")
def two() -> dict[str, Any]:
    return {"low": fetched(LOW, FEW), "summary": fetched(SUMMARY, UP_TO)[0]}
