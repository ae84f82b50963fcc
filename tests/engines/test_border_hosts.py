"""A request of HTTP/1.1 has exactly one Host (RFC 9112, section 3.2), on every engine."""

from __future__ import annotations

import pytest
from support.servers import Server

HIDDEN = b"GET /fails HTTP/1.1\r\nHost: x\r\n\r\n"
WRONG = {
    "none": [],
    "two": [b"Host: x", b"Host: y"],
    "the-same-twice": [b"Host: x", b"Host: x"],
    "in-two-cases": [b"Host: x", b"hOST: y"],
    "with-an-empty-one": [b"Host: x", b"Host:"],
}


def status(server: Server, sent: bytes) -> int:
    with server.connect() as connection:
        connection.send(sent)
        return connection.read().status


@pytest.mark.parametrize("method", [b"GET", b"POST"])
@pytest.mark.parametrize("target", [b"/text", b"/digest", b"/nothing-is-here"])
@pytest.mark.parametrize("lines", WRONG.values(), ids=WRONG.keys())
def test_no_host_or_two(server: Server, lines: list[bytes], target: bytes, method: bytes) -> None:
    body = [b"Content-Length: 1", b"", b"a"] if method == b"POST" else [b"", b""]
    sent = b"\r\n".join([method + b" " + target + b" HTTP/1.1", *lines, *body])
    assert status(server, sent) == 400
    assert server.get("/text").status == 200


def test_old_request_may_have_no_host(server: Server) -> None:
    assert status(server, b"GET /text HTTP/1.0\r\n\r\n") == 200
