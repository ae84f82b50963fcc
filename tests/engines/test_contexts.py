"""Each request has context variables of its own, on every engine and in the test client.

What a hook or a handler sets is seen by all that belongs to the request, and by no other request,
be it the next of the same thread or of the same connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from xmlrpc import client as xmlrpc

import grpc
import httpx
import pytest
from support.protos import generated
from support.servers import Server, serving
from support.sockets import by_websockets

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE, wait_until

SCRIPT = Path(__file__).with_name("apps") / "contexts.py"
NOBODY = "nobody"
SAME_PORT = ("skitai", "hypercorn")
"""Engines that send HTTP/2 trailers."""

guide, guide_stubs = generated()["route_guide"]

TOLD = {
    "/def": "{0}",
    "/async": "{0} {0} {0}",
    "/stream": "{0} {0}! {0}! ",
    "/async-stream": "{0} {0}! {0}! ",
    "/coroutine": "{0}! {0}",
    "/thread": "{0}",
    "/then": "{0} {0}",
    "/queue": "{0} {0} ",
    "/async-hook": "{0} of a hook",
    "/piped": "{0}",
    "/who": "{0}",
    "/fails": "{0}",
}
"""By page, what it tells of the tenant that a hook has set."""


class Place(NamedTuple):
    """A server, and the port on which it serves gRPC."""

    server: Server
    port: int


@pytest.fixture(scope="module")
def place(engine: str) -> Iterator[Place]:
    """A server of apps/contexts.py."""
    with pytest.MonkeyPatch.context() as patch:
        own = None if engine in SAME_PORT else free_port()
        if own:
            patch.setenv("ATILA_GRPC_PORT", f"127.0.0.1:{own}")
        with serving(engine, SCRIPT) as server:
            yield Place(server, own or server.port)


@pytest.fixture
def server(place: Place) -> Server:
    """The server."""
    return place.server


def check_nothing_is_left(client: httpx.Client) -> None:
    """The next requests, of this connection and of others, find nothing."""
    for path in ("/def", "/who"):
        answer = client.get(path)
        assert (answer.text, answer.headers["x-found"]) == (NOBODY, NOBODY)
    with httpx.Client(base_url=client.base_url, timeout=PATIENCE) as other:
        assert other.get("/def").text == NOBODY


@pytest.mark.parametrize("path", TOLD)
def test_what_a_hook_sets_is_seen_by_all_of_the_request(
    client: httpx.Client, server: Server, name: str, path: str
) -> None:
    answer = client.get(path, headers={"x-tenant": "alice", "x-note": name})
    assert answer.text == TOLD[path].format("alice")
    check_nothing_is_left(client)
    # The last hook is in the very context of the first, so that a token of the one fits there.
    wait_until(lambda: server.board.text(name).endswith(".reset."), "teardown noted on the board")
    assert server.board.text(name).startswith("alice")


@pytest.mark.parametrize(
    ("path", "seen"),
    [("/set/bob", "bob"), ("/async-set/bob", "bob"), ("/stream", "nobody?")],
)
def test_what_a_handler_sets_is_seen_by_the_hooks_that_follow(
    client: httpx.Client, server: Server, name: str, path: str, seen: str
) -> None:
    answer = client.get(path, headers={"x-note": name})
    assert answer.headers["x-finish"] == ("bob" if "bob" in path else NOBODY)
    wait_until(lambda: server.board.text(name), "teardown noted on the board")
    assert server.board.text(name) == f"{seen}."
    check_nothing_is_left(client)


def test_a_body_that_is_read_piece_by_piece(client: httpx.Client) -> None:
    answer = client.post("/input", content=b"x" * 5000, headers={"x-tenant": "alice"})
    assert answer.text == "alice 5000"
    check_nothing_is_left(client)


def test_events(client: httpx.Client, server: Server, name: str) -> None:
    for tenant in ("alice", "bob"):
        client.get("/event", params={"note": name + tenant}, headers={"x-tenant": tenant})
        server.board.wait_count(name + tenant)
        assert server.board.text(name + tenant) == f"{tenant}."
    check_nothing_is_left(client)


def test_many_tenants_at_a_time(server: Server) -> None:
    paths = [path for path in TOLD if path != "/fails"]

    def ask(number: int) -> list[str]:
        wrong = []
        with httpx.Client(base_url=server.url(""), timeout=PATIENCE) as client:
            for turn in range(len(paths)):
                path, tenant = paths[(number + turn) % len(paths)], f"t{number}-{turn}"
                answer = client.get(path, headers={"x-tenant": tenant})
                if answer.text != TOLD[path].format(tenant):
                    wrong.append(f"{path} of {tenant}: {answer.text}")
                if answer.headers["x-found"] != NOBODY:
                    wrong.append(f"{path} of {tenant} found {answer.headers['x-found']}")
        return wrong

    with ThreadPoolExecutor(8) as clients:
        assert [each for wrong in clients.map(ask, range(24)) for each in wrong] == []


@pytest.mark.parametrize("method", ["who", "who_blocks"])
def test_rpc(client: httpx.Client, server: Server, method: str) -> None:
    headers = [("X-Tenant", "alice")]
    with xmlrpc.ServerProxy(server.url("/rpc2"), headers=headers) as proxy:
        assert getattr(proxy, method)() == "alice"
        many = xmlrpc.MultiCall(proxy)
        many.who()
        many.who_blocks()
        assert list(many()) == ["alice", "alice"]
    with xmlrpc.ServerProxy(server.url("/rpc2")) as proxy:
        assert getattr(proxy, method)() == NOBODY
    check_nothing_is_left(client)


@pytest.mark.unable("gunicorn", "its port for gRPC is opened with the first request; see test_grpc")
def test_grpc(client: httpx.Client, place: Place) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{place.port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=PATIENCE)
        stub = guide_stubs.RouteGuideStub(channel)
        for tenant in ("alice", "bob"):
            metadata = [("x-tenant", tenant)]
            assert stub.GetFeature(guide.Point(), metadata=metadata).name == tenant
            features = stub.ListFeatures(guide.Rectangle(), metadata=metadata)
            assert [feature.name for feature in features] == [tenant, f"{tenant}!"]
            assert stub.GetFeature(guide.Point()).name == NOBODY
    check_nothing_is_left(client)


@pytest.mark.unable("gunicorn", "WSGI has no WebSocket")
@pytest.mark.parametrize("style", ["chatty", "reporty", "async"])
def test_websockets(client: httpx.Client, server: Server, name: str, style: str) -> None:
    url = server.url(f"/ws/{style}?name={{0}}&note={{1}}", "ws")
    with (
        by_websockets(url.format("alice", f"{name}-alice")) as alice,
        by_websockets(url.format("bob", f"{name}-bob")) as bob,
    ):
        for socket, tenant in ((alice, "alice"), (bob, "bob")):
            socket.send("one")
            assert socket.recv() == f"{tenant} one"
        check_nothing_is_left(client)
        for socket, tenant in ((alice, "alice"), (bob, "bob")):
            socket.send("two")
            assert socket.recv() == f"{tenant}! two"
    for tenant in ("alice", "bob"):
        board, note = server.board, f"{name}-{tenant}"
        wait_until(lambda board=board, note=note: board.text(note), "onclose noted on the board")
        assert board.text(note) == f"{tenant}!."
    check_nothing_is_left(client)
