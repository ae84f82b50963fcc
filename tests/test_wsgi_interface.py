"""`atila serve --interface wsgi`: granian calls the handlers in its own threads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.servers import Server, serving

from atila.testing.waits import PATIENCE

pytestmark = pytest.mark.served

SCRIPT = Path(__file__).with_name("engines") / "apps" / "together.py"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    server: Server
    with (
        serving("granian-wsgi", SCRIPT) as server,
        httpx.Client(base_url=server.url(""), timeout=PATIENCE) as client,
    ):
        yield client


def test_plain_handlers_and_bad_input(client: httpx.Client) -> None:
    assert client.get("/api").json() == {"name": "Hans", "numbers": [1, 2.5]}
    assert client.get("/api", params={"x": "1"}).status_code == 400
    assert client.get("/nothing").status_code == 404


def test_tasks_coroutines_and_streams(client: httpx.Client) -> None:
    assert client.get("/at-once").json() == {"places": [0, 1, 2]}
    assert client.get("/coroutine").json()["c"] == 7
    assert client.get("/download").text.count("\n") == 4
    assert client.post("/streaming", content=b"x" * 10_000).content == b"x" * 10_000


def test_there_are_no_websockets(client: httpx.Client) -> None:
    assert client.get("/chatty").status_code == 501
