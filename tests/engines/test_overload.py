"""More requests than there are threads and places to wait."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from support.servers import Server, serving
from support.wire import Answer

from atila.testing.waits import wait_until

THREADS, QUEUE, MORE = 2, 4, 10
"""The first two are those of the app."""


@pytest.fixture
def server(engine: str) -> Iterator[Server]:
    with serving(engine, Path(__file__).parent / "apps" / "overload.py") as server:
        yield server


@pytest.mark.unable(
    "gunicorn", "the handler runs in a thread of the server, whose own queue stands before it"
)
def test_what_finds_no_place_is_refused_and_the_rest_answered(server: Server, name: str) -> None:
    def ask(number: int) -> Answer:
        return server.get(f"/waits?gate={name}")

    with ThreadPoolExecutor(THREADS + QUEUE + MORE) as clients:
        running = [clients.submit(ask, number) for number in range(THREADS)]
        server.board.wait_count(f"{name}-started", THREADS)
        waiting = [clients.submit(ask, number) for number in range(QUEUE + MORE)]
        wait_until(lambda: sum(f.done() for f in waiting) == MORE, f"{MORE} requests refused")
        assert server.board.count(f"{name}-started") == THREADS
        refused = [future.result() for future in waiting if future.done()]
        server.board.open(name)
        wait([*running, *waiting])
    for answer in refused:
        assert answer.status == 503
        assert answer.header("retry-after") == "1"
        assert answer.header("content-type") == "application/json"
        assert answer.header("access-control-allow-origin") == "*"
    answers = [future.result() for future in [*running, *waiting]]
    assert [a.text for a in answers if a not in refused] == ["done"] * (THREADS + QUEUE)
    assert server.get(f"/waits?gate={name}").text == "done"
