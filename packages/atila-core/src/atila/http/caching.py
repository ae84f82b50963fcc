"""HTTP caching: validators, conditional requests and ranges (RFC 9110, sections 8.8, 13 and 14;
RFC 9111)."""

from __future__ import annotations

import re
import time
from calendar import timegm
from email.utils import formatdate, parsedate_tz
from hashlib import blake2s
from typing import TYPE_CHECKING

from atila.errors import HTTPError
from atila.http.methods import READING

if TYPE_CHECKING:
    from atila.http.exchange import Exchange, Header

_TAG = re.compile(r'(W/)?("[!#-~\x80-\xff]*")')
_RANGE = re.compile(r"(\d{0,18})-(\d{0,18})", re.ASCII)
MAX_RANGES = 16
"""Ranges that one request may ask for; more are answered with the whole."""


class NotModified(HTTPError):
    """Ends a request whose client has the current version already: 304, without a body."""

    def __init__(self) -> None:
        super().__init__(304)


def make_etag(key: object) -> str:
    """A strong entity tag (RFC 9110, section 8.8.3) for a key, quotes included. The key identifies
    the content.
    """
    data = key if isinstance(key, bytes) else str(key).encode("utf-8", "surrogatepass")
    return f'"{blake2s(data, digest_size=16).hexdigest()}"'


def http_date(seconds: float) -> str:
    """ "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7) of seconds since 1970."""
    return formatdate(int(seconds), usegmt=True)


def parse_date(text: str | None) -> int | None:
    """Seconds since 1970 of a date in any of the three forms of HTTP; None if it is no date."""
    if not text:
        return None
    try:
        fields = parsedate_tz(text)
        if fields is None:
            return None
        return timegm((*fields[:6], 0, 0, 0)) - (fields[9] or 0)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def age_headers(version: str, max_age: int) -> list[Header]:
    """How long a cache may keep an answer, as the client's version of HTTP has it.

    Args:
        version: "1.0", which knows Expires only; "1.1" or later, which know Cache-Control.
        max_age: seconds; 0 or less for an answer that has to be asked for each time.
    """
    if version == "1.0":
        return [("expires", http_date(time.time() + max_age) if max_age > 0 else http_date(0))]
    return [("cache-control", f"max-age={max_age}" if max_age > 0 else "no-cache")]


def check(exchange: Exchange, etag: str | None, mtime: float | None) -> None:
    """Whether the conditions of a request hold (RFC 9110, section 13.2.2).

    A condition about a validator that is not known is left out.

    Args:
        exchange: the request.
        etag: the entity tag of the current version, with its quotes.
        mtime: when it changed, in seconds since 1970.

    Raises:
        NotModified: the client has it.
        HTTPError: 412, the client expects another version.
    """
    header = exchange.header
    is_reading = exchange.method in READING
    if (expected := header("if-match")) is not None:
        if etag is not None and not _matches(expected, etag, weak=False):
            raise HTTPError(412, "the version is not the one of If-Match")
    elif mtime is not None:
        since = parse_date(header("if-unmodified-since"))
        if since is not None and int(mtime) > since:
            raise HTTPError(412, "it was changed after If-Unmodified-Since")
    if (known := header("if-none-match")) is not None:
        if etag is not None and _matches(known, etag, weak=True):
            if is_reading:
                raise NotModified
            raise HTTPError(412, "the version is one of If-None-Match")
    elif is_reading and mtime is not None:
        since = parse_date(header("if-modified-since"))
        if since is not None and int(mtime) <= since:
            raise NotModified


def _matches(listed: str, etag: str, *, weak: bool) -> bool:
    """Whether a tag is in a list, by weak or strong comparison (RFC 9110, section 8.8.3.2)."""
    if listed.strip() == "*":
        return True
    is_weak = etag.startswith("W/")
    value = etag.removeprefix("W/")
    if not weak and is_weak:
        return False
    return any(tag[2] == value and (weak or not tag[1]) for tag in _TAG.finditer(listed))


def find_range(
    exchange: Exchange, size: int, etag: str | None, mtime: float | None
) -> tuple[int, int] | None:
    """The part of a body that a request asks for (RFC 9110, section 14).

    Several ranges are answered with one part if they make one, else with the whole, as section
    14.2 allows: no multipart/byteranges, which costs more than it is used.

    Args:
        exchange: the request.
        size: bytes of the whole body.
        etag: see `check`.
        mtime: see `check`.

    Returns:
        Start and end, the end not included; None for the whole.

    Raises:
        HTTPError: 416, none of the ranges is in the body.
    """
    if exchange.method != "GET" or (asked := exchange.header("range")) is None:
        return None
    if not _is_same(exchange.header("if-range"), etag, mtime):
        return None
    unit, _, text = asked.partition("=")
    if unit.strip().lower() != "bytes":
        return None
    ranges = _parse_ranges(text, size)
    if ranges is None:
        return None
    if not ranges:
        raise HTTPError(416, f"there are {size} bytes", 0, [("content-range", f"bytes */{size}")])
    return _merged(ranges)


def _is_same(condition: str | None, etag: str | None, mtime: float | None) -> bool:
    """Whether If-Range (RFC 9110, section 13.1.5) is met, or not there."""
    if condition is None:
        return True
    condition = condition.strip()
    if condition.startswith(('"', "W/")):
        return etag is not None and condition == etag and not etag.startswith("W/")
    return mtime is not None and parse_date(condition) == int(mtime)


def _parse_ranges(text: str, size: int) -> list[tuple[int, int]] | None:
    """The ranges that are in the body; None if they are malformed, and so to be ignored."""
    found = []
    specs = text.split(",", MAX_RANGES)
    if len(specs) > MAX_RANGES:
        return None
    for spec in specs:
        match = _RANGE.fullmatch(spec.strip(" \t"))
        if match is None or match[0] == "-":
            return None
        first, last = match[1], match[2]
        if not first:
            if int(last):
                if not size:
                    return None
                found.append((max(0, size - int(last)), size))
        elif last and int(last) < int(first):
            return None
        elif int(first) < size:
            found.append((int(first), min(int(last) + 1, size) if last else size))
    return found


def _merged(ranges: list[tuple[int, int]]) -> tuple[int, int] | None:
    ranges.sort()
    start, end = ranges[0]
    for first, last in ranges[1:]:
        if first > end:
            return None
        end = max(end, last)
    return start, end


def range_header(part: tuple[int, int], size: int) -> Header:
    """Content-Range of a part."""
    return "content-range", f"bytes {part[0]}-{part[1] - 1}/{size}"
