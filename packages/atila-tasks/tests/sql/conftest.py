"""Real databases, and a way to ask them from within a handler."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import atila_tasks
from atila import Atila, Was
from atila_tasks import DB_PGSQL, DB_SQLITE3
from atila_tasks.testing import PostgreSQLServer

Ask = Callable[[Callable[[Was], Any]], Any]

DATABASES = ("@pg", "@lite")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLServer]:
    """A server for all tests; those that stop it have one of their own."""
    with PostgreSQLServer() as server:
        yield server


def make_app(server: PostgreSQLServer, folder: Path, **options: Any) -> Atila:
    layers = {"tasks": atila_tasks.layer, "auth": None, "render": None, "ws": None}
    app = Atila(__name__, layers=layers)
    app.alias("@pg", DB_PGSQL, [server.address], max_conns=5, **options)
    app.alias("@lite", DB_SQLITE3, [str(folder / "test.db")])
    return app


def asking(app: Atila) -> Iterator[Ask]:
    """Call what it gives with a function of a request: it runs in a handler, in a worker thread,
    and what it gives or raises is given or raised.
    """
    given: list[Any] = []

    @app.route("/ask")
    def handler(was: Was) -> str:
        func = given.pop()
        try:
            given.append((func(was), None))
        except Exception as error:
            given.append((None, error))
        return ""

    with app.test_client() as client:

        def ask(func: Callable[[Was], Any]) -> Any:
            given.append(func)
            assert client.get("/ask").status_code == 200
            value, error = given.pop()
            if error is not None:
                raise error
            return value

        yield ask


@pytest.fixture(scope="module")
def ask(postgresql: PostgreSQLServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    yield from asking(make_app(postgresql, tmp_path_factory.mktemp("lite")))


@pytest.fixture(params=DATABASES)
def name(request: pytest.FixtureRequest) -> str:
    """An alias: each test that asks for it runs with both kinds of databases."""
    alias: str = request.param
    return alias


@pytest.fixture
def table(ask: Ask, name: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A table (id, name, n), empty."""
    table = f"t_{abs(hash(request.node.name)):x}"
    create = f"CREATE TABLE {table} (id integer PRIMARY KEY, name text, n integer)"
    ask(lambda was: was.db(name).execute(create).commit())
    yield table
    ask(lambda was: was.db(name).execute(f"DROP TABLE {table}").commit())
