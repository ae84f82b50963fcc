"""What engines make of requests, each called with any bytes: the framing of bodies on Skitai, and
the interfaces by which all other servers call us.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import h11

from atila import Atila
from atila.errors import HTTPError
from atila.http.fields import decoded
from atila.skitai.channel import check_head
from atila.skitai.framing import body_reader

_CHUNK_WITH_BLANKS = re.compile(rb"[ \t];")
"""RFC 9112, section 7.1.1, allows blanks before an extension; h11 does not."""
_OWN = re.compile(rb"[0-9a-f]{32}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
"""The id of a request and its time, which error answers show."""
_SERVER_S = {"date", "x-request-id"}
_LINE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD")
PATHS = ("/echo", "/typed", "/names/", "/numbers/", "/below/", "")
HEADERS = (
    *("content-type", "cookie", "accept", "range", "if-none-match", "if-modified-since", "origin"),
    *("authorization", "forwarded", "x-forwarded-for", "accept-language", "x-request-id"),
    *("traceparent", "access-control-request-method", "accept-encoding", "if-match", "referer"),
)


def body(data: bytes) -> None:
    """A body on Skitai ends where it does to another parser, however it is cut."""
    lines, _, sent = data.partition(b"\r\n\r\n")
    head = b"POST / HTTP/1.1\r\nHost: a\r\n" + lines
    if check_head(head):
        return
    whole = _framed(lines, [sent])
    assert _framed(lines, [sent[at : at + 1] for at in range(len(sent))]) == whole
    if whole is None or _CHUNK_WITH_BLANKS.search(sent):
        return
    other = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    other.receive_data(head + b"\r\n\r\n" + sent)
    found, rest, fault = b"", None, ""
    try:
        while not isinstance(event := other.next_event(), type(h11.NEED_DATA)):
            if isinstance(event, h11.Data):
                found += event.data
            elif isinstance(event, h11.EndOfMessage):
                rest = other.trailing_data[0]
                break
    except h11.RemoteProtocolError as error:
        fault = str(error)
    if not fault:
        assert (found, rest) == whole, data
    elif not any(name in fault for name in ("Transfer-Encoding", "Content-Length")):
        # It sees a line that is wrong before its end has come; what it says of those two is about
        # trailers, which we drop.
        assert whole[1] is None, (data, fault)


def _framed(lines: bytes, pieces: Iterable[bytes]) -> tuple[bytes, bytes | None] | None:
    """The body, and what is after it (None if it goes on); None if it is refused."""
    pairs = [decoded(line).partition(":")[::2] for line in lines.split(b"\r\n")]
    named = [(name.lower(), value) for name, value in pairs]
    lengths = [value for name, value in named if name == "content-length"]
    codings = [value for name, value in named if name == "transfer-encoding"]
    found: list[bytes] = []
    rest: bytes | None = None
    try:
        reader = body_reader("1.1", lengths, codings)
        for piece in pieces:
            if reader is None or rest is not None:
                rest = (rest or b"") + piece
            else:
                part, rest = reader.feed(piece)
                found.append(part)
    except HTTPError:
        return None
    return b"".join(found), b"" if reader is None and rest is None else rest


def interfaces(data: bytes) -> None:
    """A request by ASGI is answered as by WSGI, whatever is in it, and not by 500."""
    head, _, sent = data.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    method = METHODS[first[0] % len(METHODS)] if first else "GET"
    target = PATHS[first[1] % len(PATHS)].encode() + first[2:] if len(first) > 1 else b"/"
    # A server refuses what else a line may have in it; test_bad_input and test_border_* say so.
    headers = {
        HEADERS[line[0] % len(HEADERS)]: line[1:].strip(b" \t")
        for line in lines
        if line and _LINE.fullmatch(line[1:])
    }
    target = re.sub(rb"[^\x21-\x7e]|#", b"", target)
    path, _, query = (target if target.startswith(b"/") else b"/" + target).partition(b"?")
    if sent:
        headers["content-length"] = b"%d" % len(sent)
    one = _by_asgi(method, path, query, headers, sent)
    other = _by_wsgi(method, path, query, headers, sent)
    assert one[0] < 500, (method, path, query, headers, sent, one)
    assert one == other, (method, path, query, headers, sent)


Answer = tuple[int, list[tuple[str, str]], bytes]


def _alike(status: int, headers: Iterable[tuple[bytes, bytes]], content: bytes) -> Answer:
    pairs = [(name.decode().lower(), value.decode("latin-1")) for name, value in headers]
    kept = sorted(pair for pair in pairs if pair[0] not in _SERVER_S)
    return status, kept, _OWN.sub(b"OWN", content)


def _by_asgi(
    method: str, path: bytes, query: bytes, headers: dict[str, bytes], sent: bytes
) -> Answer:
    loop, app, _ = _served()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path.decode()),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"a"), *((name.encode(), headers[name]) for name in headers)],
        "client": ("127.0.0.1", 1),
        "server": ("a", 80),
    }
    messages = [{"type": "http.request", "body": sent, "more_body": False}]
    answered: list[Any] = []

    async def receive() -> Any:
        if not messages:
            await asyncio.get_running_loop().create_future()
        return messages.pop()

    async def send(message: Any) -> None:
        answered.append(message)

    loop.run_until_complete(app(scope, receive, send))
    start, *rest = answered
    content = b"".join(message.get("body", b"") for message in rest)
    return _alike(start["status"], start["headers"], content)


def _by_wsgi(
    method: str, path: bytes, query: bytes, headers: dict[str, bytes], sent: bytes
) -> Answer:
    _, _, app = _served()
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "RAW_URI": (path + (b"?" + query if query else b"")).decode(),
        "QUERY_STRING": query.decode(),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "a",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "1",
        "HTTP_HOST": "a",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(sent),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        own = key in ("CONTENT_TYPE", "CONTENT_LENGTH")
        environ[key if own else f"HTTP_{key}"] = value.decode("latin-1")
    started: list[Any] = []

    def start_response(status: str, pairs: list[tuple[str, str]], *rest: object) -> None:
        started[:] = [int(status.split()[0]), pairs]

    answer = app(environ, start_response)
    try:
        content = b"".join(answer)
    finally:
        getattr(answer, "close", bool)()
    status, pairs = started
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    return _alike(status, encoded, content)


def _app() -> Atila:
    app = Atila(__name__, layers=dict.fromkeys(("auth", "tasks", "ws")))
    app.access_control_allow_origin = ["https://a.org"]
    app.access_control_max_age = 60

    @app.route("/echo", methods=["GET", "POST", "PUT"])
    async def echo(was: Any, **fields: Any) -> Any:
        cookies, accept = dict(was.request.cookie.items()), was.request.get_header("accept")
        given = {name: value for name, value in fields.items() if isinstance(value, str)}
        return was.API(
            fields=given, cookies=cookies, accept=accept, client=was.request.get_remote_addr()
        )

    @app.route("/typed", methods=["GET", "POST"])
    async def typed(was: Any, a: int, b: list[float] | None = None, c: bool = False) -> Any:
        return was.API(a=a, b=b, c=c)

    @app.route("/names/<name>")
    async def names(was: Any, name: str) -> Any:
        return was.API(name=name, path=was.request.path)

    @app.route("/numbers/<int:number>")
    async def numbers(was: Any, number: int) -> Any:
        return was.API(number=number)

    @app.route("/below/<path:path>")
    async def below(was: Any, path: str) -> Any:
        return was.API(path=path)

    return app


@cache
def _served() -> tuple[asyncio.AbstractEventLoop, Any, Any]:
    """The loop of an ASGI server, and two apps that are the same."""
    return asyncio.new_event_loop(), _app(), _app()


TARGETS: dict[str, Callable[[bytes], None]] = {"body": body, "interfaces": interfaces}
WORDS: dict[str, list[bytes]] = {
    "body": [
        *(b"Content-Length: ", b"Transfer-Encoding: chunked", b"5", b"0", b"\r\n", b"\r\n\r\n"),
        *(b"5\r\nabcde\r\n", b"0\r\n\r\n", b"0\r\n", b"A: b\r\n", b"1;a=b\r\nx\r\n", b"\n", b"\r"),
        *(b"a", b";", b" ", b"\t", b",", b"+", b"-", b"0x", b"f", b"chunked", b"identity", b"_"),
        *(b"ffffffffffffffff", b"\xb2", b"\xe2\x84\xaa", b"Content-Length: 3\r\n", b":", b"\0"),
    ],
    "interfaces": [
        *(bytes([number]) for number in range(len(HEADERS))),
        *(b"\n", b"\n\n", b"?", b"&", b"=", b"a=1", b"b=2", b"c=true", b"%zz", b"%00", b"%2F"),
        *(b"%2e%2e", b"//", b"/", b";", b"+", b"%C3%BC", b"%FF", b"\xfc", b"\xc3\xbc", b'"'),
        *(b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data"),
        *(b"; boundary=b", b"; charset=utf-8", b'{"a":1}', b"text/html;q=0.5", b"*/*", b"bytes=0-"),
        *(b"https://a.org", b"Basic YTpi", b"Bearer x", b"for=1.2.3.4", b"W/", b'"x"', b"de", b","),
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n',
        b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        b"Sun, 06 Nov 1994 08:49:37 GMT",
    ],
}
