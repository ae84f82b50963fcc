"""The prefix of a site: the path under which a proxy or an outer application serves it.

ASGI calls it `root_path`, WSGI SCRIPT_NAME, proxies X-Forwarded-Prefix. It stands before the mount
points of all apps: routing does without it, and every URL that is made begins with it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]|//|/\.\.?(?:/|$)")
"""Parts by which a browser would go to another host, or to another path."""

SAFE = "/@:!$&'()*+,;=~"
"""Characters of a path that stand unquoted, besides those that `quote` leaves (RFC 3986, section
3.3).
"""


def normal(text: str) -> str:
    """A prefix as it is used: "" or "/shop", without a slash at its end."""
    text = text.strip("/")
    return "/" + text if text else ""


def below(path: str, prefix: str) -> str:
    """A path without the prefix, if it begins with it: servers and proxies differ in whether they
    take it off. "" for the prefix alone.
    """
    if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
        return path[len(prefix) :]
    return path


@lru_cache(256)
def parse(text: str) -> str:
    """A prefix that a proxy sent, percent-decoded; "" for one that is none.

    Refused are prefixes without a slash at the beginning, with an empty segment, "." or "..", a
    backslash or control characters.
    """
    decoded = unquote(text.strip())
    if not decoded.startswith("/") or _UNSAFE.search(decoded):
        return ""
    return normal(decoded)


def joined(outer: str, inner: str) -> str:
    """Two prefixes as one; the inner alone, if it begins with the outer one."""
    return inner if below(inner, outer) != inner or inner == outer else outer + inner


def quoted(path: str) -> str:
    """A path as it stands in a URL."""
    return quote(path, safe=SAFE)
