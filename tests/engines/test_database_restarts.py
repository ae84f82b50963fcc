"""PostgreSQL restarts under load: what was answered as done is done, nothing is done by half."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from support.servers import Server, serving

from atila.testing.waits import PATIENCE
from atila_tasks.testing import PostgreSQLServer

engines = ("skitai", "granian")

SCRIPT = Path(__file__).with_name("apps") / "restarts.py"
RESTARTS = int(os.environ.get("ATILA_RESTARTS", "1"))
"""More of them make a measurement of the test."""
APART = 5.0
"""Seconds."""
CLIENTS = 8
WAYS = ("/pay", "/pay/nested", "/pay/coroutine", "/pay/async", "/pay/once")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLServer]:
    with PostgreSQLServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATILA_POSTGRESQL", server.address)
        yield server


@pytest.fixture(scope="session")
def server(engine: str, postgresql: PostgreSQLServer) -> Iterator[Server]:
    with serving(engine, SCRIPT) as server:
        assert server.get("/setup").status == 200, server.log()
        yield server


class Load:
    """Clients that pay until they are stopped.

    Attributes:
        answers: the status that each key was answered with.
    """

    def __init__(self, server: Server) -> None:
        self.answers: dict[str, int] = {}
        self._server = server
        self._over = threading.Event()

    def run(self) -> None:
        with httpx.Client(base_url=self._server.url(""), timeout=PATIENCE) as client:
            while not self._over.is_set():
                for way in WAYS:
                    key = str(uuid4())
                    self.answers[key] = client.get(way, params={"key": key}).status_code

    def reach(self, count: int) -> None:
        """Wait for so many answers more."""
        pause = threading.Event()
        count += len(self.answers)
        while len(self.answers) < count:
            pause.wait(0.01)

    def stop(self) -> None:
        self._over.set()


def test_restarts_under_load(server: Server, postgresql: PostgreSQLServer) -> None:
    load = Load(server)
    with ThreadPoolExecutor(CLIENTS) as clients:
        running = [clients.submit(load.run) for _ in range(CLIENTS)]
        try:
            for number in range(RESTARTS):
                began = time.monotonic()
                load.reach(100)
                postgresql.stop("immediate" if number % 4 == 3 else "fast")
                # Some ask while it is away.
                load.reach(20)
                postgresql.start()
                load.reach(100)
                if RESTARTS > 1:
                    threading.Event().wait(max(0, APART - (time.monotonic() - began)))
        finally:
            load.stop()
        for each in running:
            each.result(PATIENCE)
    with httpx.Client(base_url=server.url(""), timeout=PATIENCE) as client:
        paid: dict[str, int] = client.get("/paid").json()
    by_status = Counter(load.answers.values())
    lost = [key for key, status in load.answers.items() if status == 200 and not paid.get(key)]
    halves = [key for key in load.answers if paid.get(key, 0) not in (0, 2)]
    print(f"{server.engine}: {dict(by_status)}, lost {len(lost)}, by half {len(halves)}")
    assert (lost, halves) == ([], [])
    assert by_status[200] >= 200
    assert set(by_status) <= {200, 502, 503}
