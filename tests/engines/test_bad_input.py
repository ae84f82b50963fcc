"""Requests that are wrong: each gets a clear answer, and the server goes on.

A row names the statuses that are right. Where there is more than one, servers draw the line
between "malformed" and "not for me" in different places; 0 means that the connection ends without
an answer, which a server may do where it cannot trust a byte of what it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from support.servers import Server
from support.wire import Answer, Broken, Connection

LIMIT = 1_000_000
"""MAX_UPLOAD_SIZE of the app."""


def ask(connection: Connection) -> tuple[int, Answer | None]:
    """Status of the answer, 0 if there is none."""
    try:
        answer = connection.read()
    except Broken:
        return 0, None
    return answer.status, answer


def rest_of(connection: Connection) -> bytes:
    """All that comes when the client tells that it sends no more."""
    try:
        connection.end_sending()
    except OSError:
        pass  # The server has closed already.
    return connection.read_to_end()


@dataclass
class Case:
    """A request.

    Attributes:
        sent: all of it; nothing more follows.
        right: the statuses that may come back.
        also: more of these on an engine, for a reason that is written beside it.
        ends: whether the client also tells that it sends no more.
    """

    sent: str | bytes
    right: tuple[int, ...] = (400,)
    also: dict[str, tuple[int, ...]] = field(default_factory=dict)
    ends: bool = False


def head(*lines: str, method: str = "GET", target: str = "/digest") -> str:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *lines, "", ""])


def post(*lines: str, body: str = "") -> str:
    return head(*lines, method="POST") + body


CHUNKED = "Transfer-Encoding: chunked"

MALFORMED = {
    # The parser of uvicorn takes it for HTTP/0.9, and closes the connection after its answer.
    "no-version": Case("GET /text\r\nHost: x\r\n\r\n", also={"uvicorn": (200,)}),
    "not-http": Case(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", (400, 0)),
    # The parser of hypercorn takes all versions for 1.1.
    "unknown-version": Case(
        "GET /text HTTP/9.9\r\nHost: x\r\n\r\n", (400, 505), also={"hypercorn": (200,)}
    ),
    "space-in-target": Case("GET /te xt HTTP/1.1\r\nHost: x\r\n\r\n"),
    "empty-method": Case(" /text HTTP/1.1\r\nHost: x\r\n\r\n"),
    "header-without-colon": Case(head("this is no header")),
    "header-without-name": Case(head(": value")),
    "space-before-colon": Case(head("X-One : 1")),
    "space-in-name": Case(head("X One: 1")),
    "nul-in-header": Case(head("X-One: a\0b")),
    "bare-carriage-return": Case(head("X-One: a\rX-Two: b")),
    "length-not-a-number": Case(post("Content-Length: three", body="abc")),
    "length-negative": Case(post("Content-Length: -3", body="abc")),
    "length-signed": Case(post("Content-Length: +3", body="abc")),
    "length-hexadecimal": Case(post("Content-Length: 0x3", body="abc")),
    "length-huge": Case(post("Content-Length: " + "9" * 30, body="abc"), (400, 413)),
    "lengths-differ": Case(post("Content-Length: 3", "Content-Length: 4", body="abcd")),
    "lengths-differ-in-one": Case(post("Content-Length: 3, 4", body="abcd")),
    "chunk-size-not-hexadecimal": Case(post(CHUNKED, body="xyz\r\nabc\r\n0\r\n\r\n")),
    "chunk-size-negative": Case(post(CHUNKED, body="-3\r\nabc\r\n0\r\n\r\n")),
    # 0: hypercorn closed while we were sending, and a reset took its answer away.
    "chunk-size-huge": Case(
        post(CHUNKED, body="f" * 20 + "\r\nabc\r\n0\r\n\r\n"),
        (400, 413),
        also={"hypercorn": (0,)},
        ends=True,
    ),
    "chunk-longer-than-said": Case(post(CHUNKED, body="3\r\nabcdef\r\n0\r\n\r\n")),
    "unknown-transfer-encoding": Case(post("Transfer-Encoding: zipped", body="abc"), (400, 501)),
}
"""Nothing of these may reach a handler, nor may what follows count as another request."""


@pytest.mark.parametrize("case", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_request_is_refused(server: Server, case: Case) -> None:
    with server.connect() as connection:
        connection.send(case.sent)
        if case.ends:
            connection.end_sending()
        status, answer = ask(connection)
        assert status in (*case.right, *case.also.get(server.engine, ())), answer
        if status != 200:
            assert b"HTTP/" not in rest_of(connection)
    assert server.get("/text").status == 200


@pytest.mark.parametrize("size", [100_000, 1_000_000])
@pytest.mark.parametrize("kind", ["one", "many", "target"])
def test_head_that_is_too_large_is_refused(server: Server, kind: str, size: int) -> None:
    sent = {
        "one": head("X-Large: " + "x" * size),
        "many": head(*(f"X-{number}: {'x' * 80}" for number in range(size // 90))),
        "target": head(target="/text?" + "x" * size),
    }[kind]
    with server.connect() as connection:
        try:
            connection.send(sent)
        except OSError:
            # Refused while it was still coming.
            return
        status, answer = ask(connection)
    # 0: the refusal was lost in a reset, as the rest of the head was never read.
    right = {400, 413, 414, 431, 0}
    if size == 100_000 and server.engine == "granian":
        right.add(200)  # granian takes about 400 kB
    if server.engine == "uvicorn" and kind != "target":
        right.add(200)  # uvicorn has a limit only with its option --http h11
    assert status in right, answer
    assert server.get("/text").status == 200


def test_both_length_and_chunks(server: Server) -> None:
    """RFC 9112, section 6.1: refuse it, or go by the chunks and close the connection after it."""
    smuggled = "GET /fails HTTP/1.1\r\nHost: x\r\n\r\n"
    with server.connect() as connection:
        connection.send(post("Content-Length: 5", CHUNKED, body=f"0\r\n\r\n{smuggled}"))
        status, answer = ask(connection)
        assert status in (200, 400), answer
        if status == 200:
            assert answer is not None
            assert '"length": 0' in answer.text
        # hypercorn goes by the chunks, but does not close the connection.
        if server.engine != "hypercorn":
            assert b"HTTP/" not in rest_of(connection)
    assert server.get("/text").status == 200


@pytest.mark.parametrize(
    "value", ["chunked, identity", "identity, chunked", "xchunked", "\x0bchunked"]
)
def test_obscured_chunks_are_not_taken_for_no_body(server: Server, value: str) -> None:
    smuggled = "GET /fails HTTP/1.1\r\nHost: x\r\n\r\n"
    with server.connect() as connection:
        connection.send(post(f"Transfer-Encoding: {value}", body=f"0\r\n\r\n{smuggled}"))
        connection.end_sending()
        rest = connection.read_to_end()
    # "0" is a body that ended, or the request is refused; in no case is it a body of length 0
    # followed by a request "0".
    assert rest == b"" or rest[9:12] in (b"200", b"400", b"501"), rest


@pytest.mark.parametrize("how", ["half-closed", "closed"])
@pytest.mark.parametrize("kind", ["length", "chunked", "in-a-chunk"])
def test_body_cut_short_reaches_no_handler(server: Server, name: str, how: str, kind: str) -> None:
    sent = {
        "length": "Content-Length: 10\r\n\r\nabc",
        "chunked": f"{CHUNKED}\r\n\r\n3\r\nabc\r\n",
        "in-a-chunk": f"{CHUNKED}\r\n\r\nff\r\nabc",
    }[kind]
    with server.connect() as connection:
        connection.send(f"POST /notes-body?name={name} HTTP/1.1\r\nHost: x\r\n{sent}")
        if how == "half-closed":
            connection.end_sending()
            status, answer = ask(connection)
            assert status in (400, 0), answer
    assert server.get("/text").status == 200
    assert server.board.count(name) == 0


def test_body_that_says_it_is_too_long_is_not_read(server: Server) -> None:
    with server.connect() as connection:
        connection.ask("/digest", "POST", [("Content-Length", str(10 * LIMIT))])
        status, answer = ask(connection)
        assert status == 413
        assert answer is not None
        assert answer.header("content-type") == "application/json"
    assert server.get("/text").status == 200


def test_body_that_says_it_is_too_long_but_is_sent(server: Server) -> None:
    with server.connect() as connection:
        connection.ask("/digest", "POST", [("Content-Length", str(2 * LIMIT))])
        try:
            connection.send(b"x" * 2 * LIMIT)
        except OSError:
            pass
        # 0: the server closed while we were sending, and a reset took its answer away.
        assert ask(connection)[0] in (413, 0)
    assert server.get("/text").status == 200


def test_chunked_body_that_becomes_too_long(server: Server) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with server.connect() as connection:
        connection.ask("/digest", "POST", [("Transfer-Encoding", "chunked")])
        try:
            for _ in range(LIMIT // 65536 + 2):
                connection.send(chunk)
        except OSError:
            pass
        assert ask(connection)[0] in (413, 0)
    assert server.get("/text").status == 200


def test_chunked_body_without_end(server: Server) -> None:
    """The answer does not wait for the end: the rest is thrown away, or no longer taken."""
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with server.connect() as connection:
        connection.ask("/digest", "POST", [("Transfer-Encoding", "chunked")])
        connection.socket.settimeout(3)
        try:
            for _ in range(64 * LIMIT // 65536):
                connection.send(chunk)
        except OSError:
            pass
        assert ask(connection)[0] in (413, 0)
    assert server.get("/text").status == 200


TARGETS = {
    "percent-alone": (b"/names/%", (200, 400, 404)),
    "percent-not-hexadecimal": (b"/names/%zz", (200, 400, 404)),
    "path-not-utf8": (b"/names/%ff%fe", (200, 400, 404)),
    "nul-in-path": (b"/names/a%00b", (200, 400, 404)),
    "raw-nul": (b"/names/a\0b", (400, 0)),
    "query-not-utf8": (b"/add?a=%ff", (400,)),
    "query-raw-bytes": (b"/add?a=\xff\xfe", (400,)),
    "line-break-in-query": (b"/names/x?a=%0d%0aX-Evil:1", (200, 400)),
    "dots": (b"/../../names/x", (400, 404)),
    "encoded-dots": (b"/%2e%2e/%2e%2e/etc/passwd", (400, 404)),
    "double-slash": (b"//names/x", (400, 404)),
    "fragment": (b"/text#part", (200, 400, 404)),
    "star": (b"*", (400, 404, 405, 501)),
    "no-slash": (b"text", (400, 404)),
    "many-slashes": (b"/" * 5000, (400, 404, 414)),
}
"""Of a path it is for each server to say what it cannot decode; 200 means that the handler got it
with replacement characters or as it was. What never may come is a 500, or no answer."""


@pytest.mark.parametrize(("target", "right"), TARGETS.values(), ids=TARGETS.keys())
def test_odd_target(server: Server, target: bytes, right: tuple[int, ...]) -> None:
    with server.connect() as connection:
        connection.send(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        status, answer = ask(connection)
        assert status in right, answer
        assert answer is None or not answer.all("x-evil")
    assert server.get("/text").status == 200


def test_absolute_target(server: Server) -> None:
    """RFC 9112, section 3.2.2: a server must take it."""
    with server.connect() as connection:
        connection.send(b"GET http://x/text HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = connection.read()
    assert answer.status == 200


FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
BODIES = {
    "json-malformed": (JSON, b'{"a": 1,}', 400),
    "json-empty-object-lacks-it": (JSON, b"{}", 400),
    "json-not-utf8": (JSON, b'{"a": "\xff"}', 400),
    "json-utf16": (f"{JSON}; charset=utf-16", '{"a": 1}'.encode("utf-16"), 400),
    "json-deep": (JSON, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    "json-cut": (JSON, b'{"a": [1, 2', 400),
    "json-nan": (JSON, b'{"a": NaN}', 400),
    "json-lone-surrogate": (JSON, b'{"a": "\\ud800"}', 400),
    "form-not-utf8": (FORM, b"a=%ff", 400),
    "form-raw-latin-1": (f"{FORM}; charset=iso-8859-1", b"a=\xfc", 400),
    "form-too-many-fields": (FORM, b"&".join(b"f%d=1" % n for n in range(101)), 400),
}


@pytest.mark.parametrize(("kind", "body", "right"), BODIES.values(), ids=BODIES.keys())
def test_wrong_body(server: Server, kind: str, body: bytes, right: int) -> None:
    with server.connect() as connection:
        connection.ask("/add", "POST", [("Content-Type", kind)], body)
        status, answer = ask(connection)
        assert status == right
        assert answer is not None
        assert b'"detail":"' in answer.body
        # The body was taken whole: the connection goes on.
        assert connection.get("/text").status == 200


def test_too_many_fields_in_the_query(server: Server) -> None:
    query = "&".join(f"f{number}=1" for number in range(101))
    with server.connect() as connection:
        answer = connection.get(f"/echo?{query}")
        assert answer.status == 400
        assert "100 fields" in answer.text


@pytest.mark.unable("gunicorn", "a thread of the server waits for each request that has begun")
def test_silent_clients_disturb_nobody(server: Server) -> None:
    """Connections on which nothing, or not a whole head, ever comes."""
    silent = [server.connect() for _ in range(50)]
    try:
        for number, connection in enumerate(silent):
            connection.send(["", "GET /te", "GET /text HTTP/1.1\r\nHost:"][number % 3])
        for _ in range(20):
            assert server.get("/text").status == 200
    finally:
        for connection in silent:
            connection.close()
