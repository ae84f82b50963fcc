"""Requests by chance, the same for the same number: targets, headers, cookies and bodies."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from urllib.parse import quote

PATHS = ("/echo", "/digest", "/names/", "/users/", "/below/", "/post-only", "/folder", "/text")
METHODS = ("GET", "GET", "POST", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")
PIECES = (
    "a", "0", "-1", "ü", "日本", "\U0001f600", "%", "%zz", "%00", "%2F", "%2e%2e", "..",
    "//", ";", "&", "=", "+",
    "[]", "a[b]", "null", "true", "1e999",
    "\\", "'", '"', "<b>", "{", "}", "\t",
)  # fmt: skip
TYPES = (
    "application/json",
    "application/json; charset=utf-8",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "text/plain",
    "a/b; c",
)
VALUES = (None, True, 0, -1, 2**63, 1.5, "", "ü", "\ud83d\ude00", [], {}, [[1]], {"a": {"b": None}})


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Its head is well-formed: what is not, each parser refuses in its own way."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


def by_chance(number: int) -> Request:
    """The request of that number."""
    chance = random.Random(number)
    method = chance.choice(METHODS)
    headers = []
    body = None
    if method in ("POST", "PUT", "PATCH") and chance.random() < 0.9:
        headers.append(("Content-Type", chance.choice(TYPES)))
        body = _mutated(chance, _body(chance, headers[0][1]))
    if chance.random() < 0.3:
        headers.append(("Cookie", _ascii(_text(chance, 6))))
    if chance.random() < 0.3:
        headers.append(("Accept", chance.choice(("*/*", "text/html;q=x", "application/json", ","))))
    return Request(method, _target(chance), tuple(headers), body)


def _target(chance: random.Random) -> str:
    path = chance.choice(PATHS)
    if path.endswith("/"):
        path += "".join(_escaped(chance, piece) for piece in chance.choices(PIECES, k=2))
    if chance.random() < 0.6:
        pairs = [
            f"{_escaped(chance, chance.choice(PIECES))}={_escaped(chance, chance.choice(PIECES))}"
            for _ in range(chance.randrange(4))
        ]
        path += "?" + chance.choice(("&", "&", ";")).join(pairs)
    return path


def _escaped(chance: random.Random, piece: str) -> str:
    return quote(piece, safe="" if chance.random() < 0.5 else "%/;&=+.[]'")


def _body(chance: random.Random, kind: str) -> bytes:
    if "json" in kind:
        names = chance.choices(PIECES, k=chance.randrange(3))
        value = {name: chance.choice(VALUES) for name in names}
        return json.dumps(value if chance.random() < 0.8 else chance.choice(VALUES)).encode()
    if "multipart" in kind:
        name = _ascii(chance.choice(PIECES))
        part = f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{_text(chance, 3)}\r\n'
        return f"{part * chance.randrange(3)}--x--\r\n".encode()
    return _text(chance, 8).encode()


def _mutated(chance: random.Random, body: bytes) -> bytes:
    while body and chance.random() < 0.3:
        at = chance.randrange(len(body))
        body = chance.choice(
            (body[:at], body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :], body[at:])
        )
    return body


def _text(chance: random.Random, most: int) -> str:
    return "".join(chance.choices(PIECES, k=chance.randrange(most)))


def _ascii(text: str) -> str:
    return "".join(one for one in text if " " <= one < "\x7f")
