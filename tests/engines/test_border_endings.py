"""However a request ends, nothing goes on for it: no loop spins, no thread, task or descriptor is
held.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.http2 import Http2
from support.servers import Server, serving

from atila.testing.waits import wait_until

SCRIPT = Path(__file__).with_name("apps") / "ending.py"
WINDOW = 0.5
"""Seconds in which the processor time is taken."""
QUIET = 0.1
"""The share of a processor that a server has at most for which there is nothing to do."""
SPEAKS_HTTP2 = ("skitai", "granian", "hypercorn")


@pytest.fixture
def http2(server: Server) -> Server:
    if server.engine not in SPEAKS_HTTP2:
        pytest.skip(f"{server.engine} has no HTTP/2 without TLS")
    return server


def processor_time(server: Server) -> float:
    total = 0.0
    for process in server.processes():
        times = process.cpu_times()
        total += times.user + times.system
    return total


def share(server: Server) -> float:
    """The share of a processor that the server takes now."""
    before, since = processor_time(server), time.monotonic()
    time.sleep(WINDOW)
    return (processor_time(server) - before) / (time.monotonic() - since)


def held(server: Server) -> dict[str, int]:
    found: dict[str, int] = json.loads(server.get("/held").body)
    return found


@contextlib.contextmanager
def nothing_left(server: Server) -> Iterator[None]:
    """What is done within leaves nothing behind in the server."""
    before = held(server)

    def is_back() -> bool:
        after = held(server)
        return all(after[name] <= before[name] for name in ("tasks", "descriptors", "at_work"))

    yield
    wait_until(lambda: share(server) < QUIET, "the server has nothing to do")
    wait_until(is_back, f"nothing more is held than before, {before}: {held(server)}")


class Progress:
    """How far handlers have come since this was made."""

    def __init__(self, server: Server) -> None:
        self._board = server.board
        names = ("begun", "ended", "entered", "whole")
        self._before = {name: server.board.count(name) for name in names}

    def wait(self, name: str) -> None:
        self._board.wait_count(name, self._before[name] + 1)

    @property
    def whole(self) -> int:
        """How many bodies were taken for whole ones."""
        return self._board.count("whole") - self._before["whole"]


COLLECTED = ("/collected", "/nowhere")
READERS = ("/read", "/yielded")
WRITERS = ("/floods", "/trickles", "/half", "/waits")


@pytest.mark.parametrize("sized", [False, True], ids=["unsized", "sized"])
@pytest.mark.parametrize("how", ["reset", "goodbye", "close", "break"])
def test_upload_over_http2_that_is_given_up(http2: Server, sized: bool, how: str) -> None:
    server = http2
    headers = [("content-length", "100000")] if sized else []
    with nothing_left(server):
        clients = []
        for path in (*COLLECTED, *READERS, *WRITERS):
            progress = Progress(server)
            client = Http2(server.port)
            clients.append(client)
            stream = client.ask(path, "POST", headers, end=False)
            client.send(stream, b"x" * 1000)
            if path not in (*COLLECTED, "/waits"):
                progress.wait("begun")
            match how:
                case "reset":
                    client.reset(stream)
                case "goodbye":
                    client.say_goodbye()
                    client.socket.close()
                case "close":
                    client.socket.close()
                case "break":
                    client.break_off()
            if path not in (*COLLECTED, "/waits"):
                progress.wait("ended")
            assert progress.whole == 0
        # What a reset stream leaves must end while the connection goes on.
        wait_until(lambda: share(server) < QUIET, "the server has nothing to do")
        for client in clients:
            client.socket.close()


@pytest.mark.parametrize(
    ("how", "sized"),
    [
        *itertools.product(["half", "close", "break"], [False, True]),
        ("garbage", False),
    ],
)
def test_upload_over_http1_that_is_given_up(server: Server, how: str, sized: bool) -> None:
    header = ("Content-Length", "100000") if sized else ("Transfer-Encoding", "chunked")
    blocks = server.engine == "gunicorn"  # It waits for a whole piece.
    with nothing_left(server):
        for path in (*COLLECTED, *READERS, *WRITERS):
            progress = Progress(server)
            connection = server.connect()
            connection.ask(path, "POST", [header])
            connection.send(b"x" * 1000 if sized else b"3e8\r\n" + b"x" * 1000 + b"\r\n")
            if path not in (*COLLECTED, "/waits") and not blocks:
                progress.wait("begun")
            match how:
                case "half":
                    connection.end_sending()
                case "garbage":
                    connection.send(b"zz\r\n")
                case "break":
                    connection.reset()
            if how in ("half", "garbage") and path in READERS:
                progress.wait("ended")
            connection.close()
            if path not in (*COLLECTED, "/waits") and not blocks:
                progress.wait("ended")
            assert progress.whole == 0


@pytest.mark.parametrize("method", ["DELETE", "PROPFIND"])
def test_any_method_may_have_a_body_over_http2(http2: Server, method: str) -> None:
    with Http2(http2.port) as client:
        for pieces in ([], [b""], [b"x" * 10], [b"x", b"x" * 9, b""]):
            stream = client.ask("/collected", method, end=not pieces)
            for number, piece in enumerate(pieces, 1):
                client.send(stream, piece, end=number == len(pieces))
            answer = client.read(stream)
            assert (answer.status, answer.text) == (200, str(len(b"".join(pieces))))


ANSWERS = ("/large", "/large-file", "/floods", "/trickles", "/waits")


@pytest.mark.parametrize("how", ["reset", "goodbye", "close", "break"])
def test_answer_over_http2_that_is_given_up(http2: Server, how: str) -> None:
    server = http2
    server.get("/large-file")
    with nothing_left(server):
        for path in ANSWERS:
            progress = Progress(server)
            client = Http2(server.port)
            stream = client.ask(path)
            progress.wait("begun")
            if path != "/waits":
                client.read(stream, least=1)
            match how:
                case "reset":
                    client.reset(stream)
                    wait_until(lambda: share(server) < QUIET, "the server has nothing to do")
                case "goodbye":
                    client.say_goodbye()
                case "break":
                    client.break_off()
            client.socket.close()
            if path in WRITERS:
                progress.wait("ended")


@pytest.mark.parametrize("how", ["close", "break"])
def test_answer_over_http1_that_is_given_up(server: Server, how: str) -> None:
    server.get("/large-file")
    with nothing_left(server):
        for path in ANSWERS:
            if path == "/waits" and server.engine == "gunicorn":
                continue  # WSGI does not say that a client has left before something is sent.
            progress = Progress(server)
            connection = server.connect(receive_buffer=4096)
            connection.ask(path)
            progress.wait("begun")
            if path != "/waits":
                connection.read_head()
            connection.reset() if how == "break" else connection.close()
            if path in WRITERS:
                progress.wait("ended")


def test_client_that_sends_without_end_and_leaves(server: Server) -> None:
    """More than a server takes ahead of a handler that does not read."""
    with nothing_left(server):
        for path in WRITERS:
            if path == "/waits" and server.engine == "hypercorn":
                continue  # It reads no more then, and so sees no end.
            progress = Progress(server)
            connection = server.connect()
            connection.ask(path, "POST", [("Content-Length", str(1 << 30))])
            connection.socket.settimeout(0.3)
            with contextlib.suppress(OSError):
                for _ in range(64):
                    connection.send(b"x" * 65536)
            connection.reset()
            if path != "/waits" and server.engine != "gunicorn":
                progress.wait("ended")


def test_whole_bodies_are_whole_however_they_end_over_http2(http2: Server) -> None:
    bodies = [[b""], [b"x" * 10], [b"x" * 10, b""], [b"", b"x", b"", b"", b"x" * 9, b""]]
    with Http2(http2.port) as client:
        for path in ("/collected", "/read", "/yielded"):
            for pieces in bodies:
                stream = client.ask(path, "POST", end=False)
                for piece in pieces[:-1]:
                    client.send(stream, piece)
                client.send(stream, pieces[-1], end=True)
                answer = client.read(stream)
                assert (answer.status, answer.text) == (200, str(len(b"".join(pieces))))


def test_a_broken_body_stays_broken(server: Server) -> None:
    """A reader that goes on after an error is not given the end of a whole body."""
    progress = Progress(server)
    with server.connect() as connection:
        connection.ask("/insists", "POST", [("Transfer-Encoding", "chunked")])
        connection.send(b"3\r\nabc\r\n")
        # gunicorn waits for a whole piece.
        progress.wait("entered" if server.engine == "gunicorn" else "begun")
        connection.reset()
    progress.wait("ended")
    assert set(server.board.text("insists").split()) == {"gggg"}


@pytest.mark.parametrize("sized", [False, True], ids=["chunked", "sized"])
def test_reader_that_gives_up_waiting_loses_nothing(server: Server, sized: bool) -> None:
    with server.connect() as connection:
        header = ("Content-Length", "5000") if sized else ("Transfer-Encoding", "chunked")
        connection.ask("/impatient", "POST", [header])
        for _ in range(4):
            waited = server.board.count("waited")
            connection.send(b"x" * 1000 if sized else b"3e8\r\n" + b"x" * 1000 + b"\r\n")
            server.board.wait_count("waited", waited + 3)
        connection.send(b"x" * 1000 if sized else b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n")
        assert connection.read().text == "5000 True"


def test_granian_speaks_http1_alone_where_it_calls_by_wsgi() -> None:
    """Its own reader of bodies spins for ever over HTTP/2 when a client resets an upload."""
    with serving("granian-wsgi", SCRIPT) as server:
        # It may not have read all that it refuses.
        with Http2(server.port) as client, contextlib.suppress(ConnectionResetError):
            assert client.get("/").status == 0
        with server.connect() as connection:
            connection.ask("/collected", "POST", body=b"x" * 1000)
            assert connection.read().text == "1000"
        with nothing_left(server):
            for how in ("close", "break"):
                progress = Progress(server)
                connection = server.connect()
                connection.ask("/collected", "POST", [("Content-Length", "100000")])
                connection.send(b"x" * 1000)
                connection.reset() if how == "break" else connection.close()
                assert progress.whole == 0
