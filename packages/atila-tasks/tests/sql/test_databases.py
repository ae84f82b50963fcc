"""Rows, errors, transactions and cursors, with PostgreSQL and SQLite alike."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gc
import json
import pickle
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import atila_tasks
from atila import Atila, HTTPError, SetupError, Was
from atila.testing.waits import wait_until
from atila_tasks import (
    DB_PGSQL,
    DB_SQLITE3,
    STA_NORMAL,
    STA_REQFAIL,
    DatabaseBusy,
    DatabaseError,
    DataConflict,
    add_database_interface,
    alias,
)
from atila_tasks.databases.sql.rows import Row
from atila_tasks.databases.sqlite import SQLiteConnection
from atila_tasks.testing import PostgreSQLServer
from atila_tasks.upstream.balancing import seats_of

Ask = Callable[[Callable[[Was], Any]], Any]


def mark(name: str, number: int) -> str:
    return f"${number}" if name == "@pg" else "?"


def interface_of(was: Was, name: str) -> Any:
    """What talks to a database; there once a task was carried out."""
    from atila_tasks.upstream.aliases import resolve

    return seats_of(was.site, resolve(was, name)).all[0]._interface


# Rows ---------------------------------------------------------------------------------------------


def test_rows(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        with was.db(name) as db:
            db.insert(table).set(id=1, name="Hans", n=5).execute().commit()
            (row,) = db.select(table).execute().fetch()
            assert (row.id, row["name"], dict(row)) == (
                1,
                "Hans",
                {"id": 1, "name": "Hans", "n": 5},
            )
            row.name = "****"
            assert row["name"] == "****"
            with pytest.raises(AttributeError, match="no column 'nam'"):
                row.nam
            assert json.loads(json.dumps(row)) == row == pickle.loads(pickle.dumps(row))
            assert type(pickle.loads(pickle.dumps(row))) is Row
            assert db.select(table).filter(id=2).execute().fetch() == []

    ask(look)


def test_one_and_commit(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        db = was.db(name)
        assert db.execute([db.insert(table).set(id=i) for i in range(2)]).commit() is None
        assert db.select(table).filter(id=1).execute().one().id == 1
        for statement, code in ((db.select(table).filter(id=9), 410), (db.select(table), 409)):
            with pytest.raises(HTTPError) as error:
                statement.execute().one()
            assert error.value.code == code
        assert db.select(table).limit(0).execute().fetch() == []
        assert db.select(table).aggregate("count(*) AS cnt").execute().one().cnt == 2

    ask(look)


def test_filter_and_meta(ask: Ask, name: str, table: str) -> None:
    def hide_password(rows: Any) -> Any:
        for row in rows:
            row.password = "****"
        return rows

    def look(was: Was) -> Any:
        was.db(name).insert(table).set(id=1).execute().commit()
        db = was.db(name, filter=hide_password, meta={"a": 1})
        task = db.execute(f"SELECT id, 'secret' AS password FROM {table}")
        assert db.select(table).limit(0).execute().meta == {"a": 1}
        return task.fetch(), task.meta["a"]

    assert ask(look) == ([{"id": 1, "password": "****"}], 1)


def test_plain_text_with_parameters(ask: Ask, name: str, table: str) -> None:
    one, two = mark(name, 1), mark(name, 2)

    def look(was: Was) -> None:
        db = was.db(name)
        insert = f"INSERT INTO {table} (id, name) VALUES ({one}, {two})"
        db.execute(insert, 1, "it's").commit()
        db.execute(insert, [2, None]).commit()
        db.execute(insert, (3, "x")).commit()
        found = db.execute(f"SELECT name FROM {table} WHERE id > {one} ORDER BY id", 0).fetch()
        assert [row.name for row in found] == ["it's", None, "x"]
        if name == "@lite":
            named = db.execute(f"SELECT name FROM {table} WHERE id = :id", {"id": 3})
            assert named.one().name == "x"
        with pytest.raises(TypeError, match="statement or text"):
            db.execute(5)
        with pytest.raises(TypeError, match="has its values already"):
            db.execute(db.select(table), 1)

    ask(look)


def test_types_of_postgresql(ask: Ask) -> None:
    now = datetime.datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=datetime.UTC)
    values = {
        "a": {"k": [1, None, "ü"]},
        "b": ["x", "it's"],
        "c": uuid.uuid4(),
        "d": Decimal("12345678901234567890.0123456789"),
        "e": now,
        "f": b"\0\xff",
        "g": [1, 2],
        "h": datetime.date(2026, 1, 2),
        "i": 2**40,
        "j": True,
        "k": [{"x": 1}],
        "l": datetime.time(1, 2, 3),
        "m": now.replace(tzinfo=None),
        "n": 0.1,
    }
    kinds = (
        "a jsonb, b text[], c uuid, d numeric, e timestamptz, f bytea, g int[], h date, i bigint,"
        " j boolean, k json, l time, m timestamp, n float8"
    )

    def look(was: Was) -> Any:
        db = was.db("@pg")
        db.execute(f"CREATE TABLE kinds ({kinds})").commit()
        assert db.insert("kinds").set(**values).returning("*").execute().one() == values
        for column, value in values.items():
            if column not in ("a", "k"):
                assert db.select("kinds").filter(**{column: value}).execute().one().c == values["c"]
        # As texts, which is what a request brings.
        texts = {name: str(values[name]) for name in "cdhijln"} | {"e": now.isoformat()}
        assert db.select("kinds").filter(**texts).execute().one().c == values["c"]
        wrong = db.select("kinds").filter(i="seven").execute().dispatch()
        assert wrong.status == STA_REQFAIL
        assert "seven" not in str(wrong.error)

    ask(look)


def test_types_of_sqlite(ask: Ask) -> None:
    now = datetime.datetime(2026, 1, 2, 3, 4, 5)

    def look(was: Was) -> Any:
        db = was.db("@lite")
        db.execute("CREATE TABLE kinds (a, b, c, d, e, f)").commit()
        values = {"a": now, "b": {"k": 1}, "c": Decimal("1.50"), "d": b"\0", "e": None, "f": 1.5}
        db.insert("kinds").set(**values).execute().commit()
        found = db.select("kinds").filter(a=now, a__date=now, a__year=2026, d=b"\0").execute().one()
        big = db.execute("SELECT ? AS x", 2**70).dispatch()
        assert isinstance(big.error, DatabaseError)
        return dict(found)

    assert ask(look) == {"a": "2026-01-02 03:04:05", "b": '{"k":1}', "c": "1.50", "d": b"\0",
                         "e": None, "f": 1.5}  # fmt: skip


# Errors -------------------------------------------------------------------------------------------


def test_errors_tell_what_is_wrong(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        db = was.db(name)
        db.execute(f"CREATE TABLE {table}_u (a text UNIQUE NOT NULL CHECK (a <> 'x'))").commit()
        insert = db.insert(f"{table}_u")
        insert.clone().set(a="secret").execute().commit()
        conflict = insert.clone().set(a="secret").execute().dispatch().error
        assert isinstance(conflict, DataConflict)
        assert (conflict.kind, conflict.code, conflict.table) == ("unique", 409, f"{table}_u")
        assert conflict.constraint or conflict.column == "a"
        assert "secret" not in conflict.detail
        if name == "@pg":
            assert "secret" in conflict.server_detail
        missing = insert.clone().set(a=None).execute().dispatch().error
        assert (missing.kind, missing.column) == ("not_null", "a")
        checked = insert.clone().set(a="x").execute().dispatch().error
        assert checked.kind == "check"
        wrong = db.execute("SELEC 1").dispatch()
        assert isinstance(wrong.error, DatabaseError)
        assert not isinstance(wrong.error, HTTPError)
        for error in (conflict, missing, checked):
            assert "secret" not in f"{error} {error!r}"
        db.execute(f"DROP TABLE {table}_u").commit()

    ask(look)


def test_what_a_client_is_told(postgresql: PostgreSQLServer, caplog: Any, tmp_path: Path) -> None:
    layers = {"tasks": atila_tasks.layer, "auth": None, "render": None, "ws": None}
    app = Atila(__name__, layers=layers)
    app.alias("@db", DB_SQLITE3, str(tmp_path / "x.db"))
    # A traceback shows lines of code.
    secret = "-".join(["hunter", "2"])

    @app.route("/unique")
    def unique(was: Was) -> str:
        db = was.db("@db")
        db.execute("CREATE TABLE IF NOT EXISTS t (a PRIMARY KEY)").commit()
        db.insert("t").set(a=secret).execute().commit()
        return ""

    @app.route("/wrong")
    def wrong(was: Was) -> str:
        was.db("@db").select("nowhere").filter(password=secret).execute().commit()
        return ""

    with app.test_client() as client:
        assert client.get("/unique").status_code == 200
        assert client.get("/unique").status_code == 409
        answer = client.get("/wrong")
        assert answer.status_code == 500
        assert "nowhere" not in answer.text
    assert "nowhere" in caplog.text
    assert secret not in caplog.text


# Transactions -------------------------------------------------------------------------------------


def count(was: Was, name: str, table: str) -> int:
    number: int = was.db(name).select(table).aggregate("count(*) AS c").execute().one().c
    return number


def test_a_transaction_lasts_all_or_not_at_all(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        with was.db(name, transaction=True) as db:
            db.insert(table).set(id=1).execute()
            task = db.insert(table).set(id=2).returning("id").execute()
            assert task.one().id == 2
            assert count(was, name, table) == 0
        assert count(was, name, table) == 2

        def fail_late() -> None:
            with was.db(name, transaction=True) as db:
                db.delete(table).all().execute().commit()
                1 / 0

        with pytest.raises(ZeroDivisionError):
            fail_late()
        assert count(was, name, table) == 2

    ask(look)


def test_a_failed_statement_is_not_passed_over(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        def pass_over() -> None:
            with was.db(name, transaction=True) as db:
                db.insert(table).set(id=1).execute()
                assert db.execute("SELEC").dispatch().status == STA_REQFAIL

        with pytest.raises(DatabaseError, match="nothing lasts"):
            pass_over()
        assert count(was, name, table) == 0

    ask(look)


def test_transactions_within_a_transaction(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        with was.db(name, transaction=True) as outer:
            outer.insert(table).set(id=1).execute().commit()
            with contextlib.suppress(DataConflict), was.db(name, transaction=True) as inner:
                inner.insert(table).set(id=2).execute().commit()
                inner.insert(table).set(id=1).execute().commit()
                raise AssertionError("the second one has a key that is taken")
            with was.db(name, transaction=True) as inner:
                inner.insert(table).set(id=3).execute()
            outer.insert(table).set(id=4).execute()
        assert [row.id for row in was.db(name).select(table).order_by("id").execute().fetch()] == [
            1,
            3,
            4,
        ]

    ask(look)


def test_commit_and_rollback_by_hand(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        with was.db(name, transaction=True) as db:
            db.insert(table).set(id=1).execute().commit()
            db.commit().fetch()
            db.insert(table).set(id=2).execute().commit()
            db.rollback().fetch()
            db.insert(table).set(id=3).execute()
        assert {row.id for row in was.db(name).select(table).execute().fetch()} == {1, 3}
        with pytest.raises(RuntimeError, match="a transaction is used by"):
            was.db(name, transaction=True).insert(table).set(id=4).execute()
        with pytest.raises(TypeError, match="one member"):
            was.db.map(name, transaction=True)

    ask(look)


def test_a_script_is_a_transaction(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        db = was.db(name)
        insert = db.insert(table).set(id=1).append(db.insert(table).set(id=1))
        assert insert.execute().dispatch().error.kind == "unique"
        assert count(was, name, table) == 0
        insert = db.insert(table).set(id=1).append(db.insert(table).set(id=2).returning("id"))
        assert insert.execute().one().id == 2

    ask(look)


def test_a_request_does_not_wait_for_its_own_transaction(ask: Ask) -> None:
    def look(was: Was) -> None:
        was.db("@lite").execute("CREATE TABLE own (id)").commit()
        with was.db("@lite", transaction=True) as db:
            db.insert("own").set(id=1).execute().commit()
            with pytest.raises(RuntimeError, match="holds the only connection"):
                was.db("@lite").insert("own").set(id=2).execute().fetch()
        assert count(was, "@lite", "own") == 1

    ask(look)


def test_one_writer_after_the_other(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> int:
        was.db(name).insert(table).set(id=1, n=0).execute().commit()

        def add() -> None:
            for _ in range(10):
                was.db(name).execute(f"UPDATE {table} SET n = n + 1 WHERE id = 1").commit()

        was.Tasks([was.Thread(add) for _ in range(8)]).fetch()
        number: int = was.db(name).select(table).execute().one().n
        return number

    assert ask(look) == 80


# Cursors ------------------------------------------------------------------------------------------


def test_cursors(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        db = was.db(name)
        db.execute([db.insert(table).set(id=i) for i in range(25)]).commit()
        statement = db.select(table).get("id").order_by("id")
        pieces = list(statement.cursor(10))
        assert [len(rows) for rows in pieces] == [10, 10, 5]
        assert [row.id for rows in pieces for row in rows] == list(range(25))
        plain = db.cursor(f"SELECT id FROM {table} WHERE id < {mark(name, 1)}", 3, size=2)
        assert [len(plain.next().fetch()) for _ in range(3)] == [2, 1, 0]
        assert list(db.select(table).limit(0).cursor()) == []
        for rows in statement.cursor(5):
            assert len(rows) == 5
            break
        with was.db(name, transaction=True) as tx:
            tx.insert(table).set(id=100).execute()
            assert sum(len(rows) for rows in tx.select(table).cursor(4)) == 26
            tx.insert(table).set(id=101).execute()
        bad = db.cursor("SELEC").next().dispatch()
        assert isinstance(bad.error, DatabaseError)
        with pytest.raises(ValueError, match="one row"):
            statement.cursor(0)

    ask(look)


def test_a_cursor_that_is_left_gives_its_connection_back(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        db = was.db(name)
        db.execute([db.insert(table).set(id=i) for i in range(5)]).commit()
        interface = interface_of(was, name)
        for _ in range(12):
            # More than there are connections.
            cursor = db.select(table).cursor(2)
            cursor.next().commit()
            del cursor
            gc.collect()
        assert db.select(table).execute().fetch()
        wait_until(lambda: not interface.holders)

    # What there is already need not be searched each time.
    gc.freeze()
    try:
        ask(look)
    finally:
        gc.unfreeze()


@pytest.mark.memory
def test_very_many_rows_in_flat_memory(ask: Ask) -> None:
    import psutil

    def look(was: Was) -> tuple[int, int]:
        process = psutil.Process()
        cursor = was.db("@pg").cursor(
            "SELECT i, repeat('x', 100) AS t FROM generate_series(1, 400000) i", size=5000
        )
        cursor.next().commit()
        before, rows, most = process.memory_info().rss, 5000, 0
        for piece in cursor:
            rows += len(piece)
            most = max(most, process.memory_info().rss)
        return rows, most - before

    rows, grown = ask(look)
    assert rows == 400_000
    # All of them take more than 100 MB.
    assert grown < 30 * 2**20


# Without a thread ---------------------------------------------------------------------------------


@pytest.fixture
def app(postgresql: PostgreSQLServer, tmp_path: Path) -> Atila:
    layers = {"tasks": atila_tasks.layer, "auth": None, "render": None, "ws": None}
    app = Atila(__name__, layers=layers)
    app.alias("@pg", DB_PGSQL, [postgresql.address], max_conns=2)
    app.alias("@lite", DB_SQLITE3, [str(tmp_path / "test.db")])
    return app


def test_async_def(app: Atila, name: str) -> None:
    @app.route("/")
    async def index(was: Was) -> str:
        db = was.db(name)
        (await db.execute("CREATE TABLE a1 (id integer PRIMARY KEY)")).commit()
        with pytest.raises(RuntimeError, match="async with"), was.db(name, transaction=True):
            pass
        async with was.db(name, transaction=True) as tx:
            tasks = [tx.insert("a1").set(id=i).execute() for i in range(5)]
            for task in tasks:
                (await task).commit()
        with contextlib.suppress(ZeroDivisionError):
            async with was.db(name, transaction=True) as tx:
                (await tx.delete("a1").all().execute()).commit()
                1 / 0
        pieces = [len(rows) async for rows in db.select("a1").cursor(2)]
        with pytest.raises(RuntimeError, match="await task"):
            db.select("a1").execute().fetch()
        (await db.execute("DROP TABLE a1")).commit()
        return str(pieces)

    assert app.test_client().get("/").text == "[2, 2, 1]"


def test_coroutines(app: Atila, name: str) -> None:
    @app.route("/", coroutine=True)
    def index(was: Was) -> Any:
        yield was.db(name).execute("CREATE TABLE c1 (id integer PRIMARY KEY)")
        with was.db(name, transaction=True) as db:
            yield db.insert("c1").set(id=1).execute()
            task = yield db.insert("c1").set(id=2).returning("id").execute()
            assert task.one().id == 2
        try:
            with was.db(name, transaction=True) as db:
                yield db.insert("c1").set(id=3).execute()
                raise ZeroDivisionError
        except ZeroDivisionError:
            pass
        return "done"

    @app.route("/rows", coroutine=True)
    def rows(was: Was) -> Any:
        cursor = was.db(name).select("c1").order_by("id").cursor(1)
        while rows := (yield cursor.next()).fetch():
            yield f"{rows[0].id};"

    @app.route("/late", coroutine=True)
    def late(was: Was) -> Any:
        with was.db(name, transaction=True) as db:
            yield db.insert("c1").set(id=4).execute()
            task = yield db.insert("c1").set(id=4).execute()
            assert task.dispatch().status == STA_REQFAIL
        return "the answer is held back until it is known that nothing lasts"

    @app.route("/end", coroutine=True)
    def end(was: Was) -> Any:
        task = yield was.db(name).select("c1").aggregate("count(*) AS c").execute()
        number = task.one().c
        yield was.db(name).execute("DROP TABLE c1")
        return str(number)

    client = app.test_client()
    assert client.get("/").text == "done"
    assert client.get("/rows").text == "1;2;"
    assert client.get("/late").status_code == 500
    assert client.get("/end").text == "2"


def test_a_cancelled_transaction_leaves_nothing(app: Atila) -> None:
    @app.route("/")
    async def index(was: Was) -> str:
        (await was.db("@pg").execute("CREATE TABLE x1 (id integer)")).commit()

        async def write() -> None:
            async with was.db("@pg", transaction=True) as db:
                (await db.insert("x1").set(id=1).execute()).commit()
                (await db.execute("SELECT pg_sleep(30)")).commit()

        writing = asyncio.create_task(write())
        while not (await was.db("@pg").execute(ASLEEP)).fetch():
            _ = await was.Thread(threading.Event().wait, 0.01)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        while (await was.db("@pg").execute(ASLEEP)).fetch():
            _ = await was.Thread(threading.Event().wait, 0.01)
        rows = (await was.db("@pg").select("x1").execute()).fetch()
        (await was.db("@pg").execute("DROP TABLE x1")).commit()
        return f"{rows} {interface_of(was, '@pg').holders}"

    assert app.test_client().get("/").text == "[] {}"


ASLEEP = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"


# Members ------------------------------------------------------------------------------------------


def test_map_and_balance(app: Atila, postgresql: PostgreSQLServer) -> None:
    dead = "postgres:secret@127.0.0.1:1/test"
    app.alias("@two", DB_PGSQL, [f"{postgresql.address} 20", f"{dead} 10"])
    given: list[Any] = []

    @app.route("/")
    def index(was: Was) -> str:
        given.append(was.db.map("@two").execute("SELECT 1 AS one").dispatch())
        given.append([was.db.lb("@two").execute("SELECT 1 AS one").one().one for _ in range(6)])
        with was.db.lb("@two", transaction=True) as db:
            given.append(db.execute("SELECT 1 AS one").one().one)
        return ""

    assert app.test_client().get("/").status_code == 200
    results, balanced, in_transaction = given
    assert [result.status == STA_NORMAL for result in results] == [True, False]
    assert "secret" not in f"{results[1].error} {results[1].error!r}"
    assert balanced == [1] * 6
    assert in_transaction == 1


# Aliases ------------------------------------------------------------------------------------------


def test_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from atila_tasks.upstream import interfaces

    monkeypatch.setitem(
        interfaces._interfaces,
        DB_PGSQL,
        interfaces.BuiltIn(
            "atila_tasks.databases.postgresql", "PostgreSQL", "no_driver", "postgresql"
        ),
    )
    with pytest.raises(SetupError, match=r'pip install "atila-tasks\[postgresql\]"'):
        alias("@absent", DB_PGSQL, "localhost/db")


@pytest.mark.parametrize(
    ("kind", "member", "options", "told"),
    [
        (DB_PGSQL, "user:secret@localhost", {}, "names no database"),
        (DB_PGSQL, "localhost/db", {"max_conns": 0}, "1 or more"),
        (DB_PGSQL, "localhost/db", {"max_con": 1}, "no option"),
        (DB_SQLITE3, "./nowhere/at/all.db", {}, "no folder"),
    ],
)
def test_mistakes(kind: str, member: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(SetupError, match=told) as error:
        alias("@wrong", kind, member, **options)
    assert "secret" not in str(error.value)
    assert "test_databases.py" in str(error.value)


def test_a_file_of_sqlite_lies_beside_the_script(tmp_path: Path) -> None:
    script = tmp_path / "serve.py"
    script.write_text('import skitai\nskitai.alias("@beside", skitai.DB_SQLITE3, "./sqlite3.db")\n')
    import atila  # noqa: F401 - it adds the names to skitai

    exec(compile(script.read_text(), str(script), "exec"), {"__name__": "__main__"})
    app = Atila(__name__, layers={"auth": None, "render": None, "ws": None})

    @app.route("/")
    def index(was: Was) -> str:
        was.db("@beside").execute("CREATE TABLE t (a)").commit()
        return ""

    assert app.test_client().get("/").status_code == 200
    assert (tmp_path / "sqlite3.db").exists()


def test_databases_in_memory(app: Atila) -> None:
    app.alias("@memory", DB_SQLITE3, ":memory:")
    given: list[Any] = []

    @app.route("/")
    def index(was: Was) -> str:
        db = was.db("@memory")
        db.execute("CREATE TABLE t (a)").commit()
        db.insert("t").set(a=1).execute().commit()
        given.append(db.select("t").execute().fetch())
        given.append([len(rows) for rows in db.select("t").cursor()])
        return ""

    assert app.test_client().get("/").status_code == 200
    assert given == [[{"a": 1}], [1]]


def test_another_process_writes(app: Atila, tmp_path: Path) -> None:
    import sqlite3

    app.alias("@busy", DB_SQLITE3, str(tmp_path / "busy.db"), busy_timeout=0.1)
    other = sqlite3.connect(tmp_path / "busy.db", isolation_level=None, check_same_thread=False)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("CREATE TABLE t (a)")
    given: list[Any] = []

    @app.route("/")
    def index(was: Was) -> str:
        other.execute("BEGIN IMMEDIATE")
        db = was.db("@busy")
        given.append(db.insert("t").set(a=1).execute().dispatch().error)
        given.append(db.select("t").execute().fetch())
        other.execute("COMMIT")
        db.insert("t").set(a=1).execute().commit()
        return ""

    client = app.test_client()
    with client:
        assert client.get("/").status_code == 200
    other.close()
    assert isinstance(given[0], DatabaseBusy)
    assert given[0].code == 503
    assert given[1] == []


def test_a_statement_of_sqlite_that_takes_too_long(app: Atila) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    given: list[Any] = []

    @app.route("/")
    def index(was: Was) -> str:
        given.append(was.db("@lite", timeout=0.2).execute(endless).dispatch().error)
        given.append(was.db("@lite").execute("SELECT 1 AS a").one().a)
        return ""

    assert app.test_client().get("/").status_code == 200
    assert isinstance(given[0], TimeoutError)
    assert given[1] == 1


def test_an_interface_without_transactions(app: Atila) -> None:
    class Plain(atila_tasks.Interface):
        pass

    add_database_interface("*plain", Plain)
    app.alias("@plain", "*plain", "localhost")

    @app.route("/")
    def index(was: Was) -> str:
        with pytest.raises(TypeError, match="Plain has no transactions"):
            was.db("@plain", transaction=True)
        return ""

    assert app.test_client().get("/").status_code == 200


def test_no_connection_keeps_the_request_that_it_was_opened_for(
    app: Atila, postgresql: PostgreSQLServer, leave_nothing: Callable[..., None]
) -> None:
    app.alias("@pg", DB_PGSQL, [postgresql.address])

    async def ask(was: Was) -> str:
        task = await was.db("@pg").execute("SELECT $1::int AS a", 1)
        return str(task.one().a)

    leave_nothing(app, ask)


def test_many_connections_begin_with_a_new_database_at_once(tmp_path: Path) -> None:
    options = {"busy_timeout": 30.0, "foreign_keys": True}
    with ThreadPoolExecutor(8) as threads:
        for number in range(30):
            begin = threading.Barrier(8)

            def opened(path: str = str(tmp_path / f"{number}.db"), gate: Any = begin) -> None:
                connection = SQLiteConnection(path, threads)
                gate.wait()
                connection.open(options, writes=True)
                connection.run("CREATE TABLE IF NOT EXISTS a (b)", ())
                connection.terminate()

            for each in [threads.submit(opened) for _ in range(8)]:
                each.result()
