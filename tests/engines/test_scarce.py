"""Handlers that wait for what others hold, and those that need nothing of it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from support.board import wait_until
from support.servers import Server, serving
from support.wire import Answer

engines = ("skitai", "granian", "uvicorn", "gunicorn")

THREADS, SPARE = 2, 3
"""Those of the app."""
CLIENTS = 12
SERVER_THREADS = 4
"""`atila.runtime.spare_threads.SERVER_THREADS`"""


@pytest.fixture(scope="module")
def server(engine: str) -> Iterator[Server]:
    with serving(engine, Path(__file__).parent / "apps" / "scarce.py") as server:
        yield server


def hold(server: Server, what: str, gate: str) -> None:
    assert server.get(f"/hold?what={what}&gate={gate}").text == "held"


@pytest.mark.unable("gunicorn", "the handlers run in threads of the server, which has no others")
@pytest.mark.parametrize("what", ["connection", "store", "memory", "hook", "thread"])
def test_others_are_answered_meanwhile(server: Server, name: str, what: str) -> None:
    hold(server, what, name)
    with ThreadPoolExecutor(CLIENTS) as clients:
        waiting = [clients.submit(server.get, f"/{what}?gate={name}") for _ in range(CLIENTS)]
        server.board.wait_count(f"{name}-asked", THREADS)
        assert [server.get("/").text for _ in range(20)] == ["ready"] * 20
        # The rest has not begun, and needs no thread.
        assert server.board.stalled_count(f"{name}-asked") < CLIENTS
        assert not any(future.done() for future in waiting)
        server.board.open(name)
        wait(waiting)
    assert [future.result().text for future in waiting] == ["done"] * CLIENTS


def test_wrong_passwords_hold_up_nobody(server: Server, name: str, engine: str) -> None:
    few = SERVER_THREADS if engine == "gunicorn" else SPARE
    credentials = base64.b64encode(b"hans:wrong").decode()

    def ask(_: int) -> Answer:
        with server.connect() as connection:
            return connection.get("/password", [("Authorization", f"Basic {credentials}")])

    hold(server, "password", name)
    with ThreadPoolExecutor(CLIENTS) as clients:
        asked = [clients.submit(ask, number) for number in range(CLIENTS)]
        wait_until(
            lambda: sum(future.done() for future in asked) == CLIENTS - few,
            f"{CLIENTS - few} passwords refused",
        )
        assert [server.get("/").text for _ in range(20)] == ["ready"] * 20
        refused = [future.result() for future in asked if future.done()]
        assert len(refused) == CLIENTS - few
        server.board.open(name)
        wait(asked)
    for answer in refused:
        assert (answer.status, answer.header("retry-after")) == (503, "1")
    answers = [future.result() for future in asked]
    assert [a.status for a in answers if a not in refused] == [401] * few
    assert ask(0).status == 401
