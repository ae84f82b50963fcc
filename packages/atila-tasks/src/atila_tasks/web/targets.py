"""Targets of outgoing requests: paths with `{}` for values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

_SAFE = "%/?:@!$&'()*+,;=~"
"""Characters of a template besides letters and digits (RFC 3986, section 3.3 and 3.4)."""
_URL = re.compile(r"https?://", re.IGNORECASE)
_ALIAS = re.compile(r"(@[\w.-]+)(.*)", re.DOTALL)
_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)
_SEPARATOR = re.compile(r"[/\\]|%2f|%5c", re.IGNORECASE)
PLACE = "{}"


@lru_cache(1024)
def _parts(template: str) -> tuple[tuple[str, ...], int]:
    """A template between its places, and how many of these are in the path."""
    if "#" in template:
        raise ValueError(f"the path {template!r} has a fragment, which is never sent")
    texts = template.split(PLACE)
    count = template.partition("?")[0].count(PLACE)
    return tuple(quote(text, safe=_SAFE) for text in texts), count


def fill(template: str, values: Sequence[Any]) -> str:
    """A path and query with a value in each place, percent-encoded.

    Args:
        template: "/profiles/{}?limit={}".
        values: as many as there are places.

    Raises:
        ValueError: a segment would be "." or "..", which leads elsewhere (RFC 3986, section
            5.2.4); a value of the path is empty.
        TypeError: a value is None.
    """
    texts, in_path = _parts(template)
    target = texts[0]
    for number, value in enumerate(values):
        if value is None:
            raise TypeError(f"the value {number + 1} of {template!r} is None")
        text = quote(value if isinstance(value, bytes) else str(value), safe="")
        if number < in_path and not text:
            raise ValueError(f"the value {number + 1} of {template!r} is empty")
        target += text + texts[number + 1]
    path = target.partition("?")[0]
    if "." in path or "%2" in path:
        refuse_dots(path)
    return target


def refuse_dots(path: str) -> None:
    """Refuse a path with a segment that leads elsewhere.

    Args:
        path: percent-encoded.

    Raises:
        ValueError: a segment is "." or "..", however it is written.
    """
    if any(_DOTS.fullmatch(segment) for segment in _SEPARATOR.split(path)):
        raise ValueError(f'the path {path!r} has a segment "." or ".."')


def places(template: str) -> int:
    """How many values a template takes."""
    return len(_parts(template)[0]) - 1


@lru_cache(1024)
def split(address: str) -> tuple[str, str]:
    """Alias and path of "@myapi/api", origin and path of "http://example.com/a?b".

    Returns:
        "@myapi" or "http://user:password@example.com", and the rest, which may be "".

    Raises:
        ValueError: it is neither an alias nor a URL.
    """
    if found := _ALIAS.fullmatch(address):
        return found[1], _rooted(found[2])
    if _URL.match(address):
        end = re.search(r"[/?#]", address[address.index("//") + 2 :])
        at = len(address) if end is None else address.index("//") + 2 + end.start()
        _check_origin(address[:at])
        return address[:at], _rooted(address[at:])
    raise ValueError('a server is "@alias", "@alias/path", "http://host/path" or "https://…"')


def _check_origin(origin: str) -> None:
    # Without the text, which may hold a password.
    if any(ord(sign) <= 32 or ord(sign) == 127 or sign in "\\{}" for sign in origin):
        raise ValueError("the host of an URL has a character that no host has")
    parts = urlsplit(origin)
    if not parts.hostname:
        raise ValueError("an URL has no host")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("an URL has a port that is no number up to 65535") from None


def _rooted(path: str) -> str:
    if not path or path.startswith("/"):
        return path
    if path.startswith("?"):
        return f"/{path}"
    raise ValueError(f"{path!r} does not begin with a slash")


def joined(base: str, path: str) -> str:
    """One path below another: "/api" and "/profiles" make "/api/profiles"."""
    if not base or base == "/":
        return path if path.startswith("/") else f"/{path}"
    if not path or path.startswith("?"):
        return base + path
    return base.rstrip("/") + (path if path.startswith("/") else f"/{path}")


def encoded(path: str) -> str:
    """A decoded path as it is sent, without a way out of where it begins.

    Args:
        path: "a b/c", without a slash before it or with one.

    Raises:
        ValueError: it has a segment ".." or a NUL.
    """
    target = quote(path, safe="/:@!$&'()*+,;=~")
    if "%00" in target:
        raise ValueError("a path has a NUL in it")
    refuse_dots(target)
    return target
