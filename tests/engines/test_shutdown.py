"""Servers that are told to end while requests are under way that do not end by themselves."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme
from support.http2 import Http2
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


@pytest.fixture
def encrypted(engine: str, tmp_path: Path) -> Iterator[Server]:
    """A server that speaks TLS by itself."""
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    for folder in (tmp_path, tmp_path.parent):
        folder.chmod(0o755)
    both = tmp_path / "both.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(both))
    options = ("--certfile", str(both))
    with serving(engine, ENDLESS, options=options, context=context) as server:
        yield server


ENDLESS_PATHS = ("/coroutine", "/stream", "/events", "/updates")


@pytest.mark.unable("granian-wsgi", "WSGI has no WebSockets and no HTTP/2")
def test_over_tls_and_http2(encrypted: Server) -> None:
    server = encrypted
    url, context = server.url("/socket", "wss").replace("127.0.0.1", "localhost"), server.context
    # Of its TLS, only granian has the keys, and it sends no code.
    going_away, normal = (1005, 1005) if server.engine == "granian" else (1001, 1000)
    with ExitStack() as stack:
        sockets = [stack.enter_context(by_websocket_client(url, "", context)) for _ in range(4)]
        for socket in sockets:
            socket.send("x")
            assert socket.recv() == "x"
        leaving = sockets.pop()
        leaving.send("leave")
        assert leaving.closed_with() == normal
        old, new = {}, {}
        for path in ENDLESS_PATHS:
            old[path] = stack.enter_context(ask(server, path))
            connection = stack.enter_context(Http2(server.port, server.context))
            new[path] = connection, connection.ask(path)
            server.board.wait_count(f"{path[1:]}-begun", 2)
        began = time.monotonic()
        server.terminate()
        assert [socket.closed_with() for socket in sockets] == [going_away] * 3
        answers = {path: connection.read(stream) for path, (connection, stream) in new.items()}
        for path, connection in old.items():
            if path == "/coroutine":
                assert connection.read().status == answers[path].status == 503
                continue
            is_whole = path == "/updates"
            assert answers[path].complete == is_whole
            assert connection.read().complete == is_whole
        server.wait_end()
        assert SECONDS * 0.9 < time.monotonic() - began < AT_MOST
    for path in ENDLESS_PATHS:
        assert server.board.count(f"{path[1:]}-finally") == 2
    assert server.board.count("socket-finally") == 4
    assert server.board.count("umounted") == server.board.count("before_umount") == 1


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
