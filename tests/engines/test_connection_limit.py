"""MAX_CONNECTIONS_PER_ADDRESS: how many connections a client may have."""

from __future__ import annotations

from pathlib import Path

from support.servers import Server, serving
from support.wire import Broken, Connection

from atila.testing.waits import wait_until

SCRIPT = Path(__file__).with_name("apps") / "host.py"
MOST = 4
ENVIRONMENT = {
    "ATILA_MAX_CONNECTIONS_PER_ADDRESS": str(MOST),
    "ATILA_TRUSTED_PROXIES": "127.0.0.2",
}

engines = ("skitai", "granian")


def test_a_client_with_many_connections(engine: str) -> None:
    with serving(engine, SCRIPT, environment=ENVIRONMENT) as server:
        if engine != "skitai":
            assert "MAX_CONNECTIONS_PER_ADDRESS counts on Skitai alone" in server.log()
            assert "limit_conn" in server.log()
            return
        wait_until(lambda: server.get("/").status == 200, "those of the start have left")
        held = [server.connect() for _ in range(MOST)]
        try:
            assert [connection.get("/").status for connection in held] == [200] * MOST
            with server.connect() as refused:
                answer = refused.read()
                assert (answer.status, answer.header("connection")) == (429, "close")
            # Of very many at once, some are closed without an answer.
            assert {status_of_one_more(server) for _ in range(300)} <= {429, 0}
            # The proxy stands for many clients.
            assert from_proxy(server, 2 * MOST) == [200] * 2 * MOST
            held.pop().close()
            wait_until(lambda: server.get("/").status == 200, "a place is free again")
            assert [connection.get("/").status for connection in held] == [200] * (MOST - 1)
        finally:
            for connection in held:
                connection.close()


def status_of_one_more(server: Server) -> int:
    """0 if it was closed without an answer."""
    try:
        with server.connect() as connection:
            return connection.read().status
    except (Broken, OSError):
        return 0


def from_proxy(server: Server, number: int) -> list[int]:
    """The statuses of requests on connections of a trusted proxy that are open at once."""
    opened = []
    try:
        for _ in range(number):
            opened.append(Connection(server.port, source="127.0.0.2"))
        return [connection.get("/").status for connection in opened]
    finally:
        for connection in opened:
            connection.close()
