"""Headers of outgoing requests: which are allowed, and which are added."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from atila.http.fields import checked_header

if TYPE_CHECKING:
    from atila.http.exchange import Headers

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})


def checked_headers(given: Mapping[str, object] | Iterable[tuple[str, object]] | None) -> Headers:
    """Headers that are safe to send, their names in lower case.

    Raises:
        ValueError: a name is none (RFC 9110, section 5.1), or is for the connection to say; a
            value has a line break in it.
    """
    if not given:
        return []
    headers = []
    for name, value in given.items() if isinstance(given, Mapping) else given:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a header")
        header = checked_header(name, value)
        if header[0] in _OURS:
            raise ValueError(f"the header {name!r} is for the connection to say")
        headers.append(header)
    return headers


def basic(user: str, password: str) -> str:
    """The value of Authorization for a user and a password (RFC 7617)."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()
