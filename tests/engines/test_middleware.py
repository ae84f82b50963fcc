"""Middleware of others around the app, on the servers that speak its interface."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.servers import Server, serving
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from atila.testing.waits import PATIENCE

SCRIPT = Path(__file__).with_name("apps") / "wrapped.py"


@pytest.fixture(
    scope="module",
    params=[("uvicorn", "asgi"), ("gunicorn", "wsgi"), ("granian", "asgi"), ("granian", "wsgi")],
    ids="-".join,
)
def wrapped(request: pytest.FixtureRequest) -> Iterator[tuple[Server, str, str]]:
    """A server of the app within middleware, with its name and the interface."""
    name, interface = request.param
    given = {"WRAPPED": interface}
    with serving(name, SCRIPT, environment=given, target="wrapped:app") as server:
        yield server, name, interface


def test_the_app_within_middleware(wrapped: tuple[Server, str, str]) -> None:
    server, _, interface = wrapped
    with server.connect() as connection:
        assert connection.get("/pieces").text == "one, two"
        connection.ask("/echo", "POST", [("Content-Type", "text/plain")], b"said")
        assert connection.read("POST").body == b"said"
        assert connection.get("/none").status == 404
        if interface == "asgi":
            told = [("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-Proto", "https")]
            answer = connection.get("/client", told)
            assert answer.text == '{"address":"203.0.113.7","scheme":"https"}'
        assert "AssertionError" not in server.log()
    assert server.board.count("began") == 1


def test_it_ends_with_open_websockets(wrapped: tuple[Server, str, str]) -> None:
    # The last test: the others need the server.
    server, name, interface = wrapped
    if interface == "asgi":
        with connect(f"ws://127.0.0.1:{server.port}/socket") as socket:
            socket.send("said")
            assert socket.recv(timeout=PATIENCE) == "said"
            server.process.terminate()
            with pytest.raises(ConnectionClosed) as caught:
                socket.recv(timeout=PATIENCE)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == (1012 if name == "uvicorn" else 1001)
    else:
        server.process.terminate()
    # uvicorn raises the signal anew when it has ended.
    assert server.process.wait(PATIENCE) in ((0, -15) if name == "uvicorn" else (0,))
    assert server.board.count("ended") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("serve", "wrapped:app", "--engine", "skitai"), "atila serve --engine granian"),
        (("routes", "wrapped:app"), "is no Atila app but ProxyHeadersMiddleware"),
        (("serve", "wrapped:environ"), "wrapped:environ is no Atila app"),
    ],
)
def test_what_cannot_take_middleware_says_so(words: tuple[str, ...], told: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("atila"), *words],
        cwd=SCRIPT.parent,
        env={
            **os.environ,
            "WRAPPED": "asgi",
            "ATILA_BOARD": "/",
            "PYTHONPATH": str(SCRIPT.parents[2]),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("atila: ")
    assert told in done.stderr
