"""Functions that raise what would end a process end nothing, and take no others with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.servers import Server

SCRIPT = Path(__file__).with_name("apps") / "going_on.py"

engines = ("skitai", "granian", "uvicorn", "hypercorn", "gunicorn")


@pytest.mark.parametrize(
    "name", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "CancelledError"]
)
def test_whatever_is_raised(server: Server, name: str) -> None:
    pid = server.get(f"/calls?name={name}").text
    assert pid.isdigit()
    for number in range(3):
        server.board.wait_count(f"call {name} {number}")
    server.board.wait_count(f"event {name}")
    server.board.wait_count(f"teardown {name}")
    assert server.get(f"/later?name={name}").text == pid
    assert server.get(f"/calls?name={name}").text == pid
    before = server.board.count("maintained")
    server.board.wait_count("maintained", before + 2)
