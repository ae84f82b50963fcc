"""A port that cannot be had: servers say so and end, and leave the other site alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.servers import Server, serving

from atila.testing.ports import free_port
from atila.testing.waits import wait_until

ENDLESS = Path(__file__).parent / "apps" / "endless.py"
OURS = ("skitai", "granian", "granian-wsgi")

engines = (*OURS, "uvicorn", "hypercorn", "gunicorn")


@pytest.fixture
def second(engine: str) -> Iterator[list[Server]]:
    """Servers that are ended with the test."""
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.stop()


def refused(server: Server) -> str:
    """What a server has said that ended."""
    wait_until(lambda: server.process.poll() is not None, f"{server.engine} has ended")
    server.wait_end()
    return server.log()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_port_on_which_another_server_listens(
    engine: str, workers: int, second: list[Server]
) -> None:
    if engine == "hypercorn" and workers > 1:
        pytest.skip("its workers share a port with whoever lets them")
    with serving(engine, ENDLESS, workers) as first:
        other = Server(engine, ENDLESS, workers, ready="", port=first.port)
        second.append(other)
        log = refused(other)
        assert other.process.returncode not in (0, None)
        if engine in OURS:
            assert other.process.returncode == 1
            assert f":{first.port} is in use. Mend:" in log
            assert "Traceback" not in log
            lines = [line for line in log.splitlines() if line.startswith("atila: ")]
            assert len(lines) == 1
            assert engine == "skitai" or log.splitlines() == lines
        assert first.process.poll() is None
        assert all(first.get("/").text == "ready" for _ in range(20))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_on_which_any_program_listens(engine: str, host: str, second: list[Server]) -> None:
    if engine not in OURS:
        pytest.skip("the other servers are the business of their makers")
    with socket.create_server((host, 0)) as program:
        server = Server(engine, ENDLESS, ready="", port=program.getsockname()[1])
        second.append(server)
        assert "is in use. Mend:" in refused(server)
    assert server.process.returncode == 1


def test_one_of_two_servers_that_start_together_serves(engine: str, second: list[Server]) -> None:
    if engine not in OURS:
        pytest.skip("the other servers are the business of their makers")
    port = free_port()
    second += [Server(engine, ENDLESS, 2, ready="", port=port) for _ in range(2)]
    wait_until(lambda: any(s.process.poll() is not None for s in second), "one of them has ended")
    (ended,) = [server for server in second if server.process.poll() is not None]
    assert ended.process.returncode == 1
    assert "in use" in ended.log()
    (serves,) = [server for server in second if server is not ended]
    serves._wait_ready("/")
    assert all(serves.get("/").text == "ready" for _ in range(20))


def test_a_port_is_free_again_at_once(engine: str) -> None:
    """Connections that were just closed, which the system still remembers, are not in the way."""
    with serving(engine, ENDLESS) as first:
        with first.connect() as kept:
            assert kept.get("/").text == "ready"
            first.terminate()
            first.wait_end()
        with serving(engine, ENDLESS, port=first.port) as again:
            assert again.get("/").text == "ready"
