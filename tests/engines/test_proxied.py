"""Behind a trusted proxy, over real connections: who the client is, and which scheme it uses."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from support.servers import USUAL, Server
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from atila.testing.waits import PATIENCE

engines = USUAL

SCRIPT = Path(__file__).with_name("apps") / "proxied.py"


def test_client_and_scheme_are_as_the_proxy_says(server: Server) -> None:
    told = {"X-Forwarded-For": "9.9.9.9, 10.1.2.3", "X-Forwarded-Proto": "https"}
    answer = requests.get(server.url("/who"), headers=told, timeout=PATIENCE)
    assert answer.text == "9.9.9.9 https 9.9.9.9"
    assert "; Secure" in answer.headers["Set-Cookie"]


def test_without_the_headers_it_is_the_peer(server: Server) -> None:
    answer = requests.get(server.url("/who"), timeout=PATIENCE)
    assert answer.text == "127.0.0.1 http 127.0.0.1"
    assert "Secure" not in answer.headers["Set-Cookie"]


@pytest.mark.unable("uvicorn", "it believes what comes from 127.0.0.1 itself, whatever that is")
@pytest.mark.parametrize(
    "told", ["x" * 4000, "9.9.9.9;drop table", ", ,", "::ffff:zz", "1.2.3.4.5"]
)
def test_what_is_no_address_is_not_believed(server: Server, told: str) -> None:
    answer = requests.get(server.url("/who"), headers={"X-Forwarded-For": told}, timeout=PATIENCE)
    assert answer.text == "127.0.0.1 http 127.0.0.1"


def test_what_the_client_adds_itself_is_not_believed(server: Server) -> None:
    told = {"X-Forwarded-For": "1.1.1.1, 9.9.9.9", "X-Forwarded-Proto": "https, http"}
    answer = requests.get(server.url("/who"), headers=told, timeout=PATIENCE)
    assert answer.text.startswith("9.9.9.9 ")


def test_a_websocket_closes_with_its_code(server: Server) -> None:
    headers = {"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "https"}
    with connect(server.url("/leaves", "ws"), additional_headers=headers) as socket:
        assert socket.recv(timeout=PATIENCE) == "9.9.9.9"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=PATIENCE)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as it is")
