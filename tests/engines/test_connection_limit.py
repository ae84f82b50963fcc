"""MAX_CONNECTIONS_PER_ADDRESS: how many connections a client may have."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme
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


@pytest.fixture
def context(request: pytest.FixtureRequest) -> ssl.SSLContext | None:
    """Of the clients of a server that speaks TLS; None for one that does not."""
    if request.param == "plain":
        return None
    made = ssl.create_default_context()
    request.getfixturevalue("authority").configure_trust(made)
    return made


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def options(
    context: ssl.SSLContext | None, authority: trustme.CA, tmp_path: Path
) -> list[str] | None:
    """Those of `atila serve` for TLS, if it is spoken."""
    if context is None:
        return None
    for folder in (tmp_path, tmp_path.parent):
        folder.chmod(0o755)
    path = tmp_path / "both.pem"
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(path))
    return ["--certfile", str(path)]


@pytest.mark.parametrize("context", ["plain", "tls"], indirect=True)
def test_a_client_with_many_connections(
    engine: str, context: ssl.SSLContext | None, options: list[str] | None
) -> None:
    if engine != "skitai" and context is not None:
        pytest.skip("without TLS is enough for the warning")
    with serving(
        engine, SCRIPT, environment=ENVIRONMENT, options=options, context=context
    ) as server:
        if engine != "skitai":
            assert "MAX_CONNECTIONS_PER_ADDRESS counts on Skitai alone" in server.log()
            assert "limit_conn" in server.log()
            return
        wait_until(lambda: status_of_one_more(server) == 200, "those of the start have left")
        if context is not None:
            # Their handshakes fail, and they give back their places.
            for _ in range(2 * MOST):
                with Connection(server.port) as plain, pytest.raises((Broken, OSError)):
                    plain.get("/")
            wait_until(lambda: status_of_one_more(server) == 200, "those without TLS have left")
        held = [server.connect() for _ in range(MOST)]
        try:
            assert [connection.get("/").status for connection in held] == [200] * MOST
            # With TLS, a status would take a handshake.
            shown = {429, 0} if context is None else {0}
            if context is None:
                with server.connect() as refused:
                    answer = refused.read()
                    assert (answer.status, answer.header("connection")) == (429, "close")
            # Of very many at once, some are closed without an answer.
            assert {status_of_one_more(server) for _ in range(300)} <= shown
            # The proxy stands for many clients.
            assert from_proxy(server, 2 * MOST) == [200] * 2 * MOST
            held.pop().close()
            wait_until(lambda: status_of_one_more(server) == 200, "a place is free again")
            assert [connection.get("/").status for connection in held] == [200] * (MOST - 1)
        finally:
            for connection in held:
                connection.close()


def status_of_one_more(server: Server) -> int:
    """0 if it was closed without an answer."""
    try:
        with server.connect() as connection:
            return connection.get("/").status
    except (Broken, OSError):
        return 0


def from_proxy(server: Server, number: int) -> list[int]:
    """The statuses of requests on connections of a trusted proxy that are open at once."""
    opened = []
    try:
        for _ in range(number):
            opened.append(Connection(server.port, context=server.context, source="127.0.0.2"))
        return [connection.get("/").status for connection in opened]
    finally:
        for connection in opened:
            connection.close()
