"""A worker that has no more descriptors: it rests, and takes connections again when it has some."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest
from support.servers import Server, serving
from support.wire import Broken, Connection

from atila.testing.waits import wait_until

SLOW_START = Path(__file__).parent / "apps" / "slow_start.py"
engines = ("skitai", "granian", "uvicorn")
pytestmark = pytest.mark.waits

SPARE = 4
CLIENTS = 30
LOOK = 2.0
"""Seconds in which the processor's time is looked at."""


def worker_of(server: Server) -> psutil.Process:
    return psutil.Process(int(server.get("/pid").text))


def processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def test_no_descriptors_are_left_for_connections(engine: str) -> None:
    with serving(engine, SLOW_START) as server:
        assert server.get("/").text == "ready"
        worker = worker_of(server)
        limit = worker.num_fds() + SPARE
        worker.rlimit(psutil.RLIMIT_NOFILE, (limit, limit))
        clients = [Connection(server.port) for _ in range(CLIENTS)]
        before, began = processor_seconds(worker), time.monotonic()
        wait_until(lambda: time.monotonic() > began + LOOK, "some time has passed")
        used = (processor_seconds(worker) - before) / (time.monotonic() - began)
        print(f"{engine}: {used:.0%} of a core")
        assert used < 0.1
        for client in clients:
            client.close()
        wait_until(lambda: is_served(server), "it answers again", log=server.log)
        assert worker.is_running()


def is_served(server: Server) -> bool:
    try:
        with server.connect() as connection:
            connection.socket.settimeout(1)
            return connection.get("/").status == 200
    except (OSError, Broken, AssertionError):
        return False
