"""gunicorn, which tells no app of its end, ends with open event streams."""

from __future__ import annotations

from pathlib import Path

import httpx
from support.servers import serving

from atila.testing.waits import PATIENCE

SCRIPT = Path(__file__).with_name("apps") / "unending.py"


def test_event_streams_end_with_their_worker() -> None:
    with (
        serving("gunicorn", SCRIPT) as server,
        httpx.Client(timeout=PATIENCE) as client,
        client.stream("GET", server.url("/updates")) as answer,
    ):
        lines = answer.iter_lines()
        assert next(lines) == "data: 1"
        server.process.terminate()
        # A regular end: a break would raise.
        assert list(lines) == [""]
        assert server.process.wait(PATIENCE) == 0
        assert server.board.count("finally") == 1
        assert server.board.count("over") == 1
