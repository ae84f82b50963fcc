"""The chat of examples/chat, with two workers: each message reaches both ways, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
import websocket
from support.servers import Server, serving

from atila.testing.waits import PATIENCE

engines = ("skitai", "granian")

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "chat" / "serve.py"


@pytest.fixture(scope="module")
def server(engine: str) -> Iterator[Server]:
    with serving(engine, SCRIPT, workers=2) as server:
        yield server


@contextmanager
def socket_of(server: Server, room: str) -> Iterator[websocket.WebSocket]:
    url = server.url(f"/rooms/{room}/socket", "ws")
    socket = websocket.create_connection(url, timeout=PATIENCE)
    try:
        yield socket
    finally:
        socket.close()


@contextmanager
def stream_of(server: Server, room: str) -> Iterator[Iterator[dict[str, str]]]:
    url = server.url(f"/rooms/{room}/events")
    with httpx.stream("GET", url, timeout=PATIENCE) as answer:
        lines = answer.iter_lines()
        next(lines)  # It listens.
        yield (json.loads(line[6:]) for line in lines if line.startswith("data: "))


def test_each_message_reaches_all_of_its_room(server: Server) -> None:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket_of(server, "a")) for _ in range(4)]
        streams = [stack.enter_context(stream_of(server, "a")) for _ in range(4)]
        elsewhere = stack.enter_context(socket_of(server, "b"))
        said = [{"name": "ada", "text": f"by socket {n}"} for n in range(3)]
        for socket, message in zip(sockets, said, strict=False):
            socket.send(json.dumps(message))
            for each in sockets:
                assert json.loads(each.recv()) == message
        posted = {"name": "grace", "text": "by request <b>"}
        answer = httpx.post(server.url("/rooms/a"), json=posted, timeout=PATIENCE)
        assert (answer.status_code, answer.json()) == (202, {"listeners": 8})
        for each in sockets:
            assert json.loads(each.recv()) == posted
        for stream in streams:
            assert [next(stream) for _ in range(4)] == [*said, posted]
        httpx.post(server.url("/rooms/b"), json=posted, timeout=PATIENCE)
        # The first that is heard there, so nothing of the other room was.
        assert json.loads(elsewhere.recv()) == posted


def test_what_is_no_message(server: Server) -> None:
    url = server.url("/rooms/a")
    for wrong in ({"name": "ada"}, {"name": " ", "text": "x"}, {"name": "a", "text": "x" * 501}):
        assert httpx.post(url, json=wrong).status_code == 400
    assert httpx.post(url, data={"name": "a", "text": "b"}).status_code == 415
    with socket_of(server, "a") as socket:
        socket.send('{"name": 5}')
        assert socket.recv_data()[0] == websocket.ABNF.OPCODE_CLOSE


def test_the_page(server: Server) -> None:
    page = httpx.get(server.url("/"))
    assert page.headers["content-type"].startswith("text/html")
    for name in ("chat.css", "chat.js"):
        assert f"/static/{name}" in page.text
        assert httpx.get(server.url(f"/static/{name}")).status_code == 200
