"""The table, and what the pages show of it; all contestants use the same statements."""

import os
from typing import Any

ADDRESS = os.environ.get("BENCHMARK_POSTGRESQL", "")
"""Of the server: "user:password@host:port/database"."""

DSN = f"postgresql://{ADDRESS}"
CONNECTIONS = 10
"""The most of each contestant."""

ROW = "SELECT id, name, price, stock FROM part WHERE id = $1"
LOW = "SELECT id, name, stock FROM part WHERE stock < $1 ORDER BY id LIMIT 20"
SUMMARY = "SELECT count(*) AS parts, sum(stock) AS stock FROM part WHERE id <= $1"

WANTED = 4242
FEW = 5
UP_TO = 200

PARTS = 10_000


def part(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": f"part {number}",
        "price": number * 0.25,
        "stock": number * 7 % 100,
    }


async def fill() -> None:
    """Make the table."""
    import asyncpg

    connection = await asyncpg.connect(DSN)
    await connection.execute(
        "CREATE TABLE part (id integer PRIMARY KEY, name text NOT NULL,"
        " price float8 NOT NULL, stock integer NOT NULL)"
    )
    rows = [tuple(part(number).values()) for number in range(1, PARTS + 1)]
    await connection.copy_records_to_table("part", records=rows)
    await connection.execute("CREATE INDEX ON part (stock, id)")
    await connection.execute("ANALYZE part")
    await connection.close()


def row_page() -> dict[str, Any]:
    """What /row/4242 answers."""
    return part(WANTED)


def two_page() -> dict[str, Any]:
    """What /two answers."""
    parts = [part(number) for number in range(1, PARTS + 1)]
    low = [{k: p[k] for k in ("id", "name", "stock")} for p in parts if p["stock"] < FEW][:20]
    stock = sum(p["stock"] for p in parts[:UP_TO])
    return {"low": low, "summary": {"parts": UP_TO, "stock": stock}}
