"""Makes the tables, and the account that the environment names. Runs before each start."""

import asyncio
import os

import asyncpg

from atila_auth import hash_password

TABLES = """
CREATE TABLE IF NOT EXISTS accounts (name text PRIMARY KEY, hash text NOT NULL);
CREATE TABLE IF NOT EXISTS notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, author text NOT NULL, text text NOT NULL
);
"""


async def main() -> None:
    db = await asyncpg.connect("postgresql://" + os.environ["DATABASE"])
    async with db.transaction():
        # Several may start at once.
        await db.execute("SELECT pg_advisory_xact_lock(1)")
        await db.execute(TABLES)
        name, password = os.environ["ADMIN"].split(":", 1)
        insert = "INSERT INTO accounts VALUES ($1, $2) ON CONFLICT DO NOTHING"
        await db.execute(insert, name, hash_password(password))
    await db.close()


if __name__ == "__main__":
    asyncio.run(main())
