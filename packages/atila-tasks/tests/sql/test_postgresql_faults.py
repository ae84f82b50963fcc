"""A PostgreSQL server that is stopped, hangs, refuses, or has no connection left."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import atila_tasks
from atila import Atila, Was
from atila.testing import TestClient
from atila.testing.waits import PATIENCE, patience, wait_until
from atila_tasks import (
    DB_PGSQL,
    STA_NETERR,
    STA_TIMEOUT,
    PoolExhausted,
    TaskTimeout,
    Unreachable,
    UpstreamError,
)
from atila_tasks.testing import PostgreSQLServer
from atila_tasks.upstream.aliases import resolve
from atila_tasks.upstream.balancing import seats_of

Ask = Callable[..., Any]

ASLEEP = (
    "SELECT pid FROM pg_stat_activity"
    " WHERE query LIKE $1 AND state = 'active' AND pid <> pg_backend_pid()"
)
CONNECTED = "SELECT pid FROM pg_stat_activity WHERE application_name = 'atila'"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQLServer]:
    """A server that tests may stop, if they start it again."""
    with PostgreSQLServer() as server:
        yield server


class Client:
    """Runs functions of a request as handlers, also many at once."""

    def __init__(self, server: PostgreSQLServer, threads: int = 8, **options: Any) -> None:
        layers = {"tasks": atila_tasks.layer, "auth": None, "render": None, "ws": None}
        self.app = Atila(__name__, layers=layers)
        self.app.config.THREADS = threads
        self.app.alias("@pg", DB_PGSQL, server.address, **{"max_conns": 5, **options})
        self.app.alias("@admin", DB_PGSQL, server.address, settings={"application_name": "admin"})
        self._funcs: dict[int, Callable[[Was], Any]] = {}
        self._given: dict[int, Any] = {}
        self.client: TestClient = self.app.test_client()

        @self.app.route("/ask/<int:number>")
        def handler(was: Was, number: int) -> str:
            self._given[number] = self._funcs[number](was)
            return ""

    def __call__(self, func: Callable[[Was], Any], number: int = 0) -> Any:
        self._funcs[number] = func
        answer = self.client.get(f"/ask/{number}")
        assert answer.status_code == 200, answer.text
        return self._given.pop(number)

    def all(self, func: Callable[[Was], Any], count: int) -> list[Any]:
        """The same many times at once."""
        with ThreadPoolExecutor(count) as executor:
            return list(executor.map(lambda number: self(func, number), range(count)))


@pytest.fixture
def ask(server: PostgreSQLServer) -> Iterator[Client]:
    client = Client(server)
    with client.client:
        yield client


def interface_of(was: Was) -> Any:
    return seats_of(was.site, resolve(was, "@pg")).all[0]._interface


def one(was: Was) -> int:
    number: int = was.db("@pg").execute("SELECT 1 AS a").one().a
    return number


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_restart_between_requests(server: PostgreSQLServer, ask: Client, how: str) -> None:
    ask.all(one, 5)
    server.restart(how)
    assert ask.all(one, 5) == [1] * 5


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_restart_during_a_request(server: PostgreSQLServer, ask: Client, how: str) -> None:
    def sleep(was: Was) -> Any:
        return was.db("@pg").execute("SELECT pg_sleep(600)").dispatch()

    def in_transaction(was: Was) -> Any:
        try:
            with was.db("@pg", transaction=True) as db:
                return db.execute("SELECT pg_sleep(600)").fetch()
        except UpstreamError as error:
            return error

    with ThreadPoolExecutor(2) as executor:
        results = [executor.submit(ask, sleep, 1), executor.submit(ask, in_transaction, 2)]
        wait_until(lambda: len(asleep(ask)) == 2)
        began = time.monotonic()
        server.restart(how)
        result, error = (each.result(PATIENCE) for each in results)
    assert time.monotonic() - began < patience(8)
    assert result.status == STA_NETERR
    assert isinstance(result.error, UpstreamError)
    assert isinstance(error, UpstreamError)
    assert ask(one) == 1


def asleep(ask: Client) -> list[Any]:
    rows: list[Any] = ask(lambda was: was.db("@admin").execute(ASLEEP, "%pg_sleep%").fetch(), 99)
    return rows


def test_a_server_that_is_not_there(server: PostgreSQLServer, ask: Client) -> None:
    assert ask(one) == 1
    server.stop()
    try:
        began = time.monotonic()
        result = ask(lambda was: was.db("@pg").execute("SELECT 1").dispatch())
        assert time.monotonic() - began < patience(2)
        assert (result.status, type(result.error)) == (STA_NETERR, Unreachable)
        assert result.error.code == 502
    finally:
        server.start()
    assert ask(one) == 1


def test_a_connection_that_was_ended(ask: Client) -> None:
    assert ask(one) == 1
    ended = CONNECTED.replace("pid FROM", "pg_terminate_backend(pid, 9999) FROM")
    ask(lambda was: was.db("@admin").execute(ended).commit())
    assert ask.all(one, 5) == [1] * 5


def test_a_wrong_password(server: PostgreSQLServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = Client(server)
    alias = client.app.alias("@wrong", DB_PGSQL, f"postgres:hunter2@127.0.0.1:{server.port}/test")
    client.app.alias("@nowhere", DB_PGSQL, server.address.replace("/test", "/nowhere"))

    @client.app.route("/wrong")
    def wrong(was: Was) -> str:
        was.db("@wrong").execute("SELECT 1").fetch()
        return ""

    with client.client:
        result = client(lambda was: was.db("@wrong").execute("SELECT 1").dispatch())
        answer = client.client.get("/wrong")
        other = client(lambda was: was.db("@nowhere").execute("SELECT 1").dispatch())
    assert isinstance(result.error, Unreachable)
    assert "user or the password" in str(result.error)
    assert "no such database" in str(other.error)
    assert answer.status_code == 502
    chain = [result.error, result.error.__cause__, result.error.__context__]
    told = f"{alias!r} {chain!r} {chain} {answer.text} {caplog.text}"
    assert "hunter2" not in told
    assert server.password not in told


def test_a_statement_that_takes_too_long(ask: Client) -> None:
    began = time.monotonic()

    def sleep(was: Was) -> Any:
        return was.db("@pg", timeout=0.3).execute("SELECT pg_sleep(600)").dispatch()

    results = ask.all(sleep, 5)
    assert time.monotonic() - began < patience(3)
    assert all(result.status == STA_TIMEOUT for result in results)
    assert all(isinstance(result.error, TaskTimeout) for result in results)
    # The server does not go on with it.
    wait_until(lambda: not asleep(ask))
    assert ask.all(one, 5) == [1] * 5
    assert len(ask(lambda was: was.db("@admin").execute(CONNECTED).fetch())) <= 5


def test_the_server_s_own_limit(server: PostgreSQLServer) -> None:
    client = Client(server, statement_timeout=0.2)
    with client.client:
        result = client(lambda was: was.db("@pg").execute("SELECT pg_sleep(600)").dispatch())
        assert client(one) == 1
    assert isinstance(result.error, TaskTimeout)
    assert result.error.code == 504


def test_no_connection_left(server: PostgreSQLServer) -> None:
    client = Client(server, max_conns=1, pool_timeout=0.2)
    gate = threading.Event()

    def hold(was: Was) -> Any:
        with was.db("@pg", transaction=True) as db:
            db.execute("SELECT 1").commit()
            gate.wait(PATIENCE)
        return "held"

    @client.app.route("/wait")
    def wait(was: Was) -> str:
        was.db("@pg").execute("SELECT 1").commit()
        return ""

    with client.client, ThreadPoolExecutor(1) as executor:
        assert client(one) == 1
        held = executor.submit(client, hold, 1)
        wait_until(lambda: client(lambda was: len(interface_of(was).holders)) == 1)
        began = time.monotonic()
        late = client(lambda was: was.db("@pg").execute("SELECT 1").dispatch(), 2)
        answer = client.client.get("/wait")
        assert 0.3 < time.monotonic() - began < patience(2)
        later = client(lambda was: was.db("@pg", timeout=0.1).execute("SELECT 1").dispatch(), 3)
        gate.set()
        assert held.result(PATIENCE) == "held"
        assert client(one) == 1
    assert isinstance(late.error, PoolExhausted)
    assert "none of the 1 connections of @pg" in str(late.error)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert isinstance(later.error, TaskTimeout)


@pytest.mark.parametrize("threads", [4, 40])
def test_handlers_with_more_requests_than_connections(
    server: PostgreSQLServer, threads: int
) -> None:
    client = Client(server, threads=threads)
    pause = 0.01

    def twice(was: Was) -> tuple[float, float]:
        began = time.monotonic()
        with was.db("@pg", transaction=True) as db:
            for _ in range(2):
                db.execute("SELECT pg_sleep($1)", pause).fetch()
        return began, time.monotonic()

    with client.client:
        began = time.monotonic()
        times = client.all(twice, 200)
        took = time.monotonic() - began
    assert len(times) == 200
    # Five at once, or four: the last one waits for all others, and nobody longer than that.
    least = 200 * 2 * pause / min(threads, 5)
    assert took < 5 * least + 3
    assert max(end - start for start, end in times) <= took


def test_requests_that_hold_one_connection_and_want_another(server: PostgreSQLServer) -> None:
    client = Client(server, threads=20, max_conns=2)

    with client.client:
        began = time.monotonic()
        # Both hold one of two connections before they want another.
        assert client.all(held_pair, 2) == [1, 1]
        assert client.all(nested, 20) == [1] * 20
        assert time.monotonic() - began < patience(5)


def held_pair(was: Was) -> int:
    with was.db("@pg", transaction=True) as db:
        db.execute("SELECT pg_sleep(0.1)").commit()
        return one(was)


def nested(was: Was) -> int:
    with was.db("@pg", transaction=True) as db:
        db.execute("SELECT 1").commit()
        with was.db("@pg", transaction=True) as inner:
            inner.execute("SELECT 1").commit()
            return one(was)


def others() -> list[threading.Thread]:
    """All threads but the workers of sites: a pool starts one more when the machine stalls it."""
    names = ((thread, thread.name) for thread in threading.enumerate())
    return [thread for thread, name in names if not re.fullmatch(r"atila-\d+", name)]


def test_nothing_leaks(server: PostgreSQLServer) -> None:
    client = Client(server)

    def work(was: Was) -> None:
        db = was.db("@pg")
        db.execute("SELECT 1").commit()
        db.execute("SELEC").dispatch()
        was.db("@pg", timeout=0.001).execute("SELECT pg_sleep(0.002)").dispatch()
        with was.db("@pg", transaction=True) as tx:
            tx.execute("SELECT 1")
        db.cursor("SELECT 1 FROM generate_series(1, 10)", size=2).next().commit()

    with client.client:

        def busy() -> tuple[Any, ...]:
            def look(was: Was) -> tuple[Any, ...]:
                interface = interface_of(was)
                return was.site.loop.busy, interface.pool.busy, len(interface.holders)

            return tuple(client(look))

        for number in range(20):
            client(work, number)
        wait_until(lambda: busy() == (0, 0, 0))
        threads = len(others())
        for number in range(100):
            client(work, number % 20)
        for number in range(2000):
            client(one, number % 20)
        wait_until(lambda: busy() == (0, 0, 0))
        # Other libraries have threads of their own; one for each hundredth request would be a leak.
        assert len(others()) < threads + 20
        wait_until(
            lambda: len(client(lambda was: was.db("@admin").execute(CONNECTED).fetch())) <= 6
        )
    admin = Client(server)
    with admin.client:
        wait_until(lambda: not admin(lambda was: was.db("@admin").execute(CONNECTED).fetch()))


def test_idle_connections_are_closed(server: PostgreSQLServer) -> None:
    client = Client(server, idle_timeout=0.2)
    with client.client:
        client.all(one, 5)

        def connected() -> int:
            return len(client(lambda was: was.db("@admin").execute(CONNECTED).fetch()))

        assert connected() >= 1
        wait_until(lambda: connected() == 0)
        assert client(one) == 1


def test_a_session_is_as_new_for_the_next_request(server: PostgreSQLServer) -> None:
    client = Client(server, max_conns=1, settings={"work_mem": "5MB"})

    def show(was: Was) -> Any:
        db = was.db("@pg")
        locks = db.execute("SELECT count(*) AS c FROM pg_locks WHERE locktype = 'advisory'").one().c
        return db.execute("SHOW work_mem").one().work_mem, locks

    def change(was: Was) -> None:
        db = was.db("@pg")
        db.execute("SET work_mem = '7MB'").commit()
        db.execute("SELECT pg_advisory_lock(1)").commit()
        db.execute("SELECT set_config('work_mem', '8MB', false)").commit()
        with was.db("@pg", transaction=True) as tx:
            tx.execute("SET work_mem = '9MB'").commit()
            tx.execute("CREATE TEMP TABLE left_over (a int)").commit()

    with client.client:
        assert client(show) == ("5MB", 0)
        client(change)
        assert client(show) == ("5MB", 0)
        gone = client(lambda was: was.db("@pg").execute("SELECT * FROM left_over").dispatch())
        assert gone.error.sqlstate == "42P01"
