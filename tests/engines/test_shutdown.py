"""Servers that are told to end while requests are under way that do not end by themselves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.servers import Server, serving
from support.sockets import by_websocket_client, by_websockets
from support.wire import Broken, Connection

ENDLESS = Path(__file__).parent / "apps" / "endless.py"
SECONDS = 2.0
"""SHUTDOWN_TIMEOUT of the app."""
AT_MOST = 20.0
"""Seconds; granian's own limit was 40."""

engines = ("skitai", "granian", "granian-wsgi")


@pytest.fixture
def server(engine: str) -> Iterator[Server]:
    with serving(engine, ENDLESS) as server:
        yield server


def ask(server: Server, path: str) -> Connection:
    connection = server.connect()
    connection.ask(path)
    server.board.wait_count(f"{path[1:]}-begun")
    return connection


@pytest.mark.parametrize("path", ["/coroutine", "/stream", "/events", "/thread", "/stubborn"])
def test_the_time_is_kept_and_everything_is_cleaned_up(server: Server, path: str) -> None:
    if server.engine == "granian-wsgi" and path == "/stubborn":
        pytest.skip("its coroutines run on a loop of their own, which ends with the process")
    with ask(server, path) as connection:
        began = time.monotonic()
        server.terminate()
        if path in ("/coroutine", "/thread", "/stubborn"):
            try:
                answer = connection.read()
                assert answer.status == 503
            except Broken:
                # What blocks a thread, or the loop, cannot be answered for.
                assert path != "/coroutine"
        else:
            connection.read_to_end()
        server.wait_end()
        took = time.monotonic() - began
    assert SECONDS * 0.9 < took < AT_MOST
    assert server.board.count("umounted") == server.board.count("before_umount") == 1
    if path in ("/coroutine", "/stream", "/events"):
        assert server.board.count(f"{path[1:]}-finally") == 1
    assert server.process.returncode in (0, -15, 143)


def test_hooks_run_without_any_request(server: Server) -> None:
    began = time.monotonic()
    server.terminate()
    server.wait_end()
    assert time.monotonic() - began < AT_MOST
    assert server.board.count("umounted") == server.board.count("before_umount") == 1


@pytest.mark.unable("granian-wsgi", "WSGI has no WebSockets")
def test_what_goes_on_for_ever_is_closed_at_once(server: Server) -> None:
    url = server.url("/socket", "ws")
    with ExitStack() as stack:
        sockets = [stack.enter_context(opened(url)) for opened in (by_websockets,) * 3]
        sockets.append(stack.enter_context(by_websocket_client(url)))
        for socket in sockets:
            socket.send("x")
            assert socket.recv() == "x"
        # So that the server has still something else to wait for.
        connection = stack.enter_context(ask(server, "/thread"))
        updates = stack.enter_context(ask(server, "/updates"))
        assert updates.read_head().status == 200
        assert server.get("/after").text == "answered"
        server.terminate()
        assert {socket.closed_with() for socket in sockets} == {1001}
        server.board.wait_count("socket-finally", len(sockets))
        # Event streams, too; with a regular end, so that the client comes again.
        server.board.wait_count("updates-finally")
        while updates.read_chunk():
            pass
        assert server.process.poll() is None
        server.board.open("thread")
        assert connection.read().text == "done"
        # The work after an answer is waited for, too.
        server.board.open("after")
        server.wait_end()
    assert server.board.count("after-done") == server.board.count("umounted") == 1


@pytest.mark.unable("granian-wsgi", "WSGI has no WebSockets")
def test_a_websocket_whose_handler_returns_is_closed_with_1000(server: Server) -> None:
    url = server.url("/socket", "ws")
    for opened in (by_websockets, by_websocket_client):
        with opened(url) as socket:
            socket.send("x")
            assert socket.recv() == "x"
            socket.send("leave")
            assert socket.closed_with() == 1000
    server.board.wait_count("socket-finally", 2)


@pytest.mark.parametrize("name", ["uvicorn", "hypercorn"])
def test_event_streams_of_servers_that_wait_for_answers(name: str) -> None:
    with serving(name, ENDLESS) as server, ask(server, "/updates") as updates:
        assert updates.read_head().status == 200
        while b"data: 1" not in updates.read_chunk():
            pass
        server.terminate()
        # uvicorn would wait without end. hypercorn's workers get no signal; it waits for its
        # graceful_timeout, three seconds, and closes the connection in the midst of the answer.
        rest = updates.read_to_end()
        assert rest.endswith(b"0\r\n\r\n") == (name == "uvicorn")
        server.wait_end()
        assert server.board.count("updates-finally") == server.board.count("umounted") == 1
