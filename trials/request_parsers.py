"""Parsers of requests, each called with any bytes: heads, cookies, forms, multipart, and JSON that
becomes values of types.
"""

from __future__ import annotations

import dataclasses
import http.cookies
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import h11
import msgspec
import pydantic

from atila import Atila
from atila.errors import HTTPError
from atila.http import cookies as ours
from atila.http import forms
from atila.http.uploads import Form, Upload
from atila.skitai.channel import check_head
from atila.testing import TestClient

MOST = 20
"""Fields and files of a form."""
BOUNDARY = "b"
_HALF_BREAK = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_REFUSED_BY_OTHERS = ("Transfer-Encoding", "Content-Length", "content-length")
"""What h11 says of a head whose framing is wrong: on Skitai `framing.py` looks at that."""


def _or_status(func: Callable[..., Any], *args: Any) -> Any:
    """What a parser gives; the status, if it refuses."""
    try:
        return func(*args)
    except HTTPError as error:
        return error.code


def head(data: bytes) -> None:
    """A head that Skitai gets from us is one to another strict parser, too."""
    text = data.partition(b"\r\n\r\n")[0]
    if check_head(text) or not text.strip(b"\r\n") or text.startswith((b"PRI", b"\r\n")):
        return
    other = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    text = _with_ascii_target(text)
    other.receive_data(text + b"\r\n\r\n")
    try:
        event = other.next_event()
    except h11.RemoteProtocolError as error:
        event = error
    if isinstance(event, h11.RemoteProtocolError):
        assert any(word in str(event) for word in _REFUSED_BY_OTHERS), (text, event)
        return
    assert isinstance(event, h11.Request), (text, event)
    line, *fields = text.split(b"\r\n")
    assert line.split(b" ")[:2] == [event.method, event.target], text
    pairs = [field.partition(b":")[::2] for field in fields]
    sent = [(name.lower(), value.strip(b" \t")) for name, value in pairs]
    assert _but_lengths(sent) == _but_lengths(event.headers), text


def _with_ascii_target(text: bytes) -> bytes:
    """Clients that send targets as they were typed are answered, as by Nginx: nothing beyond ASCII
    can end a target. h11 refuses them."""
    line, *fields = text.split(b"\r\n")
    line = re.sub(rb"[\x80-\xff]", lambda found: b"%%%02X" % found[0][0], line)
    return b"\r\n".join([line, *fields])


def _but_lengths(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """h11 makes one of equal lengths, and writes a coding in lower case."""
    return [
        (name, value.lower() if name == b"transfer-encoding" else value)
        for name, value in headers
        if name != b"content-length"
    ]


def cookies(data: bytes) -> None:
    """What is read of a Cookie header can be set, and comes back."""
    found = ours.parse(data.decode("latin-1"))
    assert len(found) <= ours.MAX_COOKIES
    for name, value in found.items():
        try:
            line = ours.build(name, value)
        except ValueError:
            continue
        assert line.isascii()
        assert line.isprintable(), (name, value)
        pair = line.partition(";")[0]
        assert ours.parse(pair) == {name: value}
        other: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
        other.load(line)
        assert set(other) <= {name}, (name, value)


def form(data: bytes) -> None:
    """URL-encoded fields, as the standard library reads them."""
    found = _or_status(forms.parse_form, data, MOST)
    if isinstance(found, int):
        assert found == 400
        return
    fields: dict[str, Any] = {}
    pairs = parse_qsl(data.decode(), keep_blank_values=True, errors="strict", separator="&")
    for name, value in pairs:
        forms.add_field(fields, name, value)
    assert found == fields
    assert len(pairs) <= MOST


class _Limits:
    MAX_FIELDS = MAX_FILES = MOST
    MAX_BODY_SIZE = 3000
    UPLOAD_FOLDER: str | None = None


class _Cut:
    """A body that comes in pieces, as one in a file does."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data, self._size = data, size

    def pieces(self) -> Iterator[bytes]:
        for at in range(0, len(self._data), self._size):
            yield self._data[at : at + self._size]


def multipart(data: bytes) -> None:
    """Parts of a form, however they are cut; no file of a stranger leaves its folder or stays."""
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    with tempfile.TemporaryDirectory() as folder:
        limits = _Limits()
        limits.UPLOAD_FOLDER = folder
        whole = _read(data, kind, limits)
        assert not os.listdir(folder)
        for size in (1, 7):
            cut: Any = _Cut(data, size)
            found = _read(cut, kind, limits)
            # The library sees bytes before the first boundary, and line breaks by half, only if
            # they are in one piece with what is around them.
            if data.startswith(b"--b") and not _HALF_BREAK.search(data):
                assert isinstance(found, int) == isinstance(whole, int), (data, whole, found)
                assert isinstance(found, int) or found == whole, (data, whole, found)
        assert not os.listdir(folder)


def _read(body: Any, kind: str, limits: _Limits) -> list[tuple[str, Any]] | int:
    """The fields, a file by its name, type and content; or the status of the refusal."""
    made = _or_status(Form, body, kind, limits)
    if isinstance(made, int):
        assert made in (400, 413)
        return made
    found = []
    for name, values in made.fields.items():
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, Upload):
                assert value.name
                assert value.name == os.path.basename(value.name)
                assert value.name not in (".", "..")
                assert "\0" not in value.name
                value = value.name, value.mimetype, _content(value)
            found.append((name, value))
    assert len(made.files) <= limits.MAX_FILES
    made.discard()
    return found


def _content(upload: Upload) -> bytes:
    with upload.open() as file:
        return file.read()


class _Part(msgspec.Struct):
    id: int
    price: float = 0.5


class _Order(msgspec.Struct):
    name: str
    parts: list[_Part] = []


@dataclasses.dataclass
class _Plain:
    count: int
    note: str | None = None


class _Pydantic(pydantic.BaseModel):
    count: pydantic.PositiveInt
    tags: dict[str, int | None] = {}


@cache
def _client() -> TestClient:
    """An app whose handlers answer with what they got."""
    app = Atila(__name__, layers=dict.fromkeys(("auth", "tasks", "ws")))

    @app.route("/0", methods=["POST"])
    async def order(was: Any, order: _Order) -> Any:
        return was.API(found=msgspec.to_builtins(order))

    @app.route("/1", methods=["POST"])
    async def plain(was: Any, body: _Plain) -> Any:
        return was.API(found=dataclasses.asdict(body))

    @app.route("/2", methods=["POST"])
    async def of_pydantic(was: Any, body: _Pydantic) -> Any:
        return was.API(found=body.model_dump())

    @app.route("/3", methods=["POST"])
    async def single(was: Any, a: int, b: list[float] | None = None, c: bool = False) -> Any:
        return was.API(found={"a": a, "b": b, "c": c})

    @app.route("/4", methods=["POST"])
    async def untyped(was: Any, a, b=None) -> Any:  # type: ignore[no-untyped-def]
        return was.API(found={"a": a, "b": b})

    return app.test_client()


def json_body(data: bytes) -> None:
    """A JSON body that becomes values of types: they are as sent, or it is refused by 400."""
    path, body = f"/{data[0] % 5 if data else 0}", data[1:]
    answer = _client().post(path, body, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 400), (path, body, answer.status_code, answer.text)
    try:
        sent = json.loads(body.decode())
    except (ValueError, RecursionError):
        # The body, that nothing is needed of, may be empty.
        assert answer.status_code == 400, (path, body)
        return
    if answer.status_code == 200:
        assert isinstance(sent, dict)
        assert _has(answer.json()["found"], sent), (path, body, answer.text)


def _has(found: Any, sent: Any) -> bool:
    """Whether what was found is as it was sent, but for names that one of the two lacks."""
    if isinstance(found, dict) and isinstance(sent, dict):
        return all(_has(found[name], sent[name]) for name in found if name in sent)
    if isinstance(found, list) and isinstance(sent, list):
        return len(found) == len(sent) and all(map(_has, found, sent))
    return bool(found == sent)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "head": head,
    "cookies": cookies,
    "form": form,
    "multipart": multipart,
    "json": json_body,
}
WORDS: dict[str, list[bytes]] = {
    "head": [
        *(b"GET / HTTP/1.1\r\n", b"Host: a\r\n", b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"/"),
        *(b"POST http://a/?b HTTP/1.0\r\n", b"X: y\r\n", b"Host", b"HTTP/1.1", b"\x80", b"\0"),
        *(b"Content-Length: 1\r\n", b"Transfer-Encoding: chunked\r\n", b"Upgrade: h2c\r\n"),
        *(b"OPTIONS * HTTP/1.1\r\n", b"CONNECT a:1 HTTP/1.1\r\n", b"host: b\r\n", b"\xc3\xbc"),
    ],
    "cookies": [
        *(b"a=1", b"; ", b";", b"=", b'"', b"%", b"%zz", b"%C3%BC", b"%0d%0a", b"%3B", b",", b"\\"),
        *(b"a", b"session=", b"\t", b" ", b"\0", b"\x7f", b"\xfc", b"$Version=1", b"__Host-a=b"),
    ],
    "form": [
        *(b"a=1", b"&", b";", b"=", b"+", b"%", b"%zz", b"%00", b"%C3%BC", b"%FF", b"a[]", b"a.b"),
        *(b"a", b"\xc3\xbc", b"\xff", b"&&", b"==", b"%26", b"%3D", b"\0", b"&a=1" * 8),
    ],
    "multipart": [
        *(b"--b", b"--b--", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"--", b"b", b'"', b"\\", b"\0"),
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n',
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\n2\r\n',
        b'Content-Disposition: form-data; name="',
        *(b'; filename="../../etc/passwd"', b"; filename*=UTF-8''%2e%2e%2f", b"; name*=utf-8''a"),
        *(b"Content-Type: text/plain; charset=x\r\n", b"Content-Transfer-Encoding: base64\r\n"),
        *(b'; filename=""', b'; filename="."', b'; filename="C:\\a"', b"\xff", b"x" * 1000),
    ],
    "json": [
        *(b"\0", b"\1", b"\2", b"\3", b"\4", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\u0000"),
        *(b'{"name":"a","parts":[{"id":1}]}', b'{"count":1}', b'{"a":1,"b":[1.5],"c":true}'),
        *(b'"name"', b'"parts"', b'"id"', b'"price"', b'"count"', b'"note"', b'"tags"', b'"a"'),
        *(b"null", b"true", b"1e999", b"-0", b"1.0", b"9223372036854775808", b"NaN", b"\xed\xa0"),
        *(b'"1"', b'"\\ud83d"', b"\xef\xbb\xbf", b" ", b"[" * 300, b"1" * 400, b"-", b"0.1"),
    ],
}
