"""Subprotocols of WebSockets (RFC 6455, section 1.9), by two independent clients and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import websocket
from support.servers import Server
from support.sockets import UPGRADE
from support.wire import Answer, Connection
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from atila.testing.waits import PATIENCE

SCRIPT = Path(__file__).with_name("apps") / "sockets.py"
BIG = "x" * 90_000

pytestmark = pytest.mark.unable("gunicorn", "WSGI has no WebSocket")


def opened(server: Server, *protocols: str, **options: Any) -> ClientConnection:
    return connect(
        server.url("/protocols", "ws"),
        subprotocols=[Subprotocol(name) for name in protocols] or None,
        proxy=None,
        open_timeout=PATIENCE,
        **options,
    )


def shaken(connection: Connection, *offers: str) -> Answer:
    """The head of the answer to a handshake with these headers."""
    headers = [*UPGRADE, *(("Sec-WebSocket-Protocol", offer) for offer in offers)]
    connection.ask("/protocols", headers=headers)
    return connection.read_head()


@pytest.mark.parametrize("compression", ["deflate", None])
@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["v1.chat"], "v1.chat"),
        (["v1.chat", "v2.chat"], "v1.chat"),
        (["v2.chat", "v1.chat"], "v2.chat"),
        (["v3.chat", "mqtt"], "mqtt"),
        ([], None),
    ],
)
def test_by_websockets(
    server: Server, offered: list[str], chosen: str | None, compression: str | None
) -> None:
    with opened(server, *offered, compression=compression) as socket:
        assert socket.subprotocol == chosen
        assert socket.recv(timeout=PATIENCE) == repr(chosen)
        # The frames after the handshake are whole.
        for message in ("one", BIG, b"\x81\x05hello"):
            socket.send(message)
            assert socket.recv(timeout=PATIENCE) == message
    assert socket.close_code == 1000


def test_by_websocket_client(server: Server) -> None:
    socket = websocket.create_connection(
        server.url("/protocols", "ws"), timeout=PATIENCE, subprotocols=["v3.chat", "v2.chat"]
    )
    try:
        assert socket.getsubprotocol() == "v2.chat"
        assert socket.recv() == "'v2.chat'"
        socket.send("hello")
        assert socket.recv() == "hello"
    finally:
        socket.close()


def test_the_answer_to_the_handshake(server: Server) -> None:
    with server.connect() as connection:
        answer = shaken(connection, "v2.chat , v1.chat")
        assert answer.status == 101
        assert answer.all("sec-websocket-protocol") == ["v2.chat"]
        assert answer.all("sec-websocket-accept") == ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]
        assert [value.lower() for value in answer.all("upgrade")] == ["websocket"]
        if server.engine != "granian":
            # granian takes no headers of ours; see accepts_headers.
            assert "spoken=v2.chat" in (answer.header("set-cookie") or "")
        # The first frame follows, with nothing in between: text, 9 bytes.
        assert connection.read_bytes(11) == b"\x81\x09'v2.chat'"


def test_without_an_offer_the_answer_has_no_protocol(server: Server) -> None:
    with server.connect() as connection:
        answer = shaken(connection)
        assert (answer.status, answer.all("sec-websocket-protocol")) == (101, [])


def test_a_list_in_several_headers(server: Server) -> None:
    with server.connect() as connection:
        answer = shaken(connection, "v3.chat", "v1.chat,v2.chat")
        assert answer.status == 101
        assert answer.all("sec-websocket-protocol") == ["v1.chat"]


def test_after_other_requests_on_the_connection(server: Server) -> None:
    with server.connect() as connection:
        for _ in range(3):
            assert connection.get("/").text == "ready"
        answer = shaken(connection, "v1.chat")
        assert answer.all("sec-websocket-protocol") == ["v1.chat"]


def test_among_many_connections(server: Server) -> None:
    idle = [server.connect() for _ in range(200)]
    sockets: list[Connection] = []
    try:
        for connection in idle:
            assert connection.get("/").status == 200
        for used in idle[:60]:
            # Descriptors are freed and used again.
            used.close()
            sockets.append(server.connect())
            assert shaken(sockets[-1], "v1.chat").all("sec-websocket-protocol") == ["v1.chat"]
        for connection in sockets:
            assert connection.read_bytes(11) == b"\x81\x09'v1.chat'"
    finally:
        for connection in (*idle, *sockets):
            connection.close()


@pytest.mark.parametrize("offered", [["v3.chat"], ["V1.chat", "graphql-ws"]])
def test_other_protocols_are_refused(server: Server, offered: list[str]) -> None:
    with pytest.raises(InvalidStatus) as error:
        opened(server, *offered).close()
    assert error.value.response.status_code == 400
    if server.engine != "granian":
        assert error.value.response.body is not None
        assert b"v2.chat, v1.chat, mqtt" in error.value.response.body


@pytest.mark.parametrize(
    "offers",
    [
        ("v1 chat",),
        ("v1.chat; q=1",),
        ('"v1.chat"',),
        ("v1.chat, v1.chat",),
        ("v1.chat", "v1.chat"),
    ],
)
def test_malformed_offers_are_refused(server: Server, offers: tuple[str, ...]) -> None:
    with server.connect() as connection:
        assert shaken(connection, *offers).status == 400
    with opened(server, "v1.chat") as socket:
        assert socket.subprotocol == "v1.chat"


def test_an_offer_of_nothing(server: Server) -> None:
    with server.connect() as connection:
        assert shaken(connection, ",").status == 400
