"""Providers over real connections: SQLAlchemy sessions, and what lives as long as the process."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from support.servers import USUAL, serving
from websockets.sync.client import connect

from atila.testing import wait_until
from atila.testing.waits import PATIENCE

engines = USUAL

SCRIPT = Path(__file__).with_name("apps") / "provided.py"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "listed", "params": []}


def test_sessions_from_start_to_end(engine: str) -> None:
    with serving(engine, SCRIPT, ready="/items") as server:

        def noted() -> list[str]:
            return (server.board.folder / "events").read_text().splitlines()

        def wait_noted(event: str, count: int) -> None:
            wait_until(lambda: noted().count(event) >= count, event, log=lambda: str(noted()))

        assert noted()[:2] == ["engine opened", "async engine opened"]
        assert "startup 0" in noted()
        with httpx.Client(base_url=server.url(""), timeout=PATIENCE) as client:
            assert client.post("/items", data={"name": "a"}).json() == {"name": "a"}
            assert client.post("/items", data={"name": "b", "fail": "yes"}).status_code == 409
            assert client.post("/items", data={"name": "c", "db": "x"}).status_code == 400
            assert client.get("/items").json() == ["a"]
            assert client.get("/generator").text == "a"
            headers = {"content-type": "application/json-rpc"}
            assert client.post("/", json=CALL, headers=headers).json()["result"] == ["a"]
            wait_noted("session closed", 4)
            before = noted().count("async session closed")
            with client.stream("GET", "/stream") as answer:
                assert next(answer.iter_lines()) == "begun"
            wait_noted("async session closed", before + 1)
            assert client.get("/mine").text == "mine"
            assert client.get("/hers").status_code == 403
            assert client.get("/after").text == ""
            wait_noted("after 1", 1)
            wait_noted("later 1", 1)
            with client.stream("GET", "/queue") as answer:
                assert next(answer.iter_text()) == "a"
            wait_noted("producer ended with 1", 1)
        with connect(server.url("/chat", "ws")) as socket:
            socket.send("x")
            assert socket.recv(PATIENCE) == "a"
        wait_noted("chat opened with 1", 1)
        wait_noted("chat closed with 1", 1)
        # One each of the first five requests with it, both with permissions, the work after an
        # answer, the queue's handler and producer, and the conversation.
        wait_noted("session closed", 10)
        server.terminate()
        server.wait_end()
        assert noted()[-3:] == ["shutdown", "async engine closed", "engine closed"]
        assert re.search(r"the clean-up of broken \(.*provided\.py:\d+\) failed", server.log())
        assert server.process.returncode in (0, -15)
