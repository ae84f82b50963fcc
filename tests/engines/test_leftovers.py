"""Whenever a server is told to end, or its master is killed: none of its processes are left."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.servers import Server, serving

from atila.testing.waits import wait_until

SLOW_START = Path(__file__).parent / "apps" / "slow_start.py"
WORKERS = 2

engines = ("skitai", "granian", "granian-wsgi")


@pytest.fixture
def started(engine: str) -> Iterator[list[Server]]:
    """Servers that are ended with the test."""
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.stop()


def start(engine: str, started: list[Server], slow: str = "") -> Server:
    server = Server(engine, SLOW_START, WORKERS, ready="", environment={"SLOW_START": slow})
    started.append(server)
    return server


def group(server: Server) -> list[int]:
    """The processes of the server's group, whoever their parents are."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == server.process.pid and process.status() != "zombie":
                found.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            pass
    return found


def check_gone(server: Server) -> None:
    wait_until(lambda: server.process.poll() is not None, "the server has ended", log=server.log)
    wait_until(lambda: group(server) == [], "all of its processes have ended", log=server.log)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_while_the_app_is_imported(
    engine: str, started: list[Server], number: signal.Signals
) -> None:
    server = start(engine, started, "IMPORT")
    server.board.wait_count("importing")
    server.process.send_signal(number)
    check_gone(server)


def test_while_workers_mount_it(engine: str, started: list[Server]) -> None:
    server = start(engine, started, "MOUNT")
    server.board.wait_count("mounting")
    server.process.send_signal(signal.SIGTERM)
    check_gone(server)


def test_while_a_provider_never_ends(engine: str, started: list[Server]) -> None:
    server = start(engine, started, "PROVIDE")
    server.board.wait_count("providing", WORKERS)
    server.process.send_signal(signal.SIGINT)
    check_gone(server)
    assert server.board.count("closed") == WORKERS


@pytest.mark.parametrize("tenths", range(0, 16, 5))
def test_at_any_moment_of_the_start(engine: str, started: list[Server], tenths: int) -> None:
    server = start(engine, started)
    if engine == "skitai":
        wait_until(lambda: "about to run" in server.log(), "the script runs")
    since = time.monotonic()
    wait_until(lambda: time.monotonic() >= since + tenths / 10, "the moment has come")
    server.process.send_signal(signal.SIGTERM)
    check_gone(server)


def test_while_it_pauses_before_a_worker_is_replaced(engine: str) -> None:
    with serving(engine, SLOW_START) as server:
        dead: set[int] = set()
        for _ in range(3):
            dead.add(victim := server.next_worker(dead))
            os.kill(victim, signal.SIGKILL)
        wait_until(lambda: "replaced in 1 s" in server.log(), "it pauses", log=server.log)
        server.process.send_signal(signal.SIGTERM)
        check_gone(server)
        assert server.process.returncode == 0


def test_when_the_master_is_killed(engine: str) -> None:
    with serving(engine, SLOW_START, WORKERS) as server:
        serve: set[str] = set()
        wait_until(
            lambda: serve.add(server.get("/pid").text) or len(serve) == WORKERS,
            "all workers serve",
            log=server.log,
        )
        server.process.kill()
        check_gone(server)
        # In order: their hooks have run.
        assert server.board.count("umounted") == WORKERS
        with serving(engine, SLOW_START, port=server.port) as again:
            assert again.get("/").text == "ready"
