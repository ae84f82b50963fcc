"""Workers that die, and servers that are told to end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.servers import Server, serving
from support.wire import Answer, Broken

from atila.testing.waits import wait_until

MAIN = Path(__file__).parent / "apps" / "main.py"
CLIENTS = 4
WORKERS = 2


def worker_pids(server: Server, least: int = WORKERS) -> set[int]:
    """The processes that answer, once there are so many."""
    found: set[int] = set()

    def ask() -> bool:
        try:
            found.add(int(server.get("/pid").text))
        except (OSError, Broken):
            pass
        return len(found) >= least

    wait_until(ask, f"{least} workers answer")
    return found


@pytest.fixture
def server(engine: str) -> Iterator[Server]:
    # The first of hypercorn's workers to end makes it kill the others, whatever they are doing.
    workers = 1 if engine == "hypercorn" else WORKERS
    with serving(engine, MAIN, workers) as server:
        # A worker of granian that still starts misses the signal to end.
        worker_pids(server, workers)
        yield server


class Load:
    """Clients that ask without a pause, each on a connection of its own, and repeat nothing."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stop = threading.Event()
        self.answered = 0
        self.failed = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                answer = self._server.get("/large")
                good = answer.status == 200 and answer.complete
            except (OSError, Broken):
                good = False
            with self._lock:
                self.answered += good
                self.failed += not good

    def wait_answers(self, more: int) -> None:
        """Wait until so many more were answered."""
        goal = self.answered + more
        wait_until(lambda: self.answered >= goal, f"{more} more answers")


@pytest.mark.unable("uvicorn", "its own process manager is not what is tested here")
@pytest.mark.unable("hypercorn", "its own process manager is not what is tested here")
@pytest.mark.unable("gunicorn", "its own process manager is not what is tested here")
def test_killed_worker_is_replaced_and_only_its_own_requests_are_lost(server: Server) -> None:
    before = worker_pids(server)
    assert server.process.pid not in before
    victim = min(before)
    with Load(server) as load:
        load.wait_answers(20)
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: worker_pids(server) - before, "another worker answers")
        failed = load.failed
        load.wait_answers(50)
        assert load.failed == failed
    # Each client lost what it had asked, and maybe once more what came to a socket being closed.
    assert load.failed <= 2 * CLIENTS
    assert victim not in worker_pids(server)


def is_served(server: Server) -> bool:
    """Whether a new connection still gets an answer; the kernel may accept it for nobody."""
    try:
        with server.connect() as connection:
            connection.socket.settimeout(0.5)
            return connection.get("/text").status == 200
    except (OSError, Broken, AssertionError):
        return False


@pytest.mark.parametrize("path", ["/waits", "/waits-on-loop", "/steps"])
def test_requests_under_way_are_answered_before_the_server_ends(
    server: Server, name: str, path: str
) -> None:
    def ask() -> Answer:
        return server.get(f"{path}?gate={name}")

    with ThreadPoolExecutor(CLIENTS) as clients:
        asked = [clients.submit(ask) for _ in range(CLIENTS)]
        server.board.wait_count(f"{name}-started", CLIENTS)
        server.terminate()
        # So that the signal has come to all before the requests can end.
        wait_until(lambda: not is_served(server), "new connections get no answer")
        assert not any(future.done() for future in asked)
        server.board.open(name)
        answers = [future.result() for future in asked]
    for answer in answers:
        assert (answer.status, answer.complete) == (200, True)
        assert answer.text.startswith(("done", "first,second"))
    server.wait_end()
    assert server.process.returncode in (0, -signal.SIGTERM, 128 + signal.SIGTERM)


def test_idle_connections_do_not_keep_the_server_from_ending(server: Server) -> None:
    with server.connect() as silent, server.connect() as kept:
        assert kept.get("/text").status == 200
        server.terminate()
        server.wait_end()
        assert silent.is_closed()
        assert kept.is_closed()
