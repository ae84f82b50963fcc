"""Workers that die again and again: the server goes on, and gives the machine a rest."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.servers import Server, serving
from support.wire import Broken

ENDLESS = Path(__file__).parent / "apps" / "endless.py"
DEATHS = 4
SOON = 2.0
"""Seconds; Skitai's own master takes four at least."""

engines = ("granian", "granian-wsgi", "skitai")


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def server(engine: str, request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(engine, ENDLESS, request.param) as server:
        yield server


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_many_times_in_a_row_is_replaced_each_time(
    server: Server, number: signal.Signals
) -> None:
    dead: set[int] = set()
    for _ in range(DEATHS):
        victim = server.next_worker(dead)
        assert victim != server.process.pid
        os.kill(victim, number)
        dead.add(victim)
    server.next_worker(dead)
    assert server.process.poll() is None
    server.terminate()
    server.wait_end()
    assert server.process.returncode in (0, -15)
    # Those that were killed did nothing more.
    assert server.board.count("umounted") <= 2


@pytest.mark.unable("granian", "its workers have no locks together")
@pytest.mark.unable("granian-wsgi", "its workers have no locks together")
def test_a_worker_that_dies_while_it_writes_its_log_holds_up_nobody(engine: str) -> None:
    with serving(engine, ENDLESS, 2) as server:
        before = {server.next_worker()}
        before.add(server.next_worker(before))
        with contextlib.suppress(OSError, Broken):
            server.get("/die-while-logging")
        # The new one and the one that was left.
        new = server.next_worker(before)
        assert server.next_worker({new}) in before


def test_pauses_grow_for_a_worker_that_dies_young(engine: str) -> None:
    with serving(engine, ENDLESS) as server:
        dead: set[int] = set()
        for _ in range(3):
            dead.add(victim := server.next_worker(dead))
            os.kill(victim, signal.SIGKILL)
        server.next_worker(dead)
        assert "is replaced in 0.5 s" in server.log()
        assert "is replaced in 1 s" in server.log()


@pytest.mark.measures
def test_the_first_to_die_is_replaced_at_once(engine: str) -> None:
    with serving(engine, ENDLESS) as server:
        victim = server.next_worker()
        began = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        server.next_worker({victim})
        took = time.monotonic() - began
    print(f"{engine}: {took:.2f} s")
    assert took < SOON
