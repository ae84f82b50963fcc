"""A client's parameters named like arguments that are given by position, over connections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from support.servers import USUAL, Server
from support.sockets import UPGRADE

engines = USUAL

APPS = Path(__file__).with_name("apps")
SENDING: dict[str, dict[str, Any]] = {
    "query": {"params": {"was": "1"}},
    "form": {"data": {"was": "1"}},
    "json": {"json": {"was": 1}},
}


@pytest.mark.parametrize("way", SENDING)
def test_name_of_the_context_is_refused(server: Server, client: httpx.Client, way: str) -> None:
    answer = client.post("/echo", **SENDING[way])
    assert answer.status_code == 400
    assert answer.json()["detail"] == "unknown parameter 'was'"
    assert client.get("/echo?free=1").json()["args"] == {"free": "1"}


@pytest.mark.unable("gunicorn", "WSGI has no WebSocket")
def test_handshake_with_the_name_of_an_argument_is_refused(engine: str, servers: Any) -> None:
    server = servers.of(engine, APPS / "sockets.py")
    for name in ("was", "msg"):
        with server.connect() as connection:
            assert connection.get(f"/spec/reporty?{name}=1", UPGRADE).status == 400
