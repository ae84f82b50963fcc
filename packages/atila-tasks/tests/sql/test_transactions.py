"""A transaction lasts as a whole or not at all, whatever fails in it and whether anybody looks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import atila_tasks
from atila import Atila, Was
from atila.testing.waits import PATIENCE
from atila_tasks import (
    DB_PGSQL,
    DB_SQLITE3,
    DatabaseError,
    DataConflict,
    PoolExhausted,
    TaskCancelled,
    TaskTimeout,
    Unreachable,
)
from atila_tasks.testing import PostgreSQLServer
from atila_tasks.upstream.aliases import resolve
from atila_tasks.upstream.balancing import seats_of

Ask = Callable[[Callable[[Was], Any]], Any]

NOTHING = "nothing lasts"


def ids(was: Was, name: str, table: str) -> list[int]:
    rows = was.db(name).select(table).get("id").order_by("id").execute().fetch()
    return [row.id for row in rows]


# What fails ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """An app whose databases can be taken away and brought back."""
    folder = tmp_path_factory.mktemp("away")
    (folder / "here").mkdir()
    layers = {"tasks": atila_tasks.layer, "auth": None, "render": None, "ws": None}
    app = Atila(__name__, layers=layers)
    with PostgreSQLServer() as server:
        app.alias("@pg", DB_PGSQL, [server.address], max_conns=2)
        app.alias("@lite", DB_SQLITE3, [str(folder / "here" / "test.db")], idle_timeout=0.01)

        def leave(was: Was, name: str) -> None:
            if name == "@pg":
                server.stop()
                return
            # As after a restart of ours: no connection is open.
            interface = interface_of(was, name)
            wait_until(lambda: not interface.writer.open and not interface.readers.open)
            (folder / "here").rename(folder / "there")

        def come_back(was: Was, name: str) -> None:
            if name == "@pg":
                server.start()
            else:
                (folder / "there").rename(folder / "here")

        yield app, (leave, come_back)


def interface_of(was: Was, name: str) -> Any:
    return seats_of(was.site, resolve(was, name)).all[0]._interface


def wait_until(holds: Any) -> None:
    pause = threading.Event()
    for _ in range(2000):
        if holds():
            return
        pause.wait(0.005)
    raise AssertionError("it did not come to pass")


@pytest.mark.parametrize("way", ["def", "coroutine", "async def"])
def test_a_connection_that_could_not_be_opened(away: Any, name: str, way: str) -> None:
    app, (leave, come_back) = away
    table, path = f"o_{way.replace(' ', '_')}", f"/{way.replace(' ', '')}/{name[1:]}"
    seen: list[Any] = []

    def plain(was: Was) -> str:
        with was.db(name, transaction=True) as db:
            leave(was, name)
            db.insert(table).set(id=1).execute().wait()
            come_back(was, name)
            seen.append(db.insert(table).set(id=2).execute().dispatch().error)
        return "done"

    def coroutine(was: Was) -> Any:
        with was.db(name, transaction=True) as db:
            leave(was, name)
            yield db.insert(table).set(id=1).execute()
            come_back(was, name)
            task = yield db.insert(table).set(id=2).execute()
            seen.append(task.dispatch().error)
        return "done"

    async def asynchronous(was: Was) -> str:
        async with was.db(name, transaction=True) as db:
            (await was.Thread(leave, was, name)).commit()
            _ = await db.insert(table).set(id=1).execute()
            (await was.Thread(come_back, was, name)).commit()
            task = await db.insert(table).set(id=2).execute()
            seen.append(task.dispatch().error)
        return "done"

    handlers = {"def": plain, "coroutine": coroutine, "async def": asynchronous}
    app.route(path, coroutine=way == "coroutine")(handlers[way])

    @app.route(f"{path}/create")
    def create(was: Was) -> str:
        was.db(name).execute(f"CREATE TABLE {table} (id integer)").commit()
        return ""

    @app.route(f"{path}/ids")
    def all_ids(was: Was) -> str:
        return str(ids(was, name, table))

    with app.test_client() as client:
        assert client.get(f"{path}/create").status_code == 200
        answer = client.get(path)
        assert answer.status_code == 502
        assert [type(error) for error in seen] == [Unreachable]
        assert client.get(f"{path}/ids").text == "[]"


def test_a_statement_that_got_no_connection(ask: Ask, postgresql: PostgreSQLServer) -> None:
    def look(was: Was) -> None:
        was.app.alias("@few", DB_PGSQL, [postgresql.address], max_conns=1, pool_timeout=0.05)
        was.db("@few").execute("CREATE TABLE few (id integer)").commit()
        gate, held = threading.Event(), threading.Event()

        def hold() -> None:
            with was.db("@few", transaction=True) as db:
                db.execute("SELECT 1").commit()
                held.set()
                gate.wait(PATIENCE)

        def write() -> None:
            with was.db("@few", transaction=True) as db:
                db.insert("few").set(id=1).execute().wait()
                gate.set()
                holder.fetch()
                db.insert("few").set(id=2).execute().wait()

        holder = was.Thread(hold)
        held.wait(PATIENCE)
        # This request holds the connection, so it has a reserve: that is taken as well.
        interface = interface_of(was, "@few")
        interface.reserve = interface.pool
        with pytest.raises(PoolExhausted):
            write()
        assert ids(was, "@few", "few") == []

    ask(look)


@pytest.mark.parametrize("reason", [TaskTimeout, TaskCancelled])
def test_a_statement_whose_turn_never_came(
    ask: Ask, name: str, table: str, reason: type[Exception]
) -> None:
    """It waited for the one before it; nobody looks at it."""
    slow = "SELECT pg_sleep(0.3)" if name == "@pg" else SLOW

    def look(was: Was) -> None:
        def write() -> None:
            with was.db(name, transaction=True) as db:
                db.insert(table).set(id=1).execute()
                db.execute(slow)
                db._start.options["timeout"] = 0.05 if reason is TaskTimeout else 30
                lost = db.insert(table).set(id=2).execute()
                db._start.options["timeout"] = 30
                if reason is TaskCancelled:
                    lost.cancel()
                lost.wait()
                assert isinstance(lost.dispatch().error, reason)
                db.insert(table).set(id=3).execute().wait()

        with pytest.raises(reason):
            write()
        assert ids(was, name, table) == []
        # The connection is free again.
        write_one(was, name, table)
        assert ids(was, name, table) == [9]

    ask(look)


SLOW = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500000)"
    " SELECT max(i) FROM n"
)


def write_one(was: Was, name: str, table: str) -> None:
    with was.db(name, transaction=True) as db:
        db.insert(table).set(id=9).execute()


def test_a_piece_that_failed(ask: Ask, name: str, table: str) -> None:
    """PostgreSQL answers COMMIT with ROLLBACK then, which is no error."""
    bad = "SELECT 1 / (2 - i) AS a FROM generate_series(1, 5) i"
    if name == "@lite":
        numbers = "SELECT 1 AS i UNION ALL SELECT 2 UNION ALL SELECT -9223372036854775807 - 1"
        bad = f"SELECT abs(i) FROM ({numbers})"

    def look(was: Was) -> None:
        def write() -> None:
            with was.db(name, transaction=True) as db:
                db.insert(table).set(id=1).execute()
                cursor = db.cursor(bad, size=1)
                for _ in range(3):
                    cursor.next().wait()

        for _ in range(2):
            with pytest.raises(DatabaseError, match=NOTHING):
                write()
        assert ids(was, name, table) == []
        cursor = was.db(name).cursor(bad, size=1)
        errors = [cursor.next().dispatch().error for _ in range(4)]
        # The end of the rows has not come: who did not look at the piece that failed must not
        # take it for that.
        assert [error is None for error in errors] == [True, False, False, False]
        wait_until(lambda: not interface_of(was, name).holders)

    ask(look)


def test_a_cursor_that_failed_to_begin(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        def write() -> None:
            with was.db(name, transaction=True) as db:
                db.insert(table).set(id=1).execute()
                db.cursor("SELECT a FROM nowhere").next().wait()

        with pytest.raises(DatabaseError, match=NOTHING) as raised:
            write()
        assert isinstance(raised.value.__cause__, DatabaseError)
        assert "nowhere" in str(raised.value.__cause__)
        assert ids(was, name, table) == []

    ask(look)


def test_a_commit_by_hand_that_failed(ask: Ask, name: str) -> None:
    """Nobody looks at it; what follows does not last alone, but does after a rollback."""
    deferred = "REFERENCES parent DEFERRABLE INITIALLY DEFERRED"
    if name == "@lite":
        deferred = "REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED"

    def look(was: Was) -> None:
        was.db(name).execute("CREATE TABLE parent (id integer PRIMARY KEY)").commit()
        was.db(name).execute(f"CREATE TABLE child (id integer {deferred})").commit()

        def write(then: str) -> None:
            with was.db(name, transaction=True) as db:
                db.insert("child").set(id=1).execute()
                db.commit().wait()
                if then == "rollback":
                    db.rollback().fetch()
                db.insert("parent").set(id=2).execute()

        try:
            with pytest.raises(DatabaseError, match=NOTHING):
                write("")
            assert (ids(was, name, "parent"), ids(was, name, "child")) == ([], [])
            write("rollback")
            assert (ids(was, name, "parent"), ids(was, name, "child")) == ([2], [])
        finally:
            was.db(name).execute("DROP TABLE child").commit()
            was.db(name).execute("DROP TABLE parent").commit()

    ask(look)


def test_a_statement_that_ends_the_transaction(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        for text in ("ROLLBACK", "COMMIT"):

            def write(text: str = text) -> None:
                with was.db(name, transaction=True) as db:
                    db.execute(text)
                    db.insert(table).set(id=1).execute().wait()

            with pytest.raises(DatabaseError, match=NOTHING) as raised:
                write()
            assert "behind its back" in str(raised.value.__cause__)
            assert ids(was, name, table) == []

    ask(look)


def test_a_failure_that_undid_everything(ask: Ask, table: str) -> None:
    """SQLite has ended the transaction then: the next statement would last by itself."""
    if table is None:
        return

    def look(was: Was) -> None:
        was.db("@lite").execute("CREATE TABLE undone (id integer PRIMARY KEY)").commit()

        def write() -> None:
            with was.db("@lite", transaction=True) as db:
                db.insert("undone").set(id=1).execute()
                db.execute("INSERT OR ROLLBACK INTO undone VALUES (1)")
                db.insert("undone").set(id=2).execute()

        with pytest.raises(DatabaseError, match=NOTHING):
            write()
        assert ids(was, "@lite", "undone") == []
        was.db("@lite").execute("DROP TABLE undone").commit()

    ask(look)


def test_an_end_that_is_given_up(ask: Ask, name: str, table: str) -> None:
    """Its time is over before its turn: nothing lasts, and the connection comes back."""
    slow = "SELECT pg_sleep(0.3)" if name == "@pg" else SLOW

    def look(was: Was) -> None:
        def write(end: str) -> None:
            with was.db(name, transaction=True) as db:
                db.insert(table).set(id=1).execute()
                db.execute(slow)
                db._start.options["timeout"] = 0.05
                if end == "rollback":
                    raise ZeroDivisionError

        with pytest.raises(TaskTimeout):
            write("commit")
        with pytest.raises(ZeroDivisionError):
            write("rollback")
        wait_until(lambda: not interface_of(was, name).holders)
        assert ids(was, name, table) == []

    ask(look)


# Parts --------------------------------------------------------------------------------------------


def test_a_part_that_comes_before_the_whole(ask: Ask, name: str, table: str) -> None:
    """The outer transaction has no statement yet when the inner one ends."""

    def look(was: Was) -> None:
        def write(fails: bool) -> None:
            with was.db(name, transaction=True) as db:
                with was.db(name, transaction=True) as inner:
                    inner.insert(table).set(id=1).execute()
                db.insert(table).set(id=2).execute()
                if fails:
                    raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write(True)
        assert ids(was, name, table) == []
        write(False)
        assert ids(was, name, table) == [1, 2]

    ask(look)


def test_a_part_of_a_whole_that_failed(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        def write() -> None:
            with was.db(name, transaction=True) as db:
                db.execute("SELEC").wait()
                with contextlib.suppress(DatabaseError), was.db(name, transaction=True) as inner:
                    inner.insert(table).set(id=1).execute()

        with pytest.raises(DatabaseError, match=NOTHING):
            write()
        assert ids(was, name, table) == []

    ask(look)


def test_a_whole_that_ends_before_its_part(ask: Ask, name: str, table: str) -> None:
    """The connection is somebody else's then."""

    def look(was: Was) -> None:
        def write() -> None:
            with was.db(name, transaction=True) as db:
                db.insert(table).set(id=1).execute()
                with was.db(name, transaction=True) as inner:
                    inner.insert(table).set(id=2).execute()
                    db.commit().fetch()
                    inner.insert(table).set(id=3).execute()

        with pytest.raises(DatabaseError, match=NOTHING) as raised:
            write()
        assert "has ended" in str(raised.value.__cause__)
        assert ids(was, name, table) == [1, 2]

    ask(look)


def test_parts_that_nobody_waits_for(ask: Ask, name: str, table: str) -> None:
    """They share a connection, which does one thing at a time."""

    def look(was: Was) -> None:
        with was.db(name, transaction=True) as db:
            for i in range(0, 40, 4):
                db.insert(table).set(id=i).execute()
                with was.db(name, transaction=True) as inner:
                    inner.insert(table).set(id=i + 1).execute()
                    db.insert(table).set(id=i + 2).execute()
                    inner.insert(table).set(id=i + 3).execute()
        assert ids(was, name, table) == list(range(40))

    ask(look)


def test_parts_are_at_the_member_of_the_whole(ask: Ask, postgresql: PostgreSQLServer) -> None:
    def look(was: Was) -> None:
        was.app.alias("@twice", DB_PGSQL, [postgresql.address] * 2)
        pid = "SELECT pg_backend_pid() AS pid"
        for _ in range(3):
            with was.db("@twice", transaction=True) as db:
                whole = db.execute(pid).one().pid
                with was.db("@twice", transaction=True) as inner:
                    assert inner.execute(pid).one().pid == whole

    ask(look)


def test_threads_of_one_request_have_their_own(ask: Ask, table: str, name: str) -> None:
    """One of them is undone; what the other one has committed stays."""
    if name == "@lite":
        pytest.skip("a request has one connection that writes")

    def look(was: Was) -> None:
        begun, committed = threading.Event(), threading.Event()

        def undone() -> None:
            with was.db(name, transaction=True) as db:
                db.insert(table).set(id=1).execute().commit()
                begun.set()
                committed.wait(PATIENCE)
                raise ZeroDivisionError

        def kept() -> None:
            begun.wait(PATIENCE)
            with was.db(name, transaction=True) as db:
                db.insert(table).set(id=2).execute().commit()
            committed.set()

        tasks = was.Thread(undone), was.Thread(kept)
        tasks[1].fetch()
        assert isinstance(tasks[0].dispatch().error, ZeroDivisionError)
        assert ids(was, name, table) == [2]

    ask(look)


# Order --------------------------------------------------------------------------------------------


@pytest.fixture
def app(postgresql: PostgreSQLServer, tmp_path: Path) -> Atila:
    layers = {"tasks": atila_tasks.layer, "auth": None, "render": None, "ws": None}
    app = Atila(__name__, layers=layers)
    app.alias("@pg", DB_PGSQL, [postgresql.address], max_conns=2)
    app.alias("@lite", DB_SQLITE3, [str(tmp_path / "test.db")])
    return app


def test_statements_run_in_the_order_in_which_they_were_made(app: Atila, name: str) -> None:
    """Also if a later one is awaited first."""

    @app.route("/")
    async def index(was: Was) -> str:
        (await was.db(name).execute("CREATE TABLE ordered (id integer)")).commit()
        async with was.db(name, transaction=True) as db:
            first = db.insert("ordered").set(id=1).execute()
            second = db.update("ordered").set(id=2).all().execute()
            third = db.select("ordered").execute()
            rows = (await third).fetch()
            assert first.done
            assert second.done
        (await was.db(name).execute("DROP TABLE ordered")).commit()
        return str([row.id for row in rows])

    with app.test_client() as client:
        assert client.get("/").text == "[2]"


def test_a_coroutine_whose_part_fails(app: Atila, name: str) -> None:
    """Its end waits for nobody, so nobody can undo the whole when it fails: it fails as well."""

    @app.route("/", coroutine=True)
    def index(was: Was) -> Any:
        yield was.db(name).execute("CREATE TABLE parts (id integer PRIMARY KEY)")
        with was.db(name, transaction=True) as db:
            yield db.insert("parts").set(id=1).execute()
            with was.db(name, transaction=True) as inner:
                yield inner.insert("parts").set(id=2).execute()
                yield inner.insert("parts").set(id=2).execute()
            yield db.insert("parts").set(id=3).execute()
        return "done"

    @app.route("/ids")
    def all_ids(was: Was) -> str:
        found = ids(was, name, "parts")
        was.db(name).execute("DROP TABLE parts").commit()
        return str(found)

    with app.test_client() as client:
        assert client.get("/").status_code == 500
        assert client.get("/ids").text == "[]"


def test_a_coroutine_with_parts(app: Atila, name: str) -> None:
    @app.route("/", coroutine=True)
    def index(was: Was) -> Any:
        yield was.db(name).execute("CREATE TABLE parts (id integer PRIMARY KEY)")
        with was.db(name, transaction=True) as db:
            with was.db(name, transaction=True) as inner:
                inner.insert("parts").set(id=1).execute()
            # Made before the end of the part is through, and after it in turn.
            db.insert("parts").set(id=2).execute()
            try:
                with was.db(name, transaction=True) as inner:
                    task = yield inner.insert("parts").set(id=2).execute()
                    task.commit()
            except DataConflict:
                yield db.insert("parts").set(id=3).execute()
        task = yield was.db(name).select("parts").get("id").order_by("id").execute()
        rows = task.fetch()
        yield was.db(name).execute("DROP TABLE parts")
        return str([row.id for row in rows])

    with app.test_client() as client:
        assert client.get("/").text == "[1, 2, 3]"
