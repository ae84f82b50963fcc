"""Hooks and events around requests, over a real connection on every engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from support.servers import Server

from atila.testing.waits import wait_until

SCRIPT = Path(__file__).with_name("apps") / "together.py"
HOST = "hooked.test"


@pytest.mark.parametrize("kind", ["def", "async"])
def test_hooks(client: httpx.Client, kind: str) -> None:
    answer = client.get(f"/{kind}")
    assert answer.text == kind + "--"
    assert answer.headers["x-custom"] == "some-value"
    assert client.get(f"/{kind}", params={"token": "bad"}).status_code == 400
    stranger = client.get(f"/{kind}", params={"token": "stranger"})
    assert (stranger.status_code, stranger.text) == (403, "strangers stay out")


def test_counts_and_resources(server: Server, client: httpx.Client, name: str) -> None:
    def counts() -> list[int]:
        return [int(count) for count in client.get("/counts").text.removesuffix("--").split()]

    total, succeeded, failed = counts()
    assert client.get("/fail", params={"id": name}).status_code == 500
    client.get("/def")
    # The request for the counts is not finished when they are read.
    assert counts() == [total + 3, succeeded + 2, failed + 1]
    server.board.wait_count(f"failed-LookupError-{name}")
    wait_until(lambda: server.board.count("opened") == server.board.count("closed"), "all closed")


def test_events(server: Server, client: httpx.Client, name: str) -> None:
    answer = client.get("/def", params={"id": name})
    assert (answer.text, "x-event" in answer.headers) == ("def--", False)
    for event in ("before", "finish-def--", "teardown"):
        server.board.wait_count(f"event-{event}-{name}")
    wait_until(lambda: "an event fails and nobody cares" in server.log(), "the failure is logged")
    client.get("/fail", params={"id": f"{name}2"})
    server.board.wait_count(f"event-failed-LookupError-{name}2")


HOW = ("handler", "thread", "stream", "then", "async", "coroutine")


def test_skitai_was_is_the_context_of_the_request(client: httpx.Client) -> None:
    def ask(number: int) -> None:
        how = HOW[number % len(HOW)]
        answer = client.get(f"/current/{how}", params={"id": f"n{number}"})
        assert answer.text.removesuffix("--") == f"GET-{how}"
        assert answer.headers["x-how"] == how

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(ask, range(48)))


def test_skitai_was_in_events(server: Server, client: httpx.Client, name: str) -> None:
    assert client.get("/current/event", params={"id": name}).status_code == 200
    server.board.wait_count(f"asked-{name}")
