"""Traces of requests over real connections."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

from support.servers import Server

from atila.testing.waits import wait_until

engines = ("skitai", "granian")
SCRIPT = Path(__file__).with_name("apps") / "traced.py"


def test_requests_make_spans_of_the_trace_of_their_client(server: Server) -> None:
    traces: dict[str, str] = {}
    with server.connect() as connection:
        for style in ("def", "async", "pieces", "coroutine"):
            traces[style] = trace = uuid4().hex
            told = [("traceparent", f"00-{trace}-b7ad6b7169203331-01")]
            assert connection.get(f"/{style}/7", told).text == trace
    lines: list[str] = []

    def are_all_there() -> bool:
        lines[:] = server.board.text("spans").splitlines()
        return all(any(trace in line for line in lines) for trace in traces.values())

    wait_until(are_all_there, "all spans on the board")
    found = {span["trace"]: span for span in map(json.loads, lines)}
    for style, trace in traces.items():
        assert found[trace]["name"] == f"GET /{style}/<int:id>"
        attributes = found[trace]["attributes"]
        assert attributes["http.response.status_code"] == 200
        assert attributes["url.path"] == f"/{style}/7"
        assert attributes["network.peer.address"] == "127.0.0.1"
        assert attributes["server.address"] == "localhost"
