"""Workers that die again and again: the server goes on, and gives the machine a rest."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.servers import Server, serving
from support.wire import Broken

from atila.testing.waits import wait_until

ENDLESS = Path(__file__).parent / "apps" / "endless.py"
DEATHS = 4

engines = ("granian", "granian-wsgi", "skitai")


@pytest.fixture(params=[1, 2], ids=["one worker", "two workers"])
def server(engine: str, request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(engine, ENDLESS, request.param) as server:
        yield server


def pid(server: Server) -> int:
    """The process that answers next; 0 if none does."""
    try:
        return int(server.get("/pid").text)
    except (OSError, Broken, ValueError):
        return 0


def answering(server: Server, dead: set[int]) -> int:
    """The worker that answers next, once it is none of the dead; never 0, which is a process group
    to whoever sends it a signal.
    """
    found: list[int] = []

    def ask() -> bool:
        found.append(pid(server))
        return found[-1] not in {0, *dead}

    wait_until(ask, "another worker answers", log=server.log)
    return found[-1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_many_times_in_a_row_is_replaced_each_time(
    server: Server, number: signal.Signals
) -> None:
    dead: set[int] = set()
    for _ in range(DEATHS):
        victim = answering(server, dead)
        assert victim != server.process.pid
        os.kill(victim, number)
        dead.add(victim)
    wait_until(lambda: pid(server) not in {0, *dead}, "another worker answers", log=server.log)
    assert server.process.poll() is None
    server.terminate()
    server.wait_end()
    assert server.process.returncode in (0, -15)
    # Those that were killed did nothing more.
    assert server.board.count("umounted") <= 2


@pytest.mark.unable("skitai", "its master takes its time for each")
def test_pauses_grow_for_a_worker_that_dies_young(engine: str) -> None:
    with serving(engine, ENDLESS) as server:
        dead: set[int] = set()
        for _ in range(3):
            victim = answering(server, dead)
            os.kill(victim, signal.SIGKILL)
            dead.add(victim)
        wait_until(lambda: pid(server) not in {0, *dead}, "another worker answers")
        assert "is replaced in 0.5 s" in server.log()
        assert "is replaced in 1 s" in server.log()
