"""What each layer brings, over a real connection on every engine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import websocket
from support.servers import Server
from websockets.sync.client import connect

from atila.testing.waits import PATIENCE, wait_until

SCRIPT = Path(__file__).with_name("apps") / "together.py"


# atila-render


def test_api(client: httpx.Client) -> None:
    answer = client.get("/api", params={"name": "Jürgen"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == "application/json"
    assert answer.json() == {"name": "Jürgen", "numbers": [1, 2.5]}
    wrong = client.get("/api", params={"nam": "x"})
    assert wrong.status_code == 400
    assert "'nam'" in wrong.json()["detail"]


def test_fault(client: httpx.Client) -> None:
    answer = client.get("/fault")
    assert answer.status_code == 409
    assert (answer.json()["detail"], answer.json()["errno"]) == ("taken", 40901)


def test_rendered_page(client: httpx.Client) -> None:
    answer = client.get("/page", params={"name": "<b>Hans"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Hello &lt;b&gt;Hans</h1>" in answer.text
    assert "masked" in answer.text


# atila-tasks


def test_tasks_run_at_once(client: httpx.Client) -> None:
    # Each of the three waits for the two others.
    assert client.get("/at-once").json() == {"places": [0, 1, 2]}


def test_coroutine(client: httpx.Client) -> None:
    answer = client.get("/coroutine").json()
    assert len(answer.pop("b")) == 4
    assert answer == {"a": "Example Domain", "c": 7, "moved": True}
    assert "seven" in client.get("/coroutine/failing").json()["caught"]


def test_then(client: httpx.Client) -> None:
    assert client.get("/then").json() == {"result": 4, "a": 1}


def test_coroutine_streams(client: httpx.Client) -> None:
    assert client.get("/download").text == 'ID, NAME\n0, "name"\n1, "name"\n2, "name"\n'


def test_streamed_body_by_yield(client: httpx.Client) -> None:
    body = bytes(range(256)) * 64
    pieces = (body[at : at + 1000] for at in range(0, len(body), 1000))
    assert client.post("/streaming", content=pieces).content == body


@pytest.mark.unable("gunicorn", "it reads ahead: pieces of a body are not handed on one by one")
def test_streaming_both_ways(server: Server) -> None:
    with server.connect() as connection:
        connection.send(
            "POST /bistreaming HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.send("3\r\none\r\n")
        assert connection.read_head().status == 200
        assert connection.read_chunk() == b":one"
        connection.send("3\r\ntwo\r\n")
        assert connection.read_chunk() == b":two"
        connection.send("0\r\n\r\n")
        assert connection.read_chunk() == b""


@pytest.mark.unable("gunicorn", "WSGI does not tell that a client has left")
def test_coroutine_ends_when_the_client_leaves(server: Server, name: str) -> None:
    with server.connect() as connection:
        connection.send(f"GET /wait?gate={name} HTTP/1.1\r\nHost: a\r\n\r\n")
        # It is under way once another request was answered after it.
        assert server.get("/").status == 200
    wait_until(lambda: server.board.count(f"{name}-ended") == 1, "the coroutine ended")


# atila-auth


def test_cors(client: httpx.Client) -> None:
    origin = {"Origin": "http://www.skitai.com:5001"}
    answer = client.post("/post", headers=origin)
    assert answer.text == "hello"
    assert answer.headers["access-control-allow-origin"] == origin["Origin"]
    assert answer.headers["vary"].lower() == "origin"
    preflight = client.options("/post", headers={**origin, "Access-Control-Request-Method": "POST"})
    assert preflight.is_success
    assert preflight.headers["access-control-max-age"] == "3600"
    assert "POST" in preflight.headers["access-control-allow-methods"]
    stranger = client.post("/post", headers={"Origin": "http://elsewhere"})
    assert "access-control-allow-origin" not in stranger.headers


# atila-ws


@contextlib.contextmanager
def websocket_client(url: str) -> Iterator[websocket.WebSocket]:
    socket = websocket.create_connection(url, timeout=PATIENCE)
    try:
        yield socket
    finally:
        socket.close()


@pytest.mark.unable("gunicorn", "WSGI has no WebSocket")
@pytest.mark.parametrize("opened", [websocket_client, connect])
def test_chatty(server: Server, opened) -> None:
    with opened(server.url("/chatty", "ws")) as socket:
        for message in ("hello", "häl" * 20_000):
            socket.send(message)
            assert socket.recv() == "ECHO: " + message


def test_chatty_needs_a_websocket(client: httpx.Client, engine: str) -> None:
    # 501: this server could not even if it were asked rightly.
    assert client.get("/chatty").status_code == (501 if engine == "gunicorn" else 426)
