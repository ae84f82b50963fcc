"""PostgreSQL and SQLite from within handlers, over real connections on every engine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from support.servers import USUAL, Server, serving

from atila.testing.waits import PATIENCE, patience, wait_until
from atila_tasks.testing import PostgreSQLServer

engines = USUAL

SCRIPT = Path(__file__).with_name("apps") / "databases.py"
WORKERS = 2


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLServer]:
    """A server of its own for all engines; who stops it starts it again."""
    with PostgreSQLServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATILA_POSTGRESQL", server.address)
        patch.setenv("ATILA_WRONG", f"postgres:hunter2@127.0.0.1:{server.port}/test")
        yield server


@pytest.fixture(scope="session")
def server(engine: str, postgresql: PostgreSQLServer) -> Iterator[Server]:
    """A server of apps/databases.py."""
    with serving(engine, SCRIPT) as server:
        assert server.get("/setup").status == 200, server.log()
        yield server


# Statements


def test_the_statement_of_the_specification(client: httpx.Client, name: str) -> None:
    for value in (name, "'; DROP TABLE my_table; --" + name):
        answer = client.get("/sqlphile", params={"name": value}).json()
        assert answer["name"] == value
        assert {row["name"] for row in answer["rows"]} == {"Hans"}


def test_map(client: httpx.Client) -> None:
    answer = client.get("/bench/sp").json()
    assert len(answer["result"]) == 10
    assert {row["from_wallet_id"] for row in answer["result"]} == {8}
    assert answer["record_count"] == {"cnt": 20}
    assert "tmp" in answer["files"]
    assert set(answer) == {"result", "record_count", "files"}


def test_filter(client: httpx.Client) -> None:
    answer = client.get("/users").json()
    assert answer["result"] == [{"id": 1, "password": "****"}]
    assert "a_b" in answer["files"]


def test_rows_as_answers(client: httpx.Client) -> None:
    rows = [{"id": 1, "password": "hunter2"}]
    assert client.get("/datalist").json() == {"result": rows}
    assert client.get("/datalist/map").json() == {"result": rows}
    assert client.get("/then").json() == {"result": rows, "a": 1}
    assert client.get("/thread_future").json() == {"result": 4.0}
    assert client.get("/two/async").json() == {"one": [{"a": 1}], "two": [{"a": 2}]}


def test_members(client: httpx.Client) -> None:
    assert client.get("/members").json() == {"map": [[{"one": 1}]] * 2, "lb": [{"one": 1}]}


def test_coroutine_streams_rows(client: httpx.Client) -> None:
    text = client.get("/download_csv").text
    assert text.startswith('ID, NAME\n1, "name 1"\n2, "name 2"')
    assert text.endswith('250, "name 250"')
    assert text.count("name") == 250


@pytest.mark.memory
def test_a_million_rows(server: Server) -> None:
    """They are not asked for before the client takes them, nor kept when it has."""
    with server.connect(receive_buffer=4096) as connection:
        connection.send("GET /million HTTP/1.1\r\nHost: a\r\n\r\n")
        server.board.wait_count("pieces")
        first = server.board.stalled_count("pieces")
        assert first < 400
        before = server.resident()
    if server.engine == "gunicorn":
        return
    # The client has left: the cursor is closed, and its connection free.
    wait_until(lambda: counts(server)["held"] == 0, "the cursor is closed")
    after = server.resident()
    assert after - before < 50 * 2**20


def test_waiting_on_the_loop_is_refused_at_once(client: httpx.Client) -> None:
    assert "await task" in client.get("/blocking").text


# Transactions


@pytest.mark.parametrize("way", ["/pay", "/pay/coroutine", "/pay/async"])
def test_transactions(client: httpx.Client, way: str) -> None:
    kept, undone = str(uuid4()), str(uuid4())
    assert client.get(way, params={"key": kept}).text == "paid"
    assert client.get(way, params={"key": undone, "fail": "yes"}).status_code == 409
    assert client.get("/paid", params={"key": kept}).text == "2"
    assert client.get("/paid", params={"key": undone}).text == "0"


@pytest.mark.parametrize("threads", [4, 40])
def test_more_transactions_than_connections(
    engine: str, postgresql: PostgreSQLServer, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 handlers in threads, each in a transaction of two fetches, on five connections."""
    monkeypatch.setenv("ATILA_THREADS", str(threads))
    with serving(engine, SCRIPT) as server, ThreadPoolExecutor(200) as clients:
        began = time.monotonic()
        answers = list(clients.map(lambda _: server.get("/twice").text, range(200)))
        took = time.monotonic() - began
    assert answers == ["twice"] * 200
    # 4 s of sleep, four or five at a time.
    assert took < patience(15)


# Faults


def counts(server: Server) -> dict[str, int]:
    with httpx.Client(base_url=server.url("")) as client:
        numbers: dict[str, int] = client.get("/counts").json()
        return numbers


def test_a_restart_between_requests(
    server: Server, client: httpx.Client, postgresql: PostgreSQLServer
) -> None:
    for how in ("fast", "immediate"):
        assert client.get("/one").json() == {"a": 1}
        postgresql.restart(how)
        assert client.get("/one").json() == {"a": 1}
        assert client.get("/one").json() == {"a": 1}


def test_a_stop_during_requests(server: Server, postgresql: PostgreSQLServer) -> None:
    with ThreadPoolExecutor(4) as clients:
        paths = ["/sleep", "/sleep/async"] * 2
        answers = [clients.submit(server.get, path) for path in paths]
        wait_until(lambda: counts(server)["busy"] == 4, "statements are under way")
        postgresql.stop("fast")
        try:
            assert [answer.result(PATIENCE).status for answer in answers] == [502] * 4
            began = time.monotonic()
            assert server.get("/one").status == 502
            assert time.monotonic() - began < patience(2)
        finally:
            postgresql.start()
    assert server.get("/one").status == 200


@pytest.mark.parametrize("path", ["/sleep", "/sleep/async"])
def test_a_statement_that_hangs(server: Server, client: httpx.Client, path: str) -> None:
    began = time.monotonic()
    assert client.get(path, params={"timeout": "0.3"}).status_code == 504
    assert time.monotonic() - began < patience(3)
    asleep = (
        "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sl%' AND state = 'active'"
    )
    wait_until(lambda: not ask(asleep), "the server has stopped it, too")
    assert client.get("/one").status_code == 200


def ask(statement: str) -> list[object]:
    """What PostgreSQL says to a test itself."""
    import asyncio

    import asyncpg

    async def fetch() -> list[object]:
        connection = await asyncpg.connect(f"postgresql://{os.environ['ATILA_POSTGRESQL']}")
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    return asyncio.run(fetch())


def test_conflicts(client: httpx.Client) -> None:
    client.get("/unique")
    answer = client.get("/unique")
    assert answer.status_code == 409
    assert "hunter2" not in answer.text


def test_a_wrong_password_is_told_to_nobody(server: Server, client: httpx.Client) -> None:
    answer = client.get("/wrong")
    assert answer.status_code == 502
    assert "hunter2" not in answer.text
    log = server.log()
    assert "refuses the user" in log
    assert "hunter2" not in log
    assert os.environ["ATILA_POSTGRESQL"].partition("@")[0] not in log


def test_no_connection_left(server: Server, client: httpx.Client, name: str) -> None:
    with ThreadPoolExecutor(1) as clients:
        held = clients.submit(server.get, f"/hold?gate={name}")
        server.board.wait_count(f"{name}-held")
        began = time.monotonic()
        answer = client.get("/wait")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert 0.2 < time.monotonic() - began < patience(3)
        server.board.open(name)
        assert held.result(PATIENCE).text == "held"
    assert client.get("/wait").json() == {"a": 1}


def test_nothing_leaks(server: Server, client: httpx.Client) -> None:
    paths = ["/one", "/two/async", "/bench/sp", "/datalist", "/twice", "/unique"]
    for path in paths:
        client.get(path)
    client.get("/sleep", params={"timeout": "0.01"})
    before = counts(server)
    for _ in range(25):
        for path in paths:
            assert client.get(path).status_code in (200, 409)
        assert client.get("/sleep", params={"timeout": "0.01"}).status_code == 504

    def settled() -> bool:
        after = counts(server)
        return (
            after["connections"] <= 5
            and (after["busy"], after["held"]) == (0, 0)
            and after["tasks"] <= before["tasks"]
            and after["threads"] <= before["threads"] + 8
        )

    wait_until(settled, f"as before: {before}")


# Cache


@pytest.fixture(scope="module")
def pair(engine: str, server: Server) -> Iterator[Server]:
    """Two workers; the tables are there."""
    with serving(engine, SCRIPT, WORKERS) as pair:
        yield pair


def ask_both(pair: Server) -> dict[int, str]:
    """What each of two workers answers last."""
    answers: dict[int, str] = {}

    def ask(_: int) -> tuple[int, str]:
        answer = httpx.get(pair.url("/query"), timeout=PATIENCE).json()
        return answer["pid"], answer["n"]

    def all_answered() -> bool:
        with ThreadPoolExecutor(8) as clients:
            answers.update(clients.map(ask, range(8)))
        return len(answers) == WORKERS

    wait_until(all_answered, "both workers answer")
    return answers


def test_cache_control_across_workers(pair: Server) -> None:
    assert pair.get("/update?value=one").status == 200
    assert set(ask_both(pair).values()) == {"one"}
    # Nobody says that it was changed, so nobody looks.
    assert pair.get("/behind?value=two").status == 200
    assert set(ask_both(pair).values()) == {"one"}
    assert pair.get("/update?value=three").status == 200
    assert set(ask_both(pair).values()) == {"three"}
    assert pair.get("/query2").text.find("three") > 0
    # Told in the worker that did it, and in no other.
    pair.board.wait_count("updated", 2)
    assert pair.board.stalled_count("updated") == 2
