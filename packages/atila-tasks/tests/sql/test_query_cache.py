"""use_cache, rm_cache and cache: what is kept, for how long, and how much of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import atila_tasks
from atila import Atila, SetupError, Was
from atila.testing.waits import PATIENCE
from atila_tasks import DB_SQLITE3
from atila_tasks.databases.query_cache import QueryCache, cache_of
from atila_tasks.databases.sql.rows import Row


@pytest.fixture
def app(tmp_path: Path) -> Atila:
    layers = {"tasks": atila_tasks.layer, "auth": None, "render": None, "ws": None}
    app = Atila(__name__, layers=layers)
    app.alias("@db", DB_SQLITE3, str(tmp_path / "x.db"))
    app.alias("@other", DB_SQLITE3, str(tmp_path / "y.db"))
    return app


@pytest.fixture
def ask(app: Atila) -> Iterator[Any]:
    given: list[Any] = []

    @app.route("/ask")
    def handler(was: Was) -> str:
        given.append(given.pop()(was))
        return ""

    def setup(was: Was) -> None:
        for name in ("@db", "@other"):
            was.db(name).execute("CREATE TABLE t (id integer, n)").commit()
            was.db(name).insert("t").set(id=1, n=0).execute().commit()

    with app.test_client() as client:

        def ask(func: Any) -> Any:
            given.append(func)
            assert client.get("/ask").status_code == 200
            return given.pop()

        ask(setup)
        yield ask


def n(was: Was, name: str = "@db", **uses: Any) -> Any:
    return was.db(name, **uses).select("t").filter(id=1).execute().one().n


def change(was: Was, value: Any, **uses: Any) -> None:
    was.db("@db", **uses).update("t").set(n=value).filter(id=1).execute().commit()


def test_data_are_kept_until_what_they_depend_on_is_updated(ask: Any) -> None:
    def look(was: Was) -> None:
        both = ["tables.t", "tables.u"]
        assert n(was, use_cache="tables.t") == 0
        change(was, 1)
        assert (n(was), n(was, use_cache="tables.t")) == (1, 0)
        # Another alias is another database, other values another statement.
        assert n(was, "@other", use_cache="tables.t") == 0
        assert was.db("@db", use_cache="tables.t").select("t").filter(id=2).execute().fetch() == []
        change(was, 2, rm_cache="tables.t")
        assert n(was, use_cache="tables.t") == 2
        assert n(was, use_cache=both) == 2
        change(was, 3)
        was.setlu("tables.u")
        assert n(was, use_cache=both) == 3

    ask(look)


def test_seconds(ask: Any) -> None:
    def look(was: Was) -> None:
        assert n(was, cache=0.2) == 0
        change(was, 1)
        assert n(was, cache=0.2) == 0
        time.sleep(0.25)
        assert n(was, cache=0.2) == 1
        with pytest.raises(ValueError, match="seconds"):
            was.db("@db", cache=-1)

    ask(look)


def test_what_is_done_with_rows_is_not_kept(ask: Any) -> None:
    def hide(rows: Any) -> Any:
        for row in rows:
            row.n = "****"
        return rows

    def look(was: Was) -> None:
        assert n(was, use_cache="t") == 0
        assert n(was, use_cache="t", filter=hide) == "****"
        assert n(was, use_cache="t") == 0
        task = was.db("@db", use_cache="t", meta={"a": 1}).select("t").filter(id=1).execute()
        assert (task.meta, task.done) == ({"a": 1}, True)

    ask(look)


def test_an_update_that_fails_or_is_undone(ask: Any) -> None:
    def look(was: Was) -> None:
        assert n(was, use_cache="t") == 0
        before = was.getlu("t")
        was.db("@db", rm_cache="t").execute("SELEC").dispatch()
        assert was.getlu("t") > before
        before = was.getlu("t")
        with was.db("@db", transaction=True, rm_cache="t") as db:
            db.update("t").set(n=5).filter(id=1).execute().commit()
            # Not before it lasts.
            assert was.getlu("t") == before
            assert n(was, use_cache="t") == 0
        assert was.getlu("t") > before
        assert n(was, use_cache="t") == 5

    ask(look)


def test_events(app: Atila, ask: Any) -> None:
    import threading

    told = threading.Event()
    app.on("setlu:t")(lambda was, *args: told.set())
    ask(lambda was: change(was, 1, rm_cache="t"))
    assert told.wait(PATIENCE)


def test_equal_is_not_the_same() -> None:
    cache = QueryCache(10_000)
    key = ("alias", "sql", (("int", "1"),))
    cache.put(key, [Row(a=[1])], 0.0, None)
    found = cache.get(key, 0.0)
    found[0].a.append(2)
    assert cache.get(key, 0.0) == [{"a": [1]}]
    assert cache.get(("alias", "sql", (("bool", "True"),)), 0.0) is None
    assert cache.get(key, 1.0) is None
    assert len(cache) == cache.size == 0


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2000)), max_size=60))
def test_memory_has_a_bound(puts: list[tuple[int, int]]) -> None:
    cache = QueryCache(20_000)
    for number, length in puts:
        key = ("alias", f"sql {number}", ())
        cache.put(key, [Row(a="x" * length)], 0.0, None)
        assert cache.size <= 20_000
        found = cache.get(key, 0.0)
        assert found is None or found == [{"a": "x" * length}]
    assert (cache.size == 0) == (len(cache) == 0)


def test_the_setting(app: Atila) -> None:
    app.config.QUERY_CACHE_SIZE = 12345

    @app.route("/")
    def index(was: Was) -> str:
        return str(cache_of(was.site)._limit)

    assert app.test_client().get("/").text == "12345"
    wrong = Atila(__name__, layers={"auth": None, "render": None, "ws": None})
    wrong.config.QUERY_CACHE_SIZE = "much"
    wrong.route("/")(lambda was: "")
    with pytest.raises(SetupError, match="QUERY_CACHE_SIZE"):
        wrong.test_client().get("/")
