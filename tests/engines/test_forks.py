"""A child that a handler forks ends with the handler, and answers nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.servers import Server

from atila.testing.waits import wait_until

SCRIPT = Path(__file__).with_name("apps") / "forking.py"

WAYS = {
    "plain": (b"parent", "0"),
    "awaited": (b"parent", "0"),
    "coroutine": (b"parent", "0"),
    "streamed": (b"a parent", "0"),
    "task": (b"parent", "0"),
    "failing": (b"parent", "1"),
    "exiting": (b"parent", "7"),
    "exiting-later": (b"parent", "7"),
}


def exit_status(server: Server) -> str:
    """That of a child, once it has ended."""
    ended: list[str] = []

    def has_ended() -> bool:
        with server.connect() as connection:
            answer = connection.get("/ended")
        if answer.status == 200:
            ended.append(answer.text)
        return bool(ended)

    wait_until(has_ended, "the child has ended")
    return ended[0]


@pytest.mark.parametrize("way", WAYS)
def test_a_child_ends_with_its_handler(server: Server, way: str) -> None:
    body, status = WAYS[way]
    with server.connect() as connection:
        for _ in range(2):
            answer = connection.get(f"/{way}")
            assert (answer.status, answer.body) == (200, body)
            assert exit_status(server) == status
        # A second answer of the child would be taken for that of the next request.
        assert [connection.get("/").text for _ in range(3)] == ["ready"] * 3
