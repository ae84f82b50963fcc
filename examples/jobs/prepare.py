"""Makes the tables: those of the shop, and those of the queue. May be run again."""

import psycopg
from jobs import DATABASE, queue

TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    item text NOT NULL
);
CREATE TABLE IF NOT EXISTS receipts (
    order_id bigint PRIMARY KEY REFERENCES orders (id),
    text text NOT NULL
);
"""

if __name__ == "__main__":
    with psycopg.connect(DATABASE) as db:
        db.execute(TABLES)
        found = db.execute("SELECT to_regclass('procrastinate_jobs')").fetchone()
    if found == (None,):
        with queue.open():
            queue.schema_manager.apply_schema()
