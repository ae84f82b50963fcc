"""Requests that a proxy and a server may read differently: each is refused, and nothing after it
on the connection counts as a request.
"""

from __future__ import annotations

import pytest
from support.servers import Server

engines = ("skitai",)

CHUNKED_BODY = b"0\r\n\r\n"
HIDDEN = b"GET /fails HTTP/1.1\r\nHost: x\r\n\r\n"


def statuses(server: Server, sent: bytes) -> list[bytes]:
    """The statuses of all answers to what is sent, after which the client sends no more."""
    with server.connect() as connection:
        try:
            connection.send(sent)
            connection.end_sending()
        except OSError:
            pass  # The server has closed already.
        answers = connection.read_to_end()
    assert server.get("/text").status == 200
    return [part[2:5] for part in answers.split(b"HTTP/1.")[1:]]


def post(*lines: bytes, body: bytes = b"") -> bytes:
    head = [b"POST /digest HTTP/1.1", b"Host: x", *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def get(*lines: bytes, method: bytes = b"GET") -> bytes:
    return b"\r\n".join([method + b" /text HTTP/1.1", *lines]) + b"\r\n\r\n"


HOST = b"Host: x"
HANDSHAKE = [
    b"Connection: Upgrade",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]
ODD = [bytes([number]) for number in (*range(1, 9), 11, 12, *range(14, 32), 127)]
"""The control characters but for NUL, HTAB, CR and LF."""
BEYOND = {"nbsp": "\xa0", "nel": "\x85", "line-separator": "\u2028", "ideographic": "\u3000"}
"""White space to Python alone."""


@pytest.mark.parametrize("character", ODD, ids=lambda value: value.hex())
def test_control_character_is_refused(server: Server, character: bytes) -> None:
    for value in (b"a" + character + b"b", character + b"a", b"a" + character):
        assert statuses(server, get(HOST, b"X-One: " + value) + HIDDEN) == [b"400"]
    sent = post(b"Transfer-Encoding: " + character + b"chunked", body=CHUNKED_BODY)
    assert statuses(server, sent + HIDDEN) == [b"400"]
    sent = post(b"Content-Length: 1" + character, body=b"a")
    assert statuses(server, sent + HIDDEN) == [b"400"]


@pytest.mark.parametrize("character", BEYOND.values(), ids=BEYOND.keys())
def test_white_space_of_python_is_no_white_space_of_http(server: Server, character: str) -> None:
    odd = character.encode()
    sent = post(b"Transfer-Encoding: " + odd + b"chunked", body=CHUNKED_BODY)
    assert statuses(server, sent + HIDDEN) in ([b"400"], [b"501"])
    sent = post(b"Content-Length: 1" + odd, body=b"a")
    assert statuses(server, sent + HIDDEN) == [b"400"]
    sent = post(b"Content-Length: 1," + odd + b"1", body=b"a")
    assert statuses(server, sent + HIDDEN) == [b"400"]


def test_lower_case_is_that_of_ascii(server: Server) -> None:
    """The sign of the kelvin, U+212A, is a k in lower case."""
    sent = post("Transfer-Encoding: chun\u212aed".encode(), body=CHUNKED_BODY)
    assert statuses(server, sent + HIDDEN) == [b"501"]
    with server.connect() as connection:
        connection.send(get(HOST, *HANDSHAKE, "Upgrade: websoc\u212aet".encode()))
        assert connection.read().status == 200


FOLDED = {
    "length": (b"Content-Length: 1", b"2"),
    "coding": (b"Transfer-Encoding:", b"chunked"),
    "host": (b"X-One: 1", b"Host: y"),
    "other": (b"X-One: 1", b"2"),
    "blank": (b"X-One: 1", b""),
}


@pytest.mark.parametrize("white", [b" ", b"\t", b"  "], ids=["space", "tab", "spaces"])
@pytest.mark.parametrize("lines", FOLDED.values(), ids=FOLDED.keys())
def test_folded_header_is_refused(server: Server, lines: tuple[bytes, bytes], white: bytes) -> None:
    first, second = lines
    sent = post(first, white + second, body=b"a" * 12)
    assert statuses(server, sent + HIDDEN) == [b"400"]


def test_folded_first_line_is_refused(server: Server) -> None:
    assert statuses(server, get(b" X-One: 1", HOST) + HIDDEN) == [b"400"]


@pytest.mark.parametrize("method", [b"get", b"Get", b"gET", b"post", b"pri"])
def test_method_in_lower_case_is_refused(server: Server, method: bytes) -> None:
    assert statuses(server, get(HOST, method=method) + HIDDEN) == [b"400"]


@pytest.mark.parametrize(
    "value", [b"h2c", b"H2C", b"h2c, websocket", b"websocket,h2c", b"websocket\r\nUpgrade: h2c"]
)
def test_upgrade_to_http2_is_refused(server: Server, value: bytes) -> None:
    lines = [b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABkAAQAAP__"]
    sent = get(HOST, *lines, b"Upgrade: " + value)
    assert statuses(server, sent + HIDDEN) == [b"400"]


def test_what_only_looks_like_it_is_served(server: Server) -> None:
    lines = [b"X-One:\ta \tb\t", b"X-Two:", b"X-Three: h2c", "X-Four: zw\u00f6lf".encode()]
    body = b"1\r\na\r\n0\r\nX-One: 1\r\n\r\n"
    with server.connect() as connection:
        connection.send(get(HOST, *lines))
        assert connection.read().status == 200
        connection.send(post(b"Transfer-Encoding:\tchunked \t", body=body) + get(HOST))
        assert connection.read().status == 200
        assert connection.read().status == 200


TAILS = {
    "extension": b"1;a=\x0b\r\na\r\n0\r\n\r\n",
    "extension-of-the-last": b"0;\r\x0b\r\n\r\n",
    "trailer-folded": b"0\r\nX-One: 1\r\n 2\r\n\r\n",
    "trailer-without-colon": b"0\r\nX-One\r\n\r\n",
    "trailer-with-carriage-return": b"0\r\nX-One: a\rb\r\n\r\n",
    "trailer-space-before-colon": b"0\r\nX-One : a\r\n\r\n",
    "trailer-is-a-request": b"0\r\nGET / HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("body", TAILS.values(), ids=TAILS.keys())
def test_malformed_end_of_chunks_is_refused(server: Server, body: bytes) -> None:
    assert statuses(server, post(b"Transfer-Encoding: chunked", body=body) + HIDDEN) == [b"400"]
