"""Calls of other servers, which are real ones, or do what no server should."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest
from support.faults import Faults
from support.servers import USUAL, Server

from atila.testing.waits import patience, wait_until

engines = USUAL

NORMAL, NETERR, TIMEOUT, REQFAIL = 3, 2, 1, -1


def test_stub_shortcuts_upload_and_xml_rpc(client: httpx.Client) -> None:
    told = client.get("/stub").json()
    got, put, added, uploaded = told["data"]
    assert got == {"method": "GET", "id": 100, "limit": "10", "name": None}
    assert put == {"method": "PUT", "id": 100, "limit": 0, "name": "Hans Roh"}
    assert added == 1108
    size = (Path(__file__).parents[1] / "apps" / "calling.py").stat().st_size
    assert uploaded == {"name": "Hans", "file": "calling.py", "size": size}
    assert told["binary"] == list(range(256))


def test_json_rpc_and_xml_rpc_of_our_own(client: httpx.Client) -> None:
    assert client.get("/rpc").json() == {
        "data": [1108, 3, [7, 11], "xy"],
        "faults": ["RpcError", "RpcError"],
    }


def test_grpc(client: httpx.Client) -> None:
    assert client.get("/grpc").json() == {
        "one": "1, 2",
        "listed": ["0", "1", "2"],
        "chat": ["0", "1", "2"],
        "late": TIMEOUT,
        "missing": "NOT_FOUND",
    }


def test_without_a_thread(client: httpx.Client) -> None:
    assert client.get("/coroutine").text == "ready"
    assert client.get("/await").json() == {"ids": list(range(20))}


def test_in_a_template(client: httpx.Client) -> None:
    assert "ready" in client.get("/page").text


def test_map_and_lb(client: httpx.Client) -> None:
    assert client.get("/members").json() == {
        "mapped": [NETERR, NORMAL],
        "balanced": ["ready"] * 4,
    }


FAULTS = {
    "hang": (TIMEOUT, 504),
    "hang-body": (TIMEOUT, 504),
    "half": (NETERR, 502),
    "half-chunk": (NETERR, 502),
    "garbage": (NETERR, 502),
    "refused": (NETERR, 502),
    "reset": (NETERR, 502),
    "headers": (NETERR, 502),
    "huge": (REQFAIL, 502),
    "endless": (REQFAIL, 502),
    "missing": (REQFAIL, 502),
}


def test_faults(client: httpx.Client, faults: Faults) -> None:
    for number, (kind, (status, code)) in enumerate(FAULTS.items()):
        way = ("dispatch", "yield", "then")[number % 3]
        begun = time.monotonic()
        told = client.get(f"/fault/{way}", params={"kind": kind}).json()
        assert time.monotonic() - begun < patience(5), kind
        assert told == {"status": status, "code": code, "data": None}, kind
        assert client.get(f"/fault/{way}", params={"kind": "ok"}).json()["data"] == "ok"
        assert client.get("/fault/fetch", params={"kind": kind}).status_code == code
        assert client.get("/fault/fetch", params={"kind": "ok"}).text == "ok"
    wait_until(
        lambda: not any(n for path, n in faults.open.items() if not path.endswith("/ok")),
        "all connections that failed are closed",
    )


def test_longer_than_was_told(client: httpx.Client) -> None:
    for _ in range(3):
        told = client.get("/fault/dispatch", params={"kind": "longer"}).json()
        # The rest is seen with the answer, or after it; it is never a part of any answer.
        assert (told["status"], told["data"]) in [(NORMAL, "ok"), (NETERR, None)]
        assert client.get("/fault/dispatch", params={"kind": "ok"}).json()["data"] == "ok"


def test_a_server_that_restarts(client: httpx.Client, faults: Faults) -> None:
    def ask() -> int:
        status: int = client.get("/fault/dispatch", params={"kind": "ok"}).json()["status"]
        return status

    assert ask() == NORMAL
    faults.stop()
    try:
        assert ask() == NETERR
    finally:
        faults.start()
    assert ask() == NORMAL


@pytest.mark.unable("gunicorn", "WSGI does not tell that a client has left")
def test_a_client_that_leaves_takes_its_calls_along(
    server: Server, faults: Faults, name: str
) -> None:
    path = f"/faults/{name}/hang"
    with server.connect() as connection:
        connection.send(f"GET /wait?name={name} HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: faults.open[path] == 1, "the call has arrived")
    wait_until(lambda: faults.open[path] == 0, "the call was cancelled")


def test_nothing_is_left_behind(client: httpx.Client) -> None:
    client.get("/fault/many", params={"count": 5})
    before = _settled(client)
    told = client.get("/fault/many", params={"count": 30}).json()
    # 1,200 calls later, most of which failed.
    assert told["statuses"] == [REQFAIL, TIMEOUT, NETERR, NORMAL]
    after = _settled(client)
    assert after["files"] <= before["files"] + 2
    # Pools may grow, but not with each call.
    assert after["threads"] <= before["threads"] + 20
    assert after["tasks"] <= before["tasks"] + 1


def _settled(client: httpx.Client) -> dict[str, int]:
    """The counts, when they do not change any more."""
    last: dict[str, int] = client.get("/counts").json()
    same = 0
    while same < 5:
        time.sleep(0.1)
        now = client.get("/counts").json()
        same = same + 1 if now == last else 0
        last = now
    return last


def test_no_secret_is_logged(server: Server, client: httpx.Client) -> None:
    assert client.get("/raise").status_code == 500
    for kind in FAULTS:
        client.get("/fault/fetch", params={"kind": kind})
    wait_until(lambda: "as wanted" in server.log(), "the traceback is logged")
    log = server.log()
    for secret in ("hunter2", "sesame", "cm9iZXJ0Omh1bnRlcjI"):
        assert secret not in log
