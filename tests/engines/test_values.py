"""Values of databases and clients, over real connections: exact, or refused with 400."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xmlrpc import client as xmlrpc

import httpx
import pytest
from support.servers import Server, serving
from websockets.sync.client import connect

from atila.testing.waits import PATIENCE
from atila_tasks.testing import PostgreSQLServer, RedisServer

engines = ("skitai", "granian")

SCRIPT = Path(__file__).with_name("apps") / "values.py"
CONNECTIONS = 3
BIG = 123456789012345678901234567890
LONG = [2**63, 2**64, -(2**63) - 1, BIG]
NAMES = ["mypg", "mylite"]


@pytest.fixture(scope="session")
def server(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    redis = RedisServer(tmp_path_factory.mktemp("redis"))
    with PostgreSQLServer() as postgresql, redis, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATILA_POSTGRESQL", postgresql.address)
        patch.setenv("ATILA_REDIS", f"127.0.0.1:{redis.port}/0")
        with serving(engine, SCRIPT) as server:
            assert server.get("/setup").status == 200, server.log()
            yield server


READ = {
    "uuid": "6e5d6a0a-4a46-4f0f-9b4c-0d4b6a1d2c3e",
    "months": "P1M2D",
    "seconds": "PT90S",
    "timetz": "10:00:00+09:00",
    "range": "[1,5)",
    "bits": "101",
    "bytes": "AP8=",
    "inet": "10.0.0.1",
    "cidr": "10.0.0.0/8",
    "big": BIG,
    "huge": 10**400,
    "numeric": "1.10",
    "uuids": ["6e5d6a0a-4a46-4f0f-9b4c-0d4b6a1d2c3e"],
}


def test_what_postgresql_has(client: httpx.Client) -> None:
    # The standard library's, which takes every integer for what it is.
    assert json.loads(client.get("/read").text) == READ
    assert json.loads(client.get("/row").text) == [READ]
    answer = client.get("/read", headers={"accept": "application/xml"})
    assert answer.headers["content-type"] == "application/xml"
    for text in ("<months>P1M2D</months>", f"<big>{BIG}</big>", f"<huge>{10**400}</huge>"):
        assert text in answer.text


def test_what_python_has(client: httpx.Client) -> None:
    assert json.loads(client.get("/python").text) == {
        "deque": [1, 2],
        "path": "/a",
        "delta": "P1D",
        "big": 2**70,
        "key": {str(2**70): 1},
    }


@pytest.mark.parametrize("number", LONG)
def test_integers_come_as_they_were_sent(client: httpx.Client, number: int) -> None:
    answer = client.post("/echo", content=json.dumps({"n": number}), headers=JSON)
    assert json.loads(answer.text) == {"n": number, "kind": "int"}
    answer = client.post("/document", content=json.dumps({"n": [number]}), headers=JSON)
    assert json.loads(answer.text) == {"v": {"n": [number]}}
    assert client.post("/session", content=json.dumps({"n": number}), headers=JSON).is_success
    assert json.loads(client.get("/session").text) == {"session": number, "store": number}


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("text", ["1e400", "-1e400", "9" * 4301])
def test_numbers_that_nobody_has(client: httpx.Client, text: str) -> None:
    for path in ("/echo", "/document"):
        answer = client.post(path, content=f'{{"n": {text}}}', headers=JSON)
        assert answer.status_code == 400
        assert "out of range" in answer.json()["detail"]


def test_calls_of_methods(server: Server, client: httpx.Client) -> None:
    call = {"jsonrpc": "2.0", "method": "add", "params": [BIG, 1], "id": 1}
    answer = client.post("/rpc2", content=json.dumps(call), headers=JSON)
    assert json.loads(answer.text)["result"] == BIG + 1
    with xmlrpc.ServerProxy(server.url("/rpc2")) as proxy:
        assert proxy.durations() == {"delta": "PT1S", "deque": [1], "path": "/a"}


def test_messages(server: Server) -> None:
    with connect(server.url("/chat", "ws")) as socket:
        socket.send(json.dumps({"n": BIG}))
        assert json.loads(socket.recv()) == {"n": BIG + 1, "delta": "PT1S"}


# For databases ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["keep", "async"])
@pytest.mark.parametrize("name", NAMES)
def test_values_that_do_not_fit(server: Server, client: httpx.Client, name: str, way: str) -> None:
    before = len(server.log())
    bodies: list[dict[str, Any]] = [{"id": number} for number in LONG]
    if name == "mypg":
        bodies += [{"id": 1, "t": "a\0b"}, {"id": "one"}, {"id": 1.5}]
    for body in bodies:
        answer = client.post(f"/{name}/{way}", content=json.dumps(body), headers=JSON)
        assert (answer.status_code, answer.json()["message"]) == (400, "Bad Request"), body
        assert "out of range, or is not of the right kind" in answer.json()["detail"]
    answer = client.post(f"/{name}/{way}", json={"id": 2**63 - 1 if way == "keep" else 2**62})
    assert answer.json() == {"count": 1}
    assert "Traceback" not in server.log()[before:]


@pytest.mark.parametrize("name", NAMES)
def test_values_that_fit(client: httpx.Client, name: str) -> None:
    assert client.post(f"/{name}/keep", json={"id": 7, "t": "é'\"; --"}).json() == {"count": 1}
    found = client.get(f"/{name}/kept", params={"id": "7"}).json()
    assert (found["id"], found["t"]) == (7, "é'\"; --")
    refused = client.get(f"/{name}/kept", params={"id": str(BIG)})
    # SQLite compares a text with a number, and finds that they differ.
    assert refused.status_code == (400 if name == "mypg" else 410)


def test_numeric_and_documents(client: httpx.Client) -> None:
    body = {"id": 8, "n": 1.1, "j": {"big": BIG, "list": [1, 2.5]}}
    assert client.post("/mypg/keep", content=json.dumps(body), headers=JSON).is_success
    found = json.loads(client.get("/mypg/kept?id=8").text)
    assert (found["n"], found["j"]) == ("1.1", {"big": BIG, "list": [1, 2.5]})
    answer = client.post("/document", json={"n": "a\0b"})
    assert answer.status_code == 400


@pytest.mark.parametrize("name", NAMES)
def test_how_many_rows_were_changed(client: httpx.Client, name: str) -> None:
    for number in range(100, 103):
        assert client.post(f"/{name}/keep", json={"id": number}).is_success
    before = client.post(f"/{name}/change").json()
    assert before["updated"] == before["deleted"] >= 3
    assert client.post(f"/{name}/change").json() == {"updated": 0, "deleted": 0}


def test_redis(client: httpx.Client) -> None:
    assert client.get("/binary").json() == {"v": "AP8="}
    assert client.post("/redis", json={"n": 1}).json() == {"n": 2**62 + 1}
    for number in (2**62, BIG):
        answer = client.post("/redis", content=json.dumps({"n": number}), headers=JSON)
        assert answer.status_code == 400


def test_a_table_that_changes(server: Server, client: httpx.Client, name: str) -> None:
    """Of all connections one fails one transaction."""
    gate = f"g{name}"
    with ThreadPoolExecutor(CONNECTIONS) as clients:
        primed = [clients.submit(server.get, f"/prime?gate={gate}") for _ in range(CONNECTIONS)]
        server.board.wait_count(f"{gate}-primed", CONNECTIONS)
        server.board.open(gate)
        assert [each.result(PATIENCE).status for each in primed] == [200] * CONNECTIONS
    assert client.get("/alter", params={"column": f"c_{name}"}).is_success
    answers = [client.get("/transaction") for _ in range(3 * CONNECTIONS)]
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) >= len(statuses) - 1
    for answer in answers:
        assert (answer.headers.get("retry-after") == "1") is (answer.status_code == 503)
