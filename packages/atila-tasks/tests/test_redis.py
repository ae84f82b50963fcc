"""Redis, against a real server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atila import Atila, SetupError, Was
from atila.testing.waits import patience
from atila_tasks import (
    DB_REDIS,
    STA_NETERR,
    STA_NORMAL,
    STA_TIMEOUT,
    DatabaseError,
    DataError,
    PoolExhausted,
    Unreachable,
    UpstreamError,
)
from atila_tasks.testing import RedisServer

Run = Callable[[Callable[[Was], Any]], Any]
SECRET = "p@ss/word"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis"), SECRET) as server:
        yield server


@pytest.fixture
def app(app: Atila, server: RedisServer) -> Atila:
    app.alias("@myredis", DB_REDIS, [f":p%40ss%2Fword@127.0.0.1:{server.port}/0"], max_conns=4)
    return app


def test_the_example_of_the_specification(run: Run) -> None:
    def use(was: Was) -> Any:
        with was.db("@myredis") as db:
            task1 = db.set("foo", "bar")
            task1.commit()
            task2 = db.get("foo")
        return task1.fetch(), task2.fetch()

    assert run(use) == (True, "bar")


def test_commands_of_all_kinds(run: Run) -> None:
    def use(was: Was) -> Any:
        db = was.db("@myredis")
        db.delete("list", "hash", "n").commit()
        db.rpush("list", *range(5)).commit()
        db.hset("hash", mapping={"a": 1, "b": "zwei"}).commit()
        tasks = was.Tasks(
            list=db.lrange("list", 0, -1),
            hash=db.hgetall("hash"),
            count=db.incrby("n", 7),
            raw=db.execute_command("GET", "n-none"),
        )
        return tasks.fetch()

    assert run(use) == {
        "list": ["0", "1", "2", "3", "4"],
        "hash": {"a": "1", "b": "zwei"},
        "count": 7,
        "raw": None,
    }


def test_bytes_where_they_are_asked_for(app: Atila, server: RedisServer, run: Run) -> None:
    address = f":p%40ss%2Fword@127.0.0.1:{server.port}/1"
    app.alias("@bytes", DB_REDIS, address, text=False)
    data = bytes(range(256))

    def use(was: Was) -> Any:
        db = was.db("@bytes")
        db.set("binary", data).commit()
        return db.get("binary").fetch()

    assert run(use) == data
    assert run(lambda was: was.db("@myredis").get("binary").fetch()) is None


def test_values_that_are_no_text(run: Run) -> None:
    """They come as they are, beside those that are text."""
    data = bytes(range(256))

    def use(was: Was) -> Any:
        db = was.db("@myredis")
        for name in ("mixed", "fields", "scored", "members"):
            db.delete(name).commit()
        db.set("binary", data).commit()
        db.rpush("mixed", data, "text", "é").commit()
        db.hset("fields", mapping={"text": "a", "binary": data, data: "key"}).commit()
        db.zadd("scored", {data: 1.5, "text": 2}).commit()
        db.sadd("members", data, "text").commit()
        return (
            db.get("binary").fetch(),
            db.mget("binary", "none").fetch(),
            db.lrange("mixed", 0, -1).fetch(),
            db.hgetall("fields").fetch(),
            db.zrange("scored", 0, -1, withscores=True).fetch(),
            db.smembers("members").fetch(),
            type(db.info("server").fetch()["redis_version"]),
            db.config_get("maxmemory").fetch(),
            db.type("binary").fetch(),
            db.echo("a").fetch(),
        )

    got = run(use)
    scored = [tuple(pair) for pair in got[4]]
    assert got[:4] == (
        data,
        [data, None],
        [data, "text", "é"],
        {"text": "a", "binary": data, data: "key"},
    )
    assert scored == [(data, 1.5), ("text", 2.0)]
    assert got[5:] == ({data, "text"}, str, {"maxmemory": "0"}, "string", "a")


@pytest.mark.parametrize(
    ("command", "args"),
    [("set", ("a", "\ud800")), ("incrby", ("n", 2**63)), ("incrby", ("full", 1))],
)
def test_values_that_do_not_fit(run: Run, command: str, args: tuple[Any, ...]) -> None:
    def use(was: Was) -> Any:
        db = was.db("@myredis")
        db.set("full", 2**63 - 1).commit()
        return getattr(db, command)(*args).dispatch().error

    error = run(use)
    assert isinstance(error, DataError), repr(error)
    assert error.code == 400
    assert run(lambda was: was.db("@myredis").echo("a").fetch()) == "a"


@pytest.mark.parametrize(
    ("name", "error"),
    [("no_such_command", AttributeError), ("pipeline", TypeError), ("incr", DatabaseError)],
)
def test_what_is_no_command(run: Run, name: str, error: type[Exception]) -> None:
    def use(was: Was) -> Any:
        db = was.db("@myredis")
        db.set("text", "a").commit()
        return getattr(db, name)(*(["text"] if name == "incr" else [])).dispatch().error

    assert isinstance(run(use), error)


def test_a_command_that_takes_too_long_leaves_its_connection_usable(run: Run) -> None:
    def use(was: Was) -> Any:
        db = was.db("@myredis", timeout=0.1)
        begin = time.monotonic()
        results = [task.dispatch().status for task in [db.blpop("nothing", 0) for _ in range(4)]]
        seconds = time.monotonic() - begin
        values = [was.db("@myredis").echo(str(number)).fetch() for number in range(8)]
        return results, seconds, values

    results, seconds, values = run(use)
    assert results == [STA_TIMEOUT] * 4
    assert seconds < patience(2)
    assert values == [str(number) for number in range(8)]


def test_no_connection_keeps_the_request_that_it_was_opened_for(
    app: Atila, leave_nothing: Callable[..., None]
) -> None:
    async def ask(was: Was) -> str:
        return str((await was.db("@myredis").echo("1")).fetch())

    leave_nothing(app, ask, asks_on=True)


def test_more_tasks_than_connections(app: Atila, server: RedisServer, run: Run) -> None:
    def many(was: Was) -> Any:
        db = was.db("@myredis")
        return was.Tasks([db.echo(str(number)) for number in range(500)]).fetch()

    assert run(many) == [str(number) for number in range(500)]
    address = f":p%40ss%2Fword@127.0.0.1:{server.port}"
    app.alias("@one", DB_REDIS, address, max_conns=1, pool_timeout=0.1)

    def exhaust(was: Was) -> Any:
        db = was.db("@one")
        slow = db.blpop("nothing", 1)
        refused = db.get("foo").dispatch()
        slow.commit()
        return refused.error, db.echo("after").fetch()

    error, after = run(exhaust)
    assert isinstance(error, PoolExhausted)
    assert after == "after"


def test_a_wrong_password_is_told_without_it(
    app: Atila, server: RedisServer, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    app.alias("@wrong", DB_REDIS, [f":wr0ng@127.0.0.1:{server.port}"])
    error = run(lambda was: was.db("@wrong").get("foo").dispatch().error)
    assert isinstance(error, Unreachable)
    assert "user or the password" in str(error)
    assert "wr0ng" not in f"{error!r}{caplog.text}{app.__dict__}"


@pytest.fixture
def restarted(app: Atila, tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        app.alias("@restarted", DB_REDIS, f"127.0.0.1:{server.port}")
        yield server


def test_a_server_that_goes_and_comes_back(restarted: RedisServer, run: Run) -> None:
    def get(was: Was) -> Any:
        return was.db("@restarted").ping().dispatch()

    def broken_off(was: Was) -> Any:
        task = was.db("@restarted").blpop("nothing", 0)
        while not was.db("@restarted").client_list(_type="normal").fetch()[1:]:
            time.sleep(0.01)
        restarted.stop()
        return task.dispatch()

    assert run(get).status == STA_NORMAL
    lost = run(broken_off)
    assert (lost.status, type(lost.error)) == (STA_NETERR, UpstreamError)
    gone = run(get)
    assert (gone.status, type(gone.error)) == (STA_NETERR, Unreachable)
    restarted.start()
    assert run(get).data is True
    restarted.stop()
    restarted.start()
    assert run(get).data is True


def test_a_member_that_is_none(app: Atila) -> None:
    with pytest.raises(SetupError, match="number of the database"):
        app.alias("@named", DB_REDIS, "localhost/mydb")
