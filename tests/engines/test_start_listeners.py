"""A listener for the start, or a provider, that raises keeps the process from serving."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from support.servers import Server
from support.wire import Broken

from atila.testing.waits import wait_until

UNREADY = Path(__file__).parent / "apps" / "unready.py"

engines = ("skitai", "granian", "granian-wsgi", "uvicorn", "hypercorn", "gunicorn")


def statuses(server: Server) -> list[int]:
    """What is answered until it has ended; nothing, if all is right."""
    found: list[int] = []

    def has_ended() -> bool:
        try:
            found.append(server.get("/").status)
        except (OSError, Broken):
            pass
        return server.process.poll() is not None

    wait_until(has_ended, f"{server.engine} has ended", log=server.log)
    return found


def check(engine: str, workers: int, event: str, is_async: str = "") -> None:
    variables = {"UNREADY_EVENT": event, "UNREADY_ASYNC": is_async}
    server = Server(engine, UNREADY, workers, ready="", environment=variables)
    try:
        assert statuses(server) == []
        server.wait_end()
        # hypercorn 0.18 forgets the status of its last worker, uvicorn 0.54 that of several.
        forgets = engine == "hypercorn" or (engine == "uvicorn" and workers > 1)
        assert server.process.returncode != 0 or forgets
        assert "Traceback (most recent call last):" in server.log()
        assert "LookupError: the cupboard is bare" in server.log()
        # Where the step begins that failed, besides where it did.
        step = r"Raised by .* \(.*unready\.py:\d+\), without which the app does not serve"
        assert re.search(step, server.log())
    finally:
        server.stop()


@pytest.mark.parametrize("event", ["before_mount", "mounted", "provided"])
def test_the_server_ends_with_a_traceback_and_a_status(engine: str, event: str) -> None:
    check(engine, 1, event)


def test_with_several_workers(engine: str) -> None:
    check(engine, 2, "mounted")


def test_an_async_listener(engine: str) -> None:
    check(engine, 1, "startup", "yes")


@pytest.mark.unable("gunicorn", "it makes another worker in place of one that has exited")
def test_one_that_exits(engine: str) -> None:
    server = Server(engine, UNREADY, 1, ready="", environment={"UNREADY_EVENT": "exit"})
    try:
        assert statuses(server) == []
        server.wait_end()
        assert server.process.returncode != 0 or engine == "hypercorn"
        assert "the cupboard is bare" in server.log()
    finally:
        server.stop()


HANGING = {
    "a provider": ("hangs provided", ""),
    "a listener": ("hangs startup", ""),
    "an async listener": ("hangs startup", "yes"),
    "a listener while the app is mounted": ("hangs mounted", ""),
}


@pytest.mark.unable("gunicorn", "its master waits half a minute for a worker, and kills it then")
@pytest.mark.unable("hypercorn", "its workers get no signal; it gives up a start after a minute")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("step", HANGING)
def test_one_that_never_ends_can_be_ended(engine: str, step: str, number: signal.Signals) -> None:
    event, is_async = HANGING[step]
    variables = {"UNREADY_EVENT": event, "UNREADY_ASYNC": is_async}
    server = Server(engine, UNREADY, 1, ready="", environment=variables)
    try:
        server.board.wait_count("hangs", 1)
        server.process.send_signal(number)
        server.wait_end()
        # What was made before is cleaned up.
        assert server.board.count("cleaned up") == (event != "hangs mounted")
    finally:
        server.stop()


def test_one_that_ends_well_keeps_nobody_from_anything(engine: str) -> None:
    server = Server(engine, UNREADY)
    try:
        assert server.get("/").text == "ready"
    finally:
        server.stop()
