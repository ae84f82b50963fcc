"""The app: takes orders, and leaves what follows to a worker."""

from collections.abc import Iterator

import psycopg
from jobs import DATABASE, send_receipt
from psycopg_pool import ConnectionPool

from atila import Atila, HTTPError, Was

app = Atila(__name__)

Pool = ConnectionPool[psycopg.Connection]


@app.provide(scope="app")
def pool() -> Iterator[Pool]:
    with ConnectionPool(DATABASE, kwargs={"autocommit": True}) as pool:
        yield pool


@app.provide
def db(pool: Pool) -> Iterator[psycopg.Connection]:
    with pool.connection() as db:
        yield db


@app.route("/orders", methods=["POST"])
def order(was: Was, db: psycopg.Connection, key: str, item: str) -> tuple[dict[str, int], int]:
    """Take an order; `key` is the client's, so that it may send an order again."""
    with db.transaction():
        new = db.execute(
            "INSERT INTO orders (key, item) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING id",
            [key, item],
        ).fetchone()
        if new is None:
            raise HTTPError("409 Conflict", "this order was taken before")
        # In the same transaction: there is an order with its job, or neither.
        send_receipt.configure(connection=db).defer(order=new[0])
        if not item.strip():
            raise HTTPError("400 Bad Request", "an order of nothing")
    return {"order": new[0]}, 201


@app.route("/orders/<int:number>", methods=["GET"])
def receipt(was: Was, db: psycopg.Connection, number: int) -> dict[str, str | None]:
    """The receipt of an order, None until the worker has written it."""
    found = db.execute(
        "SELECT text FROM orders LEFT JOIN receipts ON order_id = id WHERE id = %s", [number]
    ).fetchone()
    if found is None:
        raise HTTPError("404 Not Found", f"there is no order {number}")
    return {"receipt": found[0]}
