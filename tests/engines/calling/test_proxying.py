"""`was.ProxyPass` over real connections on both sides."""

from __future__ import annotations

import contextlib
import gzip
import time
from pathlib import Path

import httpx
from support.faults import Faults
from support.servers import USUAL, Server
from support.wire import Broken, Connection

from atila.testing.waits import patience, wait_until

engines = USUAL

UPSTREAM = Path(__file__).parents[1] / "apps" / "upstream.py"


def test_what_is_asked_and_answered(client: httpx.Client) -> None:
    headers = {"X-A": "1", "Connection": "keep-alive, X-Hop", "X-Hop": "1", "X-Request-Id": "id-1"}
    for way in ("proxy", "streamed"):
        answer = client.get(f"/{way}/told?a=1&b=%2F", headers=headers)
        assert answer.status_code == 200
        told = answer.json()
        assert (told["path"], told["query"]) == ("/told", "a=1&b=%2F")
        assert told["headers"]["x-a"] == "1"
        assert told["headers"]["x-request-id"] == "id-1"
        assert told["headers"]["x-forwarded-for"] == "127.0.0.1"
        assert told["headers"]["x-forwarded-proto"] == "http"
        assert "x-hop" not in told["headers"]
        names = [name for name, _ in answer.headers.multi_items()]
        for name in ("date", "content-length", "content-type", "server"):
            assert names.count(name) <= 1, name


def test_bodies_both_ways(client: httpx.Client) -> None:
    body = bytes(range(256)) * 4096 * 8
    for way in ("proxy", "streamed"):
        answer = client.post(f"/{way}/echo", content=body, headers={"content-type": "a/b"})
        assert answer.headers["content-type"] == "a/b"
        assert answer.content == body
    pieces = (body[at : at + 100_000] for at in range(0, len(body), 100_000))
    assert client.post("/streamed/echo", content=pieces).content == body


def test_coded_bodies_stay_as_they_are(server: Server, client: httpx.Client) -> None:
    packed = gzip.compress(b"hello" * 100)
    answer = client.post("/proxy/echo", content=packed, headers={"content-type": "a/b"})
    assert answer.content == packed
    with server.connect() as connection:
        got = connection.get("/proxy/file", [("Accept-Encoding", "gzip")])
    assert got.complete
    assert got.body == UPSTREAM.read_bytes()


def test_head_ranges_and_conditions(server: Server, client: httpx.Client) -> None:
    source = UPSTREAM.read_bytes()
    whole = client.get("/proxy/file")
    assert whole.content == source
    assert whole.headers["cache-control"] == "max-age=7"
    with server.connect() as connection:
        connection.ask("/proxy/file", "HEAD")
        head = connection.read("HEAD")
        assert (head.status, head.header("content-length")) == (200, str(len(source)))
        # The connection is still in step.
        assert connection.get("/").text == "ready"
    part = client.get("/proxy/file", headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, source[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(source)}"
    known = {"If-Modified-Since": whole.headers["last-modified"]}
    with server.connect() as connection:
        unchanged = connection.get("/proxy/file", list(known.items()))
        assert (unchanged.status, unchanged.body) == (304, b"")
        assert connection.get("/").text == "ready"
    assert client.get("/proxy/no-such").status_code == 404


def test_no_way_out(server: Server) -> None:
    for path in ("%2e%2e/x", "a/..%2f..%2fx", "..%5cx", "a%00b"):
        assert server.get(f"/proxy/{path}").status == 400, path


def test_faults(client: httpx.Client, server: Server, faults: Faults) -> None:
    begun = time.monotonic()
    for kind, code in {
        "refused": 502,
        "reset": 502,
        "garbage": 502,
        "headers": 502,
        "hang": 504,
    }.items():
        assert client.get(f"/slow/{kind}").status_code == code, kind
        assert client.get("/slow/ok").text == "ok"
    assert time.monotonic() - begun < patience(10)
    wait_until(lambda: faults.open["/hang"] == 0, "what hangs is given up")


def test_an_answer_that_breaks_off_is_seen_to(server: Server) -> None:
    for kind in ("half", "half-chunk", "hang-body"):
        with server.connect() as connection:
            connection.ask(f"/slow/{kind}")
            try:
                assert not connection.read().complete, kind
            except Broken:
                # Some servers have not even sent the head by then.
                pass
        assert server.get("/slow/ok").text == "ok"


def test_nothing_is_left_behind(server: Server, client: httpx.Client) -> None:
    def many(rounds: int) -> None:
        for _ in range(rounds):
            for kind in ("ok", "reset", "garbage", "missing", "half"):
                with server.connect() as connection, contextlib.suppress(Broken):
                    connection.ask(f"/slow/{kind}")
                    if kind != "ok":
                        connection.read()
                    # Else it leaves before the answer.

    def counted() -> dict[str, int]:
        counts: dict[str, int] = client.get("/counts").json()
        return counts

    many(2)
    before = counted()
    many(25)
    wait_until(lambda: counted()["tasks"] <= before["tasks"] + 1, "no task is left")
    wait_until(lambda: counted()["files"] <= before["files"] + 4, "no connection is left")
    # Pools may grow, but not with each request.
    assert counted()["threads"] <= before["threads"] + 20


def test_a_slow_client_slows_the_server(server: Server, faults: Faults) -> None:
    with server.connect(receive_buffer=65536) as connection:
        before = faults.moved["/endless"]
        connection.ask("/patient/endless")
        moved = _stalled(faults, "/endless")
        assert 0 < moved - before < 60_000_000
    wait_until(lambda: faults.open["/endless"] == 0, "the server is left with the client")


def test_a_slow_server_slows_the_client(server: Server, faults: Faults) -> None:
    before = faults.seen["/sink"]
    with server.connect() as connection:
        head = "POST /slow/sink HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"
        connection.send(head + "x" * 200_000)
        wait_until(lambda: faults.seen["/sink"] > before, "the request has arrived")
        sent = _sent_until_it_stalls(connection)
        assert 0 < sent < 60_000_000
        # The server takes nothing, so it is given up.
        wait_until(lambda: faults.open["/sink"] == 0, "the server is given up")
    assert server.get("/slow/ok").text == "ok"


def _sent_until_it_stalls(connection: Connection) -> int:
    connection.socket.setblocking(False)
    sent, since = 0, time.monotonic()
    while time.monotonic() - since < 0.2:
        try:
            sent += connection.socket.send(b"x" * 65536)
            since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.005)
        except ConnectionError:
            break
    return sent


def _stalled(faults: Faults, path: str) -> int:
    """Bytes that were moved when no more are."""
    count, since = -1, time.monotonic()
    while time.monotonic() - since < 0.5:
        if (now := faults.moved[path]) != count:
            count, since = now, time.monotonic()
        time.sleep(0.005)
    return count
