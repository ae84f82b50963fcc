"""The clock of the system jumps an hour forward, and back: what ends at a time of the day ends, and
nothing else takes notice.
"""

from __future__ import annotations

import email.utils
import time
from pathlib import Path

import httpx
import pytest
from support.clocks import Clock
from support.servers import Server, serving
from support.sockets import by_websockets

from atila.testing.waits import PATIENCE, wait_until

SCRIPT = Path(__file__).with_name("apps") / "host.py"
HOUR = 3600

pytestmark = pytest.mark.waits

engines = ("skitai", "granian")


def ahead(server: Server) -> float:
    """Seconds by which the server's clock is ahead."""
    answer = server.get("/now")
    if server.engine == "skitai":
        # That of Granian's header is kept by itself.
        date = answer.header("date")
        assert date is not None
        there = email.utils.parsedate_to_datetime(date).timestamp()
        assert abs(there - float(answer.text)) < 2
    return float(answer.text) - time.time()


def swept(server: Server) -> list[float]:
    return sorted(float(line) for line in server.board.text("sweeps").split())


def goes_on(server: Server) -> None:
    """The job goes on, in one worker at a time and as often as before."""
    begun = len(swept(server))
    # Longer than Skitai takes to look for connections on which nothing moves.
    wait_until(lambda: len(swept(server)) >= begun + 12, "the job runs", log=server.log)
    times = swept(server)[begun:]
    # One run may begin late.
    assert times[-1] - times[0] > 0.35 * (len(times) - 1)


def test_an_hour_forward_and_back(engine: str, tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    with (
        serving(engine, SCRIPT, 2, environment=clock.environment) as server,
        by_websockets(server.url("/clients", "ws")) as socket,
        httpx.Client(base_url=server.url(""), timeout=PATIENCE) as client,
        httpx.Client(base_url=server.url(""), timeout=PATIENCE) as replaying,
    ):
        client_id = socket.recv()
        client.get("/login")
        replaying.cookies.update(dict(client.cookies))
        used, unused = client.get("/token").text, client.get("/token").text
        assert client.post("/take", data={"token": used}).text == "hans True"
        assert [client.get("/limited").status_code for _ in range(5)] == [200] * 4 + [429]
        for jump in (HOUR, 0):
            clock.put(jump)
            wait_until(lambda jump=jump: abs(ahead(server) - jump) < 60, "the clock has jumped")
            goes_on(server)
            socket.send("still here")
            assert socket.recv() == "still here"
            assert server.get(f"/push?client_id={client_id}&text=hello").text == "True"
            assert socket.recv() == "hello"
            assert client.get("/limited").status_code == 429
            if jump:
                # Their ends are times of the day.
                assert client.get("/who").text == "nobody"
                assert client.post("/take", data={"token": unused}).text == "None False"
                client.get("/login")
                assert client.get("/who").text == "hans"
        # What was used up before is no better for the time that comes again.
        assert client.post("/take", data={"token": used}).text == "None False"
        assert client.get("/who").text == "hans"
        assert client.get("/logout").text == "out"
        assert client.get("/who").text == "nobody"
        assert "Traceback" not in server.log()
