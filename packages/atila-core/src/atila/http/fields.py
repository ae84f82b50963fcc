"""Header fields (RFC 9110, section 5): how those of requests are read, and which may be sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import quote, urlsplit

from atila.errors import HTTPError
from atila.http.exchange import Header, Headers

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_LENGTH = re.compile(r"[0-9]{1,18}")
_PLACES = frozenset({"content-location", "location"})
_OF_URLS = "!#$%&'()*+,-./:;=?@[]_~"
"""Characters of URLs besides letters and digits (RFC 3986, section 2)."""


def decoded(value: bytes) -> str:
    """The text of a value: UTF-8, or Latin-1 if it is none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def decoded_again(value: str) -> str:
    """The text of a value that was read as Latin-1, as PEP 3333 has it; see `decoded`."""
    return value if value.isascii() else decoded(value.encode("latin-1", "replace"))


def unreadable(names: Iterable[str]) -> HTTPError:
    """The refusal of a request with headers that a server does not hand over, for not being
    ASCII."""
    return HTTPError(400, f"not ASCII, which this server cannot read: {', '.join(sorted(names))}")


def checked_header(name: str, value: object) -> Header:
    """A header that may be sent, its name in lower case; URLs are percent-encoded where they are
    no ASCII.

    Raises:
        ValueError: the name is none; a control character or one beyond Latin-1 is in the value; it
            is a Content-Length that is no number, or says how the body is framed, which is the
            server's to say.
    """
    text, lower = str(value).strip(" \t"), name.lower()
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a header: letters, digits and !#$%&'*+-.^_`|~")
    if lower in _PLACES:
        text = _as_url(text)
    if not _VALUE.fullmatch(text):
        raise ValueError(
            f"the value of the header {name!r} has a control character, as a line break, or one"
            " beyond Latin-1: percent-encode it (urllib.parse.quote)"
        )
    if lower == "content-length" and not _LENGTH.fullmatch(text):
        raise ValueError(f"Content-Length must be a number of bytes, not {text!r}")
    if lower == "transfer-encoding":
        raise ValueError("the header Transfer-Encoding is not the app's to say: leave it out")
    return lower, text


def sendable(headers: Iterable[tuple[str, object]]) -> Headers:
    """Those of some headers that may be sent."""
    found = []
    for name, value in headers:
        with suppress(ValueError):
            found.append(checked_header(name, value))
    return found


def _as_url(text: str) -> str:
    """A URL that is ASCII; its encoded parts stay as they are.

    Raises:
        ValueError: its host is none.
    """
    if text.isascii() or not text.isprintable():
        return text
    host = urlsplit(text).netloc
    if host and not host.isascii():
        text = text.replace(host, host.encode("idna").decode(), 1)
    return quote(text.encode("utf-8", "surrogatepass"), safe=_OF_URLS)


def as_latin_1(headers: Iterable[Header]) -> Headers:
    """Headers for a WSGI server, which sends Latin-1, so that UTF-8 arrives, as from all others."""
    return [
        (name, value if value.isascii() else value.encode("utf-8", "replace").decode("latin-1"))
        for name, value in headers
    ]


def without(headers: Iterable[Header], name: str) -> Headers:
    """Headers but for those of one name, in lower case."""
    return [header for header in headers if header[0] != name]


def length_of(headers: Iterable[Header]) -> int | None:
    """The Content-Length among checked headers; None if there is none."""
    for name, value in headers:
        if name == "content-length":
            return int(value)
    return None


def join_fields(headers: Headers) -> dict[str, str]:
    """Values by name; those of repeated ones joined, cookies in their own way."""
    fields: dict[str, str] = {}
    for name, value in headers:
        if name in fields:
            fields[name] += ("; " if name == "cookie" else ", ") + value
        else:
            fields[name] = value
    return fields
