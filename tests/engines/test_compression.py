"""Compressed answers over real connections."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest
from support.codings import READ
from support.servers import Server
from support.wire import Answer

from atila.http.codings import installed

SCRIPT = Path(__file__).with_name("apps") / "compressing.py"
WORDS = "".join(f"{number} bottles; " for number in range(2000))
LONG = WORDS * 40
BODIES = {
    "/def": WORDS,
    "/async": LONG,
    "/pieces": "".join(f"{number}{WORDS}" for number in range(3)),
    "/async-pieces": "".join(f"{number}{LONG}" for number in range(3)),
    "/file": LONG,
    "/static/long.txt": LONG,
}


def get(server: Server, target: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
    with server.connect() as connection:
        connection.ask(target, method, headers)
        return connection.read(method)


def asking(coding: str) -> tuple[str, str]:
    return "Accept-Encoding", coding


def test_all_codings_are_there() -> None:
    assert list(installed()) == ["zstd", "br", "gzip"]


@pytest.mark.parametrize("coding", READ)
def test_everything_is_compressed(server: Server, coding: str) -> None:
    with server.connect() as connection:
        for target, body in BODIES.items():
            answer = connection.get(target, [asking(coding)])
            assert answer.status == 200
            assert answer.header("content-encoding") == coding, target
            assert answer.header("vary") == "Accept-Encoding"
            assert answer.header("accept-ranges") is None
            assert len(answer.body) < len(body) / 3
            assert READ[coding](answer.body).decode() == body, target
            connection.ask(target, "HEAD", [asking(coding)])
            head = connection.read("HEAD")
            assert (head.status, head.body) == (200, b"")
            assert head.header("content-encoding") == coding, target
            assert head.header("vary") == "Accept-Encoding"
            assert head.header("content-length") in (None, str(len(answer.body)))
            as_it_is = connection.get(target)
            assert as_it_is.header("content-encoding") is None
            assert as_it_is.header("vary") == "Accept-Encoding"
            assert as_it_is.body.decode() == body


def test_what_stays_as_it_is(server: Server) -> None:
    for target in ("/", "/secret"):
        answer = get(server, target, asking("gzip"))
        assert answer.header("content-encoding") is None
        assert answer.header("vary") is None
    part = get(server, "/static/long.txt", asking("gzip"), ("Range", "bytes=5-9"))
    assert (part.status, part.body.decode()) == (206, LONG[5:10])
    assert part.header("content-encoding") is None


def test_entity_tags_become_weak_and_match(server: Server) -> None:
    strong = get(server, "/def").header("etag")
    weak = get(server, "/def", asking("br")).header("etag")
    assert strong is not None
    assert weak == f"W/{strong}"
    for tag in (strong, weak):
        same = get(server, "/def", asking("br"), ("If-None-Match", tag))
        assert (same.status, same.body) == (304, b"")
        assert same.header("etag") == tag
        assert same.header("vary") == "Accept-Encoding"


def test_a_client_that_takes_nothing_that_there_is(server: Server) -> None:
    refused = get(server, "/def", asking("compress, identity;q=0"))
    assert refused.status == 406
    assert "zstd, br, gzip" in refused.text


def test_each_event_can_be_read_when_it_arrives(server: Server) -> None:
    with server.connect() as connection:
        connection.send(
            "GET /events HTTP/1.1\r\nHost: a\r\nAccept-Encoding: zstd, gzip\r\n"
            "Connection: close\r\n\r\n"
        )
        head = connection.read_head()
        assert head.header("content-encoding") == "gzip"
        reader, text = zlib.decompressobj(31), b""
        while b"first\n\n" not in text:
            text += reader.decompress(connection.read_chunk())
        server.board.open("seen")
        while b"second\n\n" not in text:
            text += reader.decompress(connection.read_chunk())


def test_static_files_that_are_compressed_already(server: Server) -> None:
    found = get(server, "/static/app.js", asking("zstd;q=0.5, br, gzip;q=0.1"))
    assert found.body == b"a stand-in for br"
    assert found.header("content-encoding") == "br"
    assert found.header("content-type") == "text/javascript; charset=utf-8"
    assert found.header("content-length") == str(len(found.body))
    assert found.header("vary") == "Accept-Encoding"
    tag = found.header("etag")
    assert tag is not None
    assert tag != get(server, "/static/app.js").header("etag")
    assert not tag.startswith("W/")
    part = get(server, "/static/app.js", asking("br"), ("Range", "bytes=2-6"), ("If-Range", tag))
    assert (part.status, part.body) == (206, b"stand")
    assert part.header("content-encoding") == "br"
    same = get(server, "/static/app.js", asking("br"), ("If-None-Match", tag))
    assert same.status == 304
    head = get(server, "/static/app.js", asking("br"), method="HEAD")
    assert head.header("content-length") == str(len(found.body))
    # Older than the file: it is compressed anew.
    fresh = get(server, "/static/app.js", asking("gzip"))
    assert gzip.decompress(fresh.body).decode() == WORDS
