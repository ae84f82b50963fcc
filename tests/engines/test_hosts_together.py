"""Two hosts, each with a home and processes of its own, and one Redis: what ended, was used up or
changed on one of them is so on the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from support.listeners import listening
from support.namespaces import Host, hosts
from support.servers import Server, serving
from support.sockets import by_websockets

from atila.testing.waits import PATIENCE, patience, wait_until
from atila_tasks.testing import RedisServer

SCRIPT = Path(__file__).with_name("apps") / "host.py"
CUT_SECONDS = 3.0
"""How long the network is cut at least."""

Both = list[tuple[Host, Server]]


@pytest.fixture(scope="module", params=["skitai", "granian"])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    """Two hosts with one Redis: in namespaces of the network where the system permits them."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(RedisServer(tmp_path_factory.mktemp("redis")))
        places = stack.enter_context(hosts(2))
        client = redis.Redis(port=server.port)
        addresses = {"127.0.0.1", *(place.here for place in places)}
        client.config_set("bind", " ".join(sorted(addresses)))
        client.config_set("protected-mode", "no")
        yield [
            (place, stack.enter_context(_serve(request.param, place, server.port)))
            for place in places
        ]


def _serve(engine: str, place: Host, port: int) -> contextlib.AbstractContextManager[Server]:
    options = dict(place.options)
    if options:
        options["options"] = ["--host", options["address"]]
    environment = {"ATILA_REDIS": f"redis://{place.here}:{port}/0"}
    served: contextlib.AbstractContextManager[Server]
    served = serving(engine, SCRIPT, environment=environment, **options)
    return served


def test_what_one_host_refuses_the_other_refuses(both: Both) -> None:
    (_, here), (_, there) = both
    assert here.folder != there.folder
    for check in (sessions, tokens, nonces, limits, changes):
        check(here.url(""), there.url(""))


def test_messages_between_hosts(both: Both) -> None:
    (_, here), (_, there) = both
    with by_websockets(here.url("/clients", "ws")) as socket:
        client_id = socket.recv()
        for number, host in enumerate((here, there, there)):
            assert host.get(f"/push?client_id={client_id}&text=push{number}").text == "True"
            assert socket.recv() == f"push{number}"

    async def streams() -> None:
        expected = [f"event{number}" for number in range(6)]
        async with listening([host.url("/events") for host in (here, there)], PATIENCE) as found:
            for number, text in enumerate(expected):
                await asyncio.to_thread((here, there)[number % 2].get, f"/say?text={text}")
            async with asyncio.timeout(PATIENCE):
                while any(listener.order != expected for listener in found):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    asyncio.run(streams())


def test_a_job_runs_on_one_host(both: Both) -> None:
    begun = len(sweeps(both))
    wait_until(lambda: len(sweeps(both)) >= begun + 4, "the job has run again")
    found = sweeps(both)
    # Each half second; one may be late, and the next one not. On both hosts it were twice as often.
    assert found[-1] - found[0] > 0.375 * (len(found) - 1)


def sweeps(both: Both) -> list[float]:
    """When the job ran, on whatever host."""
    return sorted(float(line) for _, host in both for line in host.board.text("sweeps").split())


def test_the_network_is_cut(both: Both) -> None:
    """One host reaches Redis no longer: it serves what needs no shared state, refuses the rest, and
    nothing is lost when the network is back.
    """
    (place, here), (_, there) = both
    if not place.link:
        pytest.skip("network namespaces are not permitted here")
    with (
        by_websockets(here.url("/clients", "ws")) as socket,
        asked(here.url("")) as user,
    ):
        client_id = socket.recv()
        user.get("/login")
        right = sum(host.post("/count") for host in (One(here), One(there)) for _ in range(5))
        failed = 0
        updated = there.get("/orders").text
        with place.cut():
            cut_at = time.monotonic()
            # Refused, and quickly.
            for method, path in (("POST", "/count"), ("GET", "/limited"), ("GET", "/orders")):
                began = time.monotonic()
                refused = user.request(method, path)
                assert refused.status_code == 503, (path, refused.text)
                assert refused.headers["retry-after"] == "1"
                assert time.monotonic() - began < patience(6)
                failed += path == "/count"
            assert user.post("/changed").status_code == 503
            assert here.get("/health/ready").status == 503
            # What goes on.
            assert here.get("/health/live").status == 200
            assert here.get("/").text == "ready"
            socket.send("still here")
            assert socket.recv() == "still here"
            assert there.get("/health/ready").status == 200
            right += sum(One(there).post("/count") for _ in range(5))
            # The job has gone to the other host, whichever had it.
            before = there.board.text("sweeps")
            wait_until(lambda: there.board.text("sweeps") != before, "the job runs on the other")
            silent = here.board.text("sweeps")
            wait_until(lambda: time.monotonic() > cut_at + CUT_SECONDS, "the time of the cut")
            assert here.board.text("sweeps") == silent
        wait_until(lambda: here.get("/health/ready").status == 200, "it is ready", log=here.log)
        # What could not be noted is noted now, for all.
        wait_until(lambda: there.get("/orders").text > updated, "the update is known")
        assert user.get("/who").text == "hans"
        right += One(here).post("/count")
        assert right <= int(there.get("/counted").text) <= right + failed
        wait_until(
            lambda: there.get(f"/push?client_id={client_id}&text=back").text == "True",
            "messages arrive again",
            log=lambda: here.log() + there.log(),
        )
        while socket.recv() != "back":
            pass


class One:
    """A client that counts its right answers."""

    def __init__(self, host: Server) -> None:
        self._host = host

    def post(self, path: str) -> bool:
        return httpx.post(self._host.url(path), timeout=PATIENCE).status_code == 200


def asked(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=PATIENCE)


def sessions(here: str, there: str) -> None:
    with asked(here) as one, asked(there) as two, asked(there) as thief:
        one.get("/login")
        cookies = dict(one.cookies)
        two.cookies.update(cookies)
        thief.cookies.update(cookies)
        assert two.get("/who").text == "hans"
        assert one.get("/logout").text == "out"
        assert two.get("/who").text == "nobody"
        # A copy of the cookie from before is no better.
        assert thief.get("/who").text == "nobody"


def tokens(here: str, there: str) -> None:
    with asked(here) as one, asked(there) as two:
        token = one.get("/token").text
        assert two.post("/take", data={"token": token}).text == "hans True"
        assert one.post("/take", data={"token": token}).text == "None False"
        assert two.post("/take", data={"token": token}).text == "None False"


def nonces(here: str, there: str) -> None:
    """A digest that was sent once is no good a second time, wherever."""
    with asked(here) as one, asked(there) as two:
        one.auth = auth = httpx.DigestAuth("app", "a password")
        answer = one.get("/digest")
        assert answer.text == "app"
        seen = answer.request.headers["authorization"]
        for client in (two, one):
            replayed = client.get("/digest", headers={"authorization": seen}, auth=None)
            assert replayed.status_code == 401
        # Its next count is good on the other.
        two.auth = auth
        answer = two.get("/digest")
        assert answer.text == "app"
        assert "nc=00000002" in answer.request.headers["authorization"]


def limits(here: str, there: str) -> None:
    with asked(here) as one, asked(there) as two:
        statuses = [client.get("/limited").status_code for client in (one, two) * 3]
        assert statuses == [200, 200, 200, 200, 429, 429]


def changes(here: str, there: str) -> None:
    with asked(here) as one, asked(there) as two:
        before = two.get("/orders").text
        one.post("/changed")
        after = one.get("/orders").text
        assert after != before
        assert two.get("/orders").text == after
