"""Validators, conditional requests and ranges over real connections."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest
from support.servers import Server

SCRIPT = Path(__file__).with_name("apps") / "files.py"
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT"


def test_etag(client: httpx.Client, server: Server) -> None:
    first = client.get("/tagged")
    assert (first.status_code, first.text) == (200, "0123456789")
    assert first.headers["cache-control"] == "max-age=3600"
    etag = first.headers["etag"]
    made = server.board.count("tagged-made")
    again = client.get("/tagged", headers={"if-none-match": f'"x", W/{etag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag
    assert again.headers["cache-control"] == "max-age=3600"
    assert "content-type" not in again.headers
    # The handler went no further than that.
    assert server.board.count("tagged-made") == made
    assert client.get("/tagged", headers={"if-none-match": '"x"'}).status_code == 200


def test_a_304_leaves_the_connection_in_order(server: Server) -> None:
    with server.connect() as connection:
        etag = connection.get("/tagged").header("etag") or ""
        for method in ("GET", "HEAD", "GET"):
            connection.ask("/tagged", method, [("If-None-Match", etag)])
            assert connection.read(method).status == 304
        assert connection.get("/tagged").body == b"0123456789"


def test_mtime(client: httpx.Client) -> None:
    first = client.get("/dated")
    assert first.headers["last-modified"] == DATE
    assert client.get("/dated", headers={"if-modified-since": DATE}).status_code == 304
    assert client.get("/dated", headers={"if-modified-since": EARLIER}).status_code == 200
    assert client.get("/dated", headers={"if-unmodified-since": EARLIER}).status_code == 412


def test_a_lost_update_is_refused(client: httpx.Client, server: Server) -> None:
    made = server.board.count("versioned-put")
    assert client.put("/versioned", headers={"if-match": '"other"'}).status_code == 412
    assert client.put("/versioned", headers={"if-none-match": "*"}).status_code == 412
    assert server.board.count("versioned-put") == made
    etag = client.get("/tagged").headers["etag"]
    assert client.put("/versioned", headers={"if-match": etag}).text == "put"


def test_max_age_by_version(server: Server) -> None:
    assert server.get("/aged").header("cache-control") == "max-age=3600"
    if server.engine == "hypercorn":
        return  # It takes HTTP/1.0 for 1.1.
    with server.connect() as connection:
        connection.send("GET /aged HTTP/1.0\r\n\r\n")
        answer = connection.read()
    assert answer.header("cache-control") is None
    at = parsedate_to_datetime(answer.header("expires") or "").timestamp()
    assert abs(at - time.time() - 3600) < 30


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        ("bytes=2-4", 206, b"234"),
        ("bytes=-1", 206, b"9"),
        ("bytes=0-1,2-3", 206, b"0123"),
        ("bytes=0-0,5-6", 200, b"0123456789"),
        ("bytes=5-2", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
        ("bytes=10-", 416, None),
        ("bytes=" + "0-0," * 500 + "0-0", 200, b"0123456789"),
    ],
)
def test_ranges_of_a_text(
    client: httpx.Client, asked: str, status: int, body: bytes | None
) -> None:
    answer = client.get("/tagged", headers={"range": asked})
    assert answer.status_code == status
    if body is not None:
        assert answer.content == body
    if status == 416:
        assert answer.headers["content-range"] == "bytes */10"


def test_if_range(client: httpx.Client) -> None:
    etag = client.get("/tagged").headers["etag"]
    same = client.get("/tagged", headers={"range": "bytes=0-0", "if-range": etag})
    other = client.get("/tagged", headers={"range": "bytes=0-0", "if-range": '"other"'})
    assert (same.status_code, same.text) == (206, "0")
    assert (other.status_code, other.text) == (200, "0123456789")
