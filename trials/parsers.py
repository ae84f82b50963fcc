"""Parsers of what strangers send, each called with any bytes: it gives what it must, or one of the
errors that it says it raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from sqlphile import DB_PGSQL, DB_SQLITE3
from sqlphile.q import OPS
from websockets.frames import Opcode

from atila.skitai.websocket import WebSocket
from atila.validation.html import is_harmless
from atila_render import GrpcError
from atila_render.grpc.wire import FrameReader
from atila_tasks.databases.sql.conditions import Conditions
from trials import engine_parsers, request_parsers

CORPUS = Path(__file__).parent / "corpus"
FAULTS = {1002, 1007, 1009}
"""Close codes of a client that breaks rules."""
LIMIT = 5000
"""Bytes of a message, for the parsers that have a limit."""
_FORBIDDEN = re.compile(r";|--|/\*|[\0\n'\"\\]")
_LITERAL = re.compile(r"""E?'(?:[\w, {}%\\-])*'|"[^"\0]*\"""")
"""Literals, and names in quotes, which may be any."""
_UNSAFE_TAGS = {"script", "iframe", "object", "embed", "form", "input", "button", "base", "meta"}


class _Site:
    """What a WebSocket calls of its worker, loop and connection: at once, on this thread."""

    closed = False
    paused = False

    def __init__(self) -> None:
        self.loop = self.pump = self
        self.code: int | None = None

    def call(self, func: Callable[..., object], *args: Any) -> None:
        func(*args)

    def later(self, seconds: float, func: Callable[[], object]) -> None:
        pass

    def handle_write(self) -> None:
        pass


def received(pieces: list[bytes]) -> tuple[list[str | bytes], int | None]:
    """Messages and the close code of a WebSocket that got those bytes."""
    site: Any = _Site()
    socket = WebSocket(site, site, LIMIT, lambda: None)
    for piece in pieces:
        if piece:
            socket.feed(piece)
    return list(socket._inbox._items), socket.close_code


def websocket(data: bytes) -> None:
    """Frames of RFC 6455, however they are cut: the same messages, none above the limit."""
    whole, code = received([data])
    assert all(len(message) <= LIMIT for message in whole)
    assert code is None or 1000 <= code < 5000
    cut = data[0] % len(data) if data else 0
    for pieces in ([data[:cut], data[cut:]], [data[n : n + 1] for n in range(len(data))]):
        found, other = received(pieces)
        assert found == whole
        # Of several faults in one piece, or one before a close, it is open which is seen first.
        assert other == code or {other, code} & FAULTS


def grpc(data: bytes) -> None:
    """Length-prefixed messages, plain and compressed, however they are cut."""
    whole = messages([data])
    for encoding in ("gzip", "deflate"):
        messages([data], encoding)
    assert messages([data[n : n + 1] for n in range(len(data))]) == whole
    assert all(len(message) <= LIMIT for message in whole[0])


def messages(pieces: list[bytes], encoding: str | None = None) -> tuple[list[bytes], int]:
    left = [piece for piece in pieces if piece]

    async def read(size: int) -> bytes:
        if not left:
            return b""
        piece = left.pop(0)
        if len(piece) > size:
            left.insert(0, piece[size:])
        return piece[:size]

    found: list[bytes] = []

    async def everything() -> None:
        reader = FrameReader(read, encoding, LIMIT)
        while (message := await reader.next()) is not None:
            found.append(message)

    try:
        asyncio.run(everything())
    except GrpcError as error:
        return found, error.grpc_status
    return found, 0


def sql(data: bytes) -> None:
    """A condition by names and values of strangers: none of either becomes SQL."""
    name, _, text = data.decode("utf-8", "replace").partition("\n")
    for value in (text, len(text), [text], None, {"a": text}, True):
        for engine in (DB_PGSQL, DB_SQLITE3):
            write = Conditions(engine, lambda value: "$1", lambda name: name, lambda text: text)
            try:
                found = write.compare(name, value)
            except (TypeError, ValueError):
                continue
            bare = _LITERAL.sub("", found)
            assert not _FORBIDDEN.search(bare), (name, value, found)


def _lower(text: str) -> str:
    """As SQLite's LIKE compares: of letters, only those of ASCII are alike in both cases."""
    return "".join(chr(ord(one) + 32) if "A" <= one <= "Z" else one for one in text)


_MEANINGS: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda held, value: held == value,
    "exact": lambda held, value: held == value,
    "neq": lambda held, value: held != value,
    "gt": lambda held, value: held.encode() > value.encode(),
    "gte": lambda held, value: held.encode() >= value.encode(),
    "lt": lambda held, value: held.encode() < value.encode(),
    "lte": lambda held, value: held.encode() <= value.encode(),
    "in": lambda held, value: held in (value, "a"),
    "notin": lambda held, value: held not in (value, "a"),
    "between": lambda held, value: value.encode() <= held.encode() <= b"b",
    "contains": lambda held, value: _lower(value) in _lower(held),
    "icontains": lambda held, value: _lower(value) in _lower(held),
    "ncontains": lambda held, value: _lower(value) not in _lower(held),
    "startswith": lambda held, value: _lower(held).startswith(_lower(value)),
    "nstartswith": lambda held, value: not _lower(held).startswith(_lower(value)),
    "endswith": lambda held, value: _lower(held).endswith(_lower(value)),
    "nendswith": lambda held, value: not _lower(held).endswith(_lower(value)),
    "iexact": lambda held, value: _lower(held) == _lower(value),
}
"""What operators of sqlphile say of a text that is held, and the value in a condition."""
_VALUES: dict[str, Callable[[str], Any]] = {
    "in": lambda value: [value, "a"],
    "notin": lambda value: [value, "a"],
    "between": lambda value: [value, "b"],
}


def operators(data: bytes) -> None:
    """SQLite finds by an operator what Python finds, whatever the value has in it."""
    if not data:
        return
    operator = list(_MEANINGS)[data[0] % len(_MEANINGS)]
    # SQLite's LIKE ends at a zero byte.
    value = data[1:].decode("utf-8", "replace").replace("\0", "")
    held = ["", value, f"x{value}", f"{value}y", f"x{value}y", value.swapcase(), "a", "%", "_"]
    params: list[Any] = []

    def bind(each: Any) -> str:
        params.append(each)
        return "?"

    write = Conditions(DB_SQLITE3, bind, lambda name: name, lambda text: text)
    condition = write.compare(f"name__{operator}", _VALUES.get(operator, str)(value))
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE t (number int, name text)")
        database.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(held)))
        database.set_authorizer(_reading)
        found = database.execute(f"SELECT number FROM t WHERE {condition} ORDER BY 1", params)
        numbers = [number for (number,) in found]
    says = _MEANINGS[operator]
    assert numbers == [n for n, each in enumerate(held) if says(each, value)], (condition, params)


def _reading(action: int, *about: object) -> int:
    reads = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION)
    return sqlite3.SQLITE_OK if action in reads else sqlite3.SQLITE_DENY


class _Tags(HTMLParser):
    """What of a text would do something."""

    def __init__(self) -> None:
        super().__init__()
        self.unsafe: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSAFE_TAGS:
            self.unsafe.append(tag)
        for name, value in attrs:
            target = "".join(c for c in value or "" if c > " ").lower()
            if name.startswith("on") or target.startswith(("javascript:", "vbscript:")):
                self.unsafe.append(f"{tag} {name}={value}")


def safes(data: bytes) -> None:
    """A text that `safes` lets pass has, to another parser, nothing that runs."""
    text = data.decode("utf-8", "replace")
    # To html.parser these are blanks; to browsers they are not.
    text = re.sub(r"[\x0b\x1c-\x1f\x85\xa0]|[^\x00-\x7f]", "x", text)
    if is_harmless(text):
        tags = _Tags()
        tags.feed(text)
        tags.close()
        assert not tags.unsafe, (text, tags.unsafe)


TARGETS: dict[str, Callable[[bytes], None]] = {
    **engine_parsers.TARGETS,
    **request_parsers.TARGETS,
    "websocket": websocket,
    "grpc": grpc,
    "sql": sql,
    "operators": operators,
    "safes": safes,
}


def seeds(target: str) -> list[bytes]:
    """The corpus of a target: well-formed inputs, and all that found something once."""
    return [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]


WORDS: dict[str, list[bytes]] = {
    **engine_parsers.WORDS,
    **request_parsers.WORDS,
    "websocket": [
        bytes([first, 0x80 | size]) + bytes(4 + size)
        for first in (0, 1, 2, 8, 9, 10, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A, 0xC1, 0x83)
        for size in (0, 1, 2, 125)
    ]
    + [b"\x81\xfe\x00\x7e", b"\x82\xff" + bytes(7) + b"\xff", bytes([0x80 | Opcode.TEXT])],
    "grpc": [
        b"\0\0\0\0\0",
        b"\0\0\0\0\1",
        b"\1\0\0\0\x14",
        b"\0\xff\xff\xff\xff",
        b"\x1f\x8b\x08\0",
    ],
    "sql": [
        *(f"__{name}".encode() for name in OPS),
        *(
            b"___",
            b"__",
            b".",
            b"\n",
            b"'",
            b";",
            b"--",
            b"$$",
            b"t1__age",
            b'"',
            b"0",
            b"/*",
            b"?",
        ),
    ],
    "operators": [
        *(bytes([number]) for number in range(len(_MEANINGS))),
        *(b"%", b"_", b"\\", b"'", b'"', b"a", b"A", b"\xc3\xbc", b"\xc3\x9c", b"", b"\\%", b"?"),
    ],
    "safes": [
        word.encode()
        for word in (
            "<",
            ">",
            "</",
            "<b>",
            "<script>",
            "<svg ",
            "onload=",
            "javascript:",
            "<a href=",
            "&#",
            "&lt;",
            "<!--",
            "<![CDATA[",
            "<math>",
            "<style>",
            "<img src=x ",
            "/",
            '"',
            "'",
            "\0",
            "<iframe ",
        )
    ],
}
"""Pieces of which inputs are put together, beside bytes by chance."""
