"""`was.stub.map`, `was.stub.lb` and dead members."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from atila import Atila, Was
from atila_tasks import STA_NETERR, STA_NORMAL, STA_REQFAIL
from atila_tasks.upstream import balancing

Fixture = Any


class Place:
    """A server that tells its name, or breaks off what it is asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.breaks = False
        self.status = "200 OK"
        self.asked = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            self.asked += 1
            if self.breaks:
                return
            body = f'["{self.name}"]'.encode()
            head = f"HTTP/1.1 {self.status}\r\nContent-Type: application/json\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


@pytest.fixture
def places(app: Atila, listen: Fixture) -> list[Place]:
    """The members of "@myapi"."""
    made = [Place("a"), Place("b"), Place("c")]
    ports = [listen(place.serve) for place in made]
    app.alias("@myapi", "*http", [f"127.0.0.1:{port}" for port in ports])
    return made


def test_the_examples_of_the_specification(run: Fixture, places: list[Place]) -> None:
    import skitai

    def use(was: Was) -> Any:
        with was.stub.map("@myapi") as stub:
            task = stub.get("@myapi/profiles/{}?limit={}", 100, 10)
            all_results: list[Any] = []
            for resp in task.dispatch():
                if resp.status != skitai.STA_NORMAL:
                    continue
                all_results.extend(resp.data)
        with was.stub.lb("@myapi") as stub:
            task = stub.get("@myapi/profiles/{}?limit={}", 100, 10)
            one = task.fetch()
        return all_results, one

    assert run(use) == (["a", "b", "c"], ["a"])
    places[1].breaks = True
    places[2].breaks = True
    assert run(use) == (["a"], ["a"])


def test_dead_members_rest_and_are_tried_again(
    run: Fixture, places: list[Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    later = 0.0
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + later)
    monkeypatch.setattr(balancing, "time", clock)
    monkeypatch.setattr(balancing, "REST", 1000.0)

    def many(was: Was) -> Any:
        return [was.get.lb("@myapi/").fetch()[0] for _ in range(30)]

    assert Counter(run(many)) == {"a": 10, "b": 10, "c": 10}
    places[1].breaks = True
    asked = places[1].asked
    assert set(run(many)) == {"a", "c"}
    # Once, or twice: a reused connection that is closed is tried again by the library.
    assert places[1].asked <= asked + 2
    places[1].breaks = False
    assert set(run(many)) == {"a", "c"}
    later = 1001.0
    assert set(run(many)) == {"a", "b", "c"}


def test_what_may_not_be_sent_twice_is_not(run: Fixture, places: list[Place]) -> None:
    for place in places:
        place.breaks = True

    def use(was: Was) -> Any:
        return was.post.lb("@myapi/", {}).dispatch().status

    assert run(use) == STA_NETERR
    assert sum(place.asked for place in places) == 1
    assert run(lambda was: was.put.lb("@myapi/", {}).dispatch().status) == STA_NETERR
    # aiohttp may try a reused connection once more; each was asked, though.
    assert all(place.asked for place in places)


def test_an_error_status_is_no_dead_member(run: Fixture, places: list[Place]) -> None:
    for place in places:
        place.status = "500 No"

    def use(was: Was) -> Any:
        return [was.get.lb("@myapi/").dispatch().status for _ in range(6)]

    assert set(run(use)) == {STA_REQFAIL}
    assert [place.asked for place in places] == [2, 2, 2]


def test_an_unreachable_member_is_passed_over_by_a_post(
    app: Atila, run: Fixture, listen: Fixture
) -> None:
    place = Place("b")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = f"127.0.0.1:{probe.getsockname()[1]}"
        app.alias("@two", "*http", [dead, f"127.0.0.1:{listen(place.serve)}"])
        assert run(lambda was: was.post.lb("@two/", {}).fetch()) == ["b"]
    assert place.asked == 1


def test_weights(app: Atila, run: Fixture, listen: Fixture) -> None:
    ports = [listen(Place(name).serve) for name in "ab"]
    app.alias("@weighed", "*http", [f"127.0.0.1:{ports[0]} 20", f"127.0.0.1:{ports[1]} 10"])
    seen = run(lambda was: [was.get("@weighed/").fetch()[0] for _ in range(30)])
    assert Counter(seen) == {"a": 20, "b": 10}


def test_an_url_is_its_only_member(run: Fixture, port: int) -> None:
    url = f"http://127.0.0.1:{port}/x"

    def use(was: Was) -> Any:
        return was.get.map(url).dispatch()[0].status, was.get.lb(url).dispatch().status

    assert run(use) == (STA_NORMAL, STA_NORMAL)


def test_many_at_once_within_max_conns(app: Atila, run: Fixture, listen: Fixture) -> None:
    open_now = most = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(0.002)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        finally:
            open_now -= 1

    app.alias("@few", "*http", f"127.0.0.1:{listen(serve)}", max_conns=5)
    run(lambda was: was.Tasks([was.get("@few/") for _ in range(200)]).fetch())
    assert most == 5
