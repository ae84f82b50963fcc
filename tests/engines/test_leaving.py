"""Clients that do not wait for their answers: nothing is done for those that have left."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support.servers import Server
from support.wire import Connection

from atila.engines.wsgi import PATIENCE_SECONDS
from atila.testing.waits import wait_until

SCRIPT = Path(__file__).with_name("apps") / "leaving.py"
CLIENTS = 40
LARGE = b"." * (2 * 1024 * 1024)
"""A body that is kept in a file."""


def queued(server: Server) -> int:
    return int(server.get("/queued").text)


def open_files(server: Server) -> int:
    return sum(process.num_fds() for process in server.processes())


def leave(clients: list[Connection], how: str) -> None:
    for client in clients:
        client.reset() if how == "reset" else client.close()


def is_threaded(server: Server) -> bool:
    """Whether the server runs handlers in threads of its own, before which its own queue stands."""
    return server.engine == "gunicorn"


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("body", [b"", LARGE], ids=["no body", "body in a file"])
def test_a_request_that_waits_for_a_thread_is_not_begun_when_its_client_has_left(
    server: Server, name: str, how: str, body: bytes
) -> None:
    if body and is_threaded(server):
        pytest.skip("it reads bodies in the threads of its handlers")
    threads = 16 if is_threaded(server) else 2
    target = f"/waits?gate={name}"
    running = [server.connect() for _ in range(threads)]
    for client in running:
        client.ask(target)
    server.board.wait_count(f"{name}-started", threads)
    files = open_files(server)
    waiting = [server.connect() for _ in range(CLIENTS)]
    for client in waiting:
        client.ask(target, "POST" if body else "GET", body=body or None)
    if not is_threaded(server):
        wait_until(lambda: queued(server) == CLIENTS, "all others wait for a thread")
    leave(waiting, how)
    if is_threaded(server):
        since = time.monotonic()
        wait_until(lambda: time.monotonic() > since + 2 * PATIENCE_SECONDS, "they are patient")
    else:
        wait_until(lambda: queued(server) == 0, "those that left are forgotten")
        wait_until(lambda: open_files(server) <= files, "nothing of them is kept open")
    server.board.open(name)
    assert [client.read().text for client in running] == ["done"] * threads
    assert server.get(target).text == "done"
    assert server.board.count(f"{name}-started") == threads + 1
    wait_until(
        lambda: server.log().count(f'{target} HTTP/1.1" 499') == CLIENTS, "the access log says so"
    )
    server.board.wait_count(f"{name}-torn-down", threads + 1)
    assert server.board.count(f"{name}-torn-down") == threads + 1


def test_those_that_stay_are_answered_in_their_turn(server: Server, name: str) -> None:
    if is_threaded(server):
        pytest.skip("its own queue")
    clients = [server.connect() for _ in range(CLIENTS)]
    for client in clients:
        client.ask(f"/waits?gate={name}")
    wait_until(lambda: queued(server) == CLIENTS - 2, "all others wait for a thread")
    left, stayed = clients[2::2], [*clients[:2], *clients[3::2]]
    # Whichever two were begun first.
    leave(left, "reset")
    wait_until(lambda: queued(server) <= len(stayed), "those that left are forgotten")
    server.board.open(name)
    assert {client.read().text for client in stayed} == {"done"}
    assert server.board.count(f"{name}-started") in range(len(stayed), len(stayed) + 3)


@pytest.mark.unable("gunicorn", "WSGI tells of no client that leaves")
def test_a_coroutine_whose_client_has_left_is_499(server: Server, name: str) -> None:
    target = f"/waits-on-loop?gate={name}"
    with server.connect() as client:
        client.ask(target)
        server.board.wait_count(f"{name}-started")
    server.board.wait_count(f"{name}-torn-down")
    wait_until(lambda: f'{target} HTTP/1.1" 499' in server.log(), "the access log says so")
