"""The reason for which an upstream or a database fails is in the log, and in no answer."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xmlrpc import client as xmlrpc

import asyncpg
import httpx
import pytest
from redis import Redis
from support.faults import Faults, failing
from support.servers import Server, serving

from atila.testing.waits import PATIENCE, wait_until
from atila_tasks.testing import PostgreSQLServer, RedisServer

engines = ("skitai", "granian")

SCRIPT = Path(__file__).with_name("apps") / "reports.py"
CONNECTIONS = 5
SAID = "the password of robert is hunter2"
"""What the upstream says of itself."""
SECRETS = ("@", "hunter2", "robert", "s3cret", "127.0.0.1", "password", "connection", "certificate")


class Words(BaseHTTPRequestHandler):
    """An upstream that talks too much."""

    def _answer(self) -> None:
        length = int(self.headers.get("content-length", 0))
        self.rfile.read(length)
        status, kind, body = 500, "text/plain", SAID
        if self.path == "/malformed":
            status, kind, body = 200, "application/json", f'{{"{SAID}'
        elif self.path == "/refused":
            status = 403
        elif self.path == "/busy":
            status = 503
        elif self.path == "/loop":
            status = 302
        elif self.path == "/xmlrpc":
            fault = xmlrpc.Fault(7, SAID)
            status, kind, body = 200, "text/xml", xmlrpc.dumps(fault)
        elif self.path == "/jsonrpc":
            status, kind = 200, "application/json"
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": 7, "message": SAID}})
        self.send_response(status, SAID)
        self.send_header("content-type", kind)
        if status == 302:
            self.send_header("location", "/loop")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = _answer

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def words() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Words)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join(PATIENCE)
    server.server_close()


class Full:
    """All connections of a PostgreSQL server, while it is entered."""

    def __init__(self, server: PostgreSQLServer) -> None:
        self._url = f"postgresql://{server.address}"
        self._loop = asyncio.new_event_loop()
        self._held: list[asyncpg.Connection] = []

    async def _fill(self) -> None:
        while True:
            try:
                self._held.append(await asyncpg.connect(self._url))
            except asyncpg.TooManyConnectionsError:
                return

    def __enter__(self) -> Full:
        self._loop.run_until_complete(self._fill())
        return self

    def __exit__(self, *error: object) -> None:
        for connection in self._held:
            self._loop.run_until_complete(connection.close())
        self._loop.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLServer]:
    with PostgreSQLServer(CONNECTIONS) as server:
        yield server


@pytest.fixture(scope="session")
def faults() -> Iterator[Faults]:
    with failing() as faults:
        yield faults


@pytest.fixture(scope="session")
def upstreams(
    postgresql: PostgreSQLServer,
    faults: Faults,
    words: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("redis")
    no_file = tmp_path_factory.mktemp("lite")
    with RedisServer(folder, "s3cret") as redis, RedisServer(folder) as redis_full:
        Redis(port=redis.port, password="s3cret").config_set("maxmemory", "1")
        only = Redis(port=redis_full.port, single_connection_client=True)
        only.config_set("maxclients", 1)
        yield json.dumps(
            {
                "pg": postgresql.port,
                "pg_password": postgresql.password,
                "redis": redis.port,
                "redis_full": redis_full.port,
                # A folder, which is no file of SQLite.
                "no_file": str(no_file),
                "faults": faults.port,
                "words": words,
            }
        )
        only.close()


@pytest.fixture(scope="session")
def server(engine: str, upstreams: str) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATILA_UPSTREAMS", upstreams)
        with serving(engine, SCRIPT) as server:
            yield server


FAILURES = {
    "@pg-away": (502, "@pg-away cannot be reached"),
    "@pg-wrong": (502, "@pg-wrong refuses the user or the password"),
    "@pg-nowhere": (502, "@pg-nowhere has no such database"),
    "@pg-tls": (502, "@pg-tls "),
    "@redis-away": (502, "@redis-away cannot be reached"),
    "@redis-wrong": (502, "@redis-wrong refuses the user or the password"),
    "@redis-full": (503, "@redis-full takes no connection now"),
    "@redis-memory": (503, "@redis-memory has no memory left"),
    "@mongo-away": (502, "@mongo-away cannot be reached"),
    "@lite-away": (502, "@lite-away: unable to open"),
    "@http-away": (502, "@http-away: connection refused"),
    "@https-away": (502, "@https-away: "),
    "@faults/half": (502, "@faults: "),
    "@faults/garbage": (502, "@faults: "),
    "@faults/reset": (502, "@faults: "),
    "@faults/huge": (502, "more than 100000 bytes"),
    "@words/": (502, "@words answered 500"),
    "@words/refused": (502, "@words answered 403"),
    "@words/busy": (502, "@words answered 503"),
    "@words/malformed": (502, "@words answered malformed application/json"),
    "@words/loop": (502, "@words redirects without an end"),
}


def check(server: Server, answer: httpx.Response, status: int, report: str, before: int) -> None:
    """An answer gives nothing away, and the log since then has the report, once for the request."""
    # The style of an error page has @media.
    text = re.sub(r"<style>.*?</style>", "", answer.text, flags=re.S) + str(answer.headers)
    assert answer.status_code == status, text
    assert [secret for secret in SECRETS if secret in text.replace("connection:", "")] == []
    assert ("retry-after" in answer.headers) is (status == 503)
    number = answer.headers["x-request-id"]
    wait_until(lambda: number in server.log()[before:], "it is logged")
    told = [line for line in server.log()[before:].splitlines() if f"request {number}:" in line]
    assert len(told) == 1
    assert report in told[0]
    assert f"{status} " in told[0]
    assert "hunter2" not in told[0] or SAID in told[0]


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
@pytest.mark.parametrize("what", FAILURES)
def test_reports(server: Server, client: httpx.Client, what: str, accept: str) -> None:
    status, report = FAILURES[what]
    name, slash, path = what.partition("/")
    before = len(server.log())
    params = {"what": name, "path": slash + path}
    answer = client.get("/ask", params=params, headers={"accept": accept})
    check(server, answer, status, report, before)


def test_a_database_without_a_free_connection(
    server: Server, client: httpx.Client, postgresql: PostgreSQLServer
) -> None:
    before = len(server.log())
    with Full(postgresql):
        answer = client.get("/ask", params={"what": "@pg-full"})
        check(server, answer, 503, "@pg-full takes no connection (53300)", before)
    assert client.get("/ask", params={"what": "@pg-full"}).json() == [{"a": 1}]


@pytest.mark.parametrize(
    ("path", "status", "report"),
    [
        ("/coroutine?what=@words&path=/refused", 502, "@words answered 403"),
        ("/pass/@http-away/a", 502, "@http-away: connection refused"),
        ("/pass/@faults/garbage", 502, "@faults: "),
        ("/late", 504, "was not done within 0.2 s"),
        ("/call?protocol=xml", 502, f"secret() failed at @words (7: {SAID})"),
        ("/call?protocol=json", 502, f"secret() failed at @words (7: {SAID})"),
        ("/grpc", 502, "@http-away: no connection"),
    ],
)
def test_ways_of_asking(
    server: Server, client: httpx.Client, path: str, status: int, report: str
) -> None:
    before = len(server.log())
    check(server, client.get(path), status, report, before)


def test_a_report_of_one_s_own(server: Server, client: httpx.Client) -> None:
    before = len(server.log())
    answer = client.get("/own")
    assert answer.json()["detail"] == "the printer is out of paper"
    assert "hunter2" not in answer.text
    wait_until(lambda: "tray 3 of printer hunter2" in server.log()[before:], "it is logged")


def test_an_answer_that_has_begun(server: Server) -> None:
    before = len(server.log())
    answer = server.get("/streamed")
    assert not answer.complete
    assert "@" not in answer.text
    wait_until(lambda: "@words answered 403" in server.log()[before:], "it is logged")


def test_calls_of_methods(server: Server, client: httpx.Client) -> None:
    for what in ("@pg-wrong", "@words"):
        before = len(server.log())
        call = {"jsonrpc": "2.0", "method": "ask", "params": {"what": what}, "id": 1}
        answer = client.post("/rpc2", json=call)
        error = answer.json()["error"]
        assert error["data"]["code"] == 502
        body = xmlrpc.dumps((what,), "ask")
        headers = {"content-type": "text/xml"}
        other = client.post("/rpc2", content=body, headers=headers)
        with pytest.raises(xmlrpc.Fault):
            xmlrpc.loads(other.text)
        for text in (answer.text, other.text):
            assert [secret for secret in SECRETS if secret in text] == []

        def logged(what: str = what, before: int = before) -> bool:
            lines = [line for line in server.log()[before:].splitlines() if "request " in line]
            return len([line for line in lines if f"502 Bad Gateway: {what}" in line]) == 2

        wait_until(logged, "both are logged")
