"""Errors that are no `Exception` end the request that raised them, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.servers import Server, serving
from support.sockets import by_websockets
from support.wire import Broken

FAULTY = Path(__file__).parent / "apps" / "faulty.py"
ERRORS = ("interrupt", "exit", "strange", "generator", "cancelled", "stop", "stop-async")

errors = pytest.mark.parametrize("error", ERRORS)


@pytest.fixture(scope="module")
def server(engine: str) -> Iterator[Server]:
    with serving(engine, FAULTY) as server:
        yield server


@pytest.fixture
def worker(server: Server) -> Iterator[set[psutil.Process]]:
    """The processes of the server, which must be the same afterwards."""
    before = server.processes()
    yield before
    assert server.get("/works").text == "works"
    assert server.get("/").text == "ready"
    assert server.processes() == before


@errors
@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("path", ["/def", "/async", "/later", "/coroutine"])
def test_the_client_gets_500(server: Server, path: str, error: str) -> None:
    answer = server.get(f"{path}/{error}")
    # What says that it was cancelled is taken at its word.
    assert answer.status in ((500, 503) if error == "cancelled" else (500,))
    assert answer.complete


@errors
@pytest.mark.usefixtures("worker")
def test_the_client_of_a_stream_sees_that_it_broke_off(server: Server, error: str) -> None:
    try:
        answer = server.get(f"/stream/{error}")
    except Broken:
        return  # Before its head was on its way.
    assert not answer.complete


@errors
@pytest.mark.usefixtures("worker")
def test_a_listener_harms_nobody(server: Server, error: str) -> None:
    count = server.board.count("told")
    assert server.get(f"/event/{error}").text == "told"
    server.board.wait_count("told", count + 1)


@errors
@pytest.mark.usefixtures("worker")
@pytest.mark.unable("gunicorn", "WSGI has no WebSockets")
def test_a_websocket_is_closed(server: Server, error: str) -> None:
    with by_websockets(server.url(f"/socket/{error}", "ws")) as socket:
        socket.send("go")
        assert socket.closed_with() in (1011, 1001)


@errors
@pytest.mark.parametrize("path", ["/task", "/callback"])
def test_where_the_server_owns_the_loop_it_may_end_and_is_replaced(
    server: Server, path: str, error: str
) -> None:
    """What an app starts on the loop by itself, nobody of ours sees fail."""
    if server.engine not in ("skitai", "gunicorn"):
        pytest.skip("the loop is the server's")
    try:
        answer = server.get(f"{path}/{error}")
    except Broken:
        answer = None
    assert answer is not None
    assert server.get("/works").text == "works"
