"""Tables and types change while connections are open that know them as they were."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import pytest

import atila_tasks
from atila import Atila, Was
from atila.testing.waits import PATIENCE
from atila_tasks import DB_PGSQL, DatabaseBusy, Unreachable, UpstreamError
from atila_tasks.databases.postgresql_errors import translated
from atila_tasks.testing import PostgreSQLServer

CONNECTIONS = 4


class Client:
    """Handlers that read a table, as many at once as there are connections."""

    def __init__(self, server: PostgreSQLServer) -> None:
        layers = {"tasks": atila_tasks.layer, "auth": None, "render": None, "ws": None}
        self.app = app = Atila(__name__, layers=layers)
        app.alias("@pg", DB_PGSQL, server.address, max_conns=CONNECTIONS)
        app.alias("@admin", DB_PGSQL, server.address)
        self.together = threading.Barrier(CONNECTIONS)

        @app.route("/prime")
        def prime(was: Was) -> str:
            with was.db("@pg", transaction=True) as db:
                db.execute("SELECT * FROM changing").commit()
                self.together.wait(PATIENCE)
            return ""

        @app.route("/transaction")
        def transaction(was: Was) -> str:
            with was.db("@pg", transaction=True) as db:
                rows = db.execute("SELECT * FROM changing").fetch()
            return ",".join(rows[0])

        @app.route("/statement")
        def statement(was: Was) -> str:
            return ",".join(was.db("@pg").execute("SELECT * FROM changing").one())

        @app.route("/fraction")
        def fraction(was: Was, value: str) -> str:
            insert = "INSERT INTO changing (a) VALUES ($1) RETURNING a::text AS a"
            text: str = was.db("@pg").execute(insert, float(value)).one().a
            return text

        @app.route("/admin", methods=["POST"])
        def admin(was: Was, sql: str) -> str:
            was.db("@admin").execute(sql).commit()
            return ""

        self.client = app.test_client()

    def admin(self, *statements: str) -> None:
        for sql in statements:
            assert self.client.post("/admin", json={"sql": sql}).status_code == 200

    def prime(self) -> None:
        """Have all connections know the table."""
        with ThreadPoolExecutor(CONNECTIONS) as clients:
            answers = clients.map(lambda _: self.client.get("/prime"), range(CONNECTIONS))
            assert [answer.status_code for answer in answers] == [200] * CONNECTIONS


@pytest.fixture
def client(postgresql: PostgreSQLServer) -> Iterator[Client]:
    made = Client(postgresql)
    with made.client:
        made.admin(
            "DROP TABLE IF EXISTS changing",
            "CREATE TABLE changing (a numeric)",
            "INSERT INTO changing VALUES (1)",
        )
        yield made


def test_one_transaction_fails_for_all_connections(client: Client) -> None:
    for column in ("b", "c"):
        client.prime()
        client.admin(f"ALTER TABLE changing ADD COLUMN {column} integer")
        answers = [client.client.get("/transaction") for _ in range(3 * CONNECTIONS)]
        statuses = [answer.status_code for answer in answers]
        assert statuses == [503] + [200] * (3 * CONNECTIONS - 1)
        assert answers[0].headers["retry-after"] == "1"
        assert answers[-1].text.endswith(column)


def test_single_statements_do_not_notice(client: Client) -> None:
    client.prime()
    client.admin("ALTER TABLE changing ADD COLUMN b integer")
    for _ in range(2 * CONNECTIONS):
        assert client.client.get("/statement").text == "a,b"
    # That of a statement alone is known to the others as well, or else they fail one transaction.
    statuses = [client.client.get("/transaction").status_code for _ in range(2 * CONNECTIONS)]
    assert statuses.count(503) <= 1


def test_a_column_of_another_type(client: Client) -> None:
    """The types of parameters are known anew as well."""
    assert client.client.get("/fraction?value=1.1").text == "1.1"
    client.prime()
    client.admin("ALTER TABLE changing ALTER COLUMN a TYPE double precision")
    statuses = [client.client.get("/transaction").status_code for _ in range(2 * CONNECTIONS)]
    assert statuses.count(503) <= 1
    client.admin("ALTER TABLE changing ALTER COLUMN a TYPE numeric")
    statuses = [client.client.get("/transaction").status_code for _ in range(2 * CONNECTIONS)]
    assert client.client.get("/fraction?value=2.2").text == "2.2"


def test_a_type_that_changes(client: Client) -> None:
    client.admin(
        "DROP TABLE changing",
        "DROP TYPE IF EXISTS pair",
        "CREATE TYPE pair AS (x integer, y integer)",
        "CREATE TABLE changing (a pair)",
        "INSERT INTO changing VALUES (ROW(1, 2))",
    )
    client.prime()
    client.admin("ALTER TYPE pair ADD ATTRIBUTE z integer")
    statuses = [client.client.get("/transaction").status_code for _ in range(2 * CONNECTIONS)]
    assert set(statuses[1:]) == {200}
    assert statuses[0] in (200, 503)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncpg.OutdatedSchemaCacheError("type pair has changed"), DatabaseBusy),
        (asyncpg.InvalidCachedStatementError("cached plan must not change"), DatabaseBusy),
        # The statement has been carried out: to send it again would do it twice.
        (asyncpg.ProtocolError("the number of columns is different"), UpstreamError),
        (asyncpg.InternalClientError("unknown error in protocol implementation"), UpstreamError),
        (
            asyncpg.InternalClientError(
                'cannot switch to state 12; protocol is in the "failed" state'
            ),
            Unreachable,
        ),
    ],
)
def test_what_may_be_sent_again(error: Any, kind: type[Exception]) -> None:
    assert type(translated(error, "@pg", None)) is kind
