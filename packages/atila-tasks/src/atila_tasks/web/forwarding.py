"""Headers of forwarded requests and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from atila.http.prefixes import quoted
from atila.http.response import head

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import Headers
    from atila_tasks.web.incoming import Incoming

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of one connection, which end with it (RFC 9110, section 7.6.1)."""
_SAID_ANEW = frozenset(
    {
        "content-length",
        "expect",
        "forwarded",
        "host",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-prefix",
        "x-forwarded-proto",
        "x-request-id",
    }
)
_PLACES = frozenset({"content-location", "location"})
_OF_A_SERVER = frozenset({"date", "server"})
"""Said by the server that the client talks to."""


def _end_to_end(headers: Headers) -> Headers:
    """Headers without those of the connection, and those that it names."""
    named = {
        name.strip().lower()
        for key, value in headers
        if key == "connection"
        for name in value.split(",")
    }
    return [
        (name, value) for name, value in headers if name not in _HOP_BY_HOP and name not in named
    ]


def request_headers(was: Was, prefix: str) -> Headers:
    """The headers that a passed request carries, but for the length of its body.

    Args:
        was: the request.
        prefix: the path here, decoded, that stands for the whole server; "" if none does.
    """
    exchange = was.exchange
    headers = [pair for pair in _end_to_end(exchange.headers()) if pair[0] not in _SAID_ANEW]
    address = exchange.peer[0]
    if forwarded := [text for text in (exchange.header("x-forwarded-for"), address) if text]:
        headers.append(("x-forwarded-for", ", ".join(forwarded)))
    if host := exchange.host:
        headers.append(("x-forwarded-host", host))
    headers.append(("x-forwarded-proto", exchange.scheme))
    if prefix := prefix.rstrip("/"):
        headers.append(("x-forwarded-prefix", quoted(prefix)))
    headers.append(("x-request-id", was.request_id))
    headers.append(("via", f"{exchange.version} atila"))
    return headers


def response_headers(was: Was, incoming: Incoming) -> Headers:
    """The headers of a passed answer, and those that our own app adds, in place of theirs."""
    own = head(was, None)
    names = _OF_A_SERVER | {name for name, _ in own} - {"set-cookie"}
    passed = [pair for pair in _end_to_end(incoming.raw_headers()) if pair[0] not in names]
    return [*passed, *own]


def relocated(headers: Headers, theirs: str, ours: str) -> Headers:
    """Headers of an answer whose Location leads to the server itself lead back to us.

    Args:
        headers: the headers of the answer.
        theirs: the beginning of URLs that are passed on, at the server: "http://10.0.0.1/base".
        ours: the path that stands for it here, decoded, with its slash: "/shop/".
    """
    return [
        (name, _moved(value, theirs.rstrip("/"), ours) if name in _PLACES else value)
        for name, value in headers
    ]


def _moved(value: str, theirs: str, ours: str) -> str:
    rest = value.removeprefix(theirs)
    if rest == value or rest[:1] not in ("", "/", "?", "#"):
        return value
    # Two slashes at the beginning would be another host (RFC 3986, section 4.2).
    return quote("/" + ours.strip("/")).rstrip("/") + "/" + rest.lstrip("/")
