"""examples/jobs as a user starts it: an app, PostgreSQL, and a worker that is killed amid jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from support.repository import ROOT
from support.servers import Server, serving

from atila.testing.waits import PATIENCE, wait_until
from atila_tasks.testing import PostgreSQLServer

pytestmark = pytest.mark.served

FOLDER = ROOT / "examples" / "jobs"
ORDERS = 40


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """Variables of the programs; the tables are made, twice as is allowed."""
    with PostgreSQLServer() as server:
        variables = {"DATABASE_URL": f"postgresql://{server.address}", "JOBS_HEARTBEAT": "1"}
        for _ in range(2):
            done = program("prepare.py", variables, subprocess.PIPE)
            output = done.communicate(timeout=PATIENCE)[0]
            assert done.returncode == 0, output
        yield variables


def program(name: str, variables: dict[str, str], output: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        (sys.executable, name),
        cwd=FOLDER,
        env={**os.environ, **variables, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def worker(variables: dict[str, str], log: Path) -> Iterator[subprocess.Popen[str]]:
    with log.open("a") as output:
        process = program("worker.py", variables, output.fileno())
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(PATIENCE) in (0, -signal.SIGKILL), log.read_text()


@pytest.fixture
def db(environment: dict[str, str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as db:
        yield db


@pytest.fixture(scope="module")
def shop(environment: dict[str, str]) -> Iterator[Server]:
    more = ("--host", "127.0.0.1")
    script = FOLDER / "serve.py"
    with serving("granian", script, environment=environment, options=more, ready="") as server:
        wait_until(lambda: answers(server), "the shop answers")
        yield server


def answers(server: Server) -> bool:
    try:
        return httpx.get(server.url("/orders/0")).status_code == 404
    except httpx.TransportError:
        return False


def count(db: psycopg.Connection, what: str) -> int:
    row = db.execute(f"SELECT count(*) FROM {what}").fetchone()
    assert row is not None
    return int(row[0])


def test_an_order_has_its_job_or_there_is_neither(shop: Server, db: psycopg.Connection) -> None:
    before = count(db, "orders"), count(db, "procrastinate_jobs")
    bad = httpx.post(shop.url("/orders"), json={"key": "empty", "item": " "})
    assert (bad.status_code, bad.json()["detail"]) == (400, "an order of nothing")
    assert (count(db, "orders"), count(db, "procrastinate_jobs")) == before
    for status in (201, 409):
        good = httpx.post(shop.url("/orders"), json={"key": "once", "item": "pen"})
        assert good.status_code == status
    assert count(db, "orders") == before[0] + 1
    assert count(db, "procrastinate_jobs WHERE task_name = 'send_receipt'") == before[1] + 1


def test_no_job_is_lost_or_done_twice_when_a_worker_is_killed(
    shop: Server, db: psycopg.Connection, environment: dict[str, str], tmp_path: Path
) -> None:
    with httpx.Client(base_url=shop.url("")) as client:
        for number in range(ORDERS):
            order = {"key": f"killed-{number}", "item": f"pen {number}"}
            last = client.post("/orders", json=order).raise_for_status().json()["order"]
    doing = f"procrastinate_jobs WHERE status = 'doing' AND args ->> 'order' = '{last}'"
    log = tmp_path / "log.txt"
    with (
        psycopg.connect(environment["DATABASE_URL"]) as holder,
        worker(environment, log) as first,
    ):
        # The receipt of the last order cannot be written while this lock is held.
        holder.execute("SELECT * FROM orders WHERE id = %s FOR UPDATE", [last])
        wait_until(lambda: count(db, doing) == 1, "a job that waits", log=log.read_text)
        first.send_signal(signal.SIGKILL)
        first.wait(PATIENCE)
        holder.rollback()
    assert count(db, doing) == 1
    assert httpx.get(shop.url(f"/orders/{last}")).json() == {"receipt": None}

    finished = "procrastinate_jobs WHERE task_name = 'send_receipt' AND status <> 'succeeded'"
    with worker(environment, log):
        wait_until(lambda: count(db, finished) == 0, "all jobs done", log=log.read_text)
    assert count(db, "receipts") == count(db, "orders")
    item = f"pen {ORDERS - 1}"
    assert httpx.get(shop.url(f"/orders/{last}")).json() == {"receipt": f"one {item}"}
    tries = db.execute(
        "SELECT attempts FROM procrastinate_jobs WHERE args ->> 'order' = %s", [str(last)]
    ).fetchone()
    assert tries is not None
    assert tries[0] >= 2


def test_a_job_that_runs_twice_has_one_effect(
    db: psycopg.Connection, environment: dict[str, str], tmp_path: Path
) -> None:
    (order,) = db.execute("INSERT INTO orders (key, item) VALUES ('twice', 'ink') RETURNING id")
    args = f'{{"order": {order[0]}}}'
    for _ in range(2):
        db.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
            " VALUES ('default', 'send_receipt', %s)",
            [args],
        )
    twice = "procrastinate_jobs WHERE status = 'succeeded' AND args = " + f"'{args}'"
    with worker(environment, tmp_path / "log.txt"):
        wait_until(lambda: count(db, twice) == 2, "both runs")
    assert count(db, f"receipts WHERE order_id = {order[0]}") == 1
