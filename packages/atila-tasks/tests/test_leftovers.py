"""What a request has used is gone as soon as it is answered, without the garbage collector: cycles
cost a request with one statement a tenth of its processor time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from atila import Atila, Was
from atila.serving import departures
from atila_tasks import DB_SQLITE3, PROTO_HTTP


class One(BaseHTTPRequestHandler):
    """Answers each GET with 1, on a connection that is kept."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "1")
        self.end_headers()
        self.wfile.write(b"1")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), One) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def equipped(app: Atila, tmp_path: Path, upstream: str) -> Iterator[Atila]:
    app.alias("@lite", DB_SQLITE3, str(tmp_path / "test.db"))
    # aiohttp's own timer, one for all of them, is made for a request that gives one back.
    app.alias("@one", PROTO_HTTP, upstream, idle_timeout=0.1)
    yield app
    app.site.shutdown(5)


async def one_statement(was: Was) -> str:
    return str((await was.db("@lite").execute("SELECT 1 AS a")).one().a)


async def two_merged(was: Was) -> str:
    db = was.db("@lite")
    tasks = await was.Tasks(db.execute("SELECT 1 AS a"), db.execute("SELECT 2 AS a"))
    return str(tasks.fetch()[0][0].a)


async def a_call(was: Was) -> str:
    return str((await was.stub("@one").get("/")).fetch())


async def a_shortcut(was: Was) -> str:
    return str((await was.get("@one/")).fetch())


async def a_long_wait(was: Was) -> str:
    # Long enough for the client to be watched.
    await asyncio.sleep(5 * departures.SWEEP_SECONDS)
    return "1"


def fetched(was: Was) -> str:
    return str(was.db("@lite").execute("SELECT 1 AS a").one().a)


@pytest.mark.parametrize(
    "handler", [one_statement, two_merged, a_call, a_shortcut, a_long_wait, fetched]
)
def test_nothing_is_left_for_the_collector(
    equipped: Atila,
    leave_nothing: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    handler: Callable[[Was], Any],
) -> None:
    monkeypatch.setattr(departures, "SWEEP_SECONDS", 0.01)
    leave_nothing(equipped, handler)
