"""Reads answers of other servers within a limit, and decodes their data."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from atila import HTTPError
from atila.http.forms import FORM_TYPE, is_json, media_type, parse_form
from atila.values import json
from atila_tasks.core.errors import BadResponse, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from atila.http.exchange import Headers
    from atila_tasks.upstream.response_head import Head
    from atila_tasks.web.payloads import Body

_TEXTS = frozenset(
    {
        "application/ecmascript",
        "application/javascript",
        "application/sql",
        "application/x-sh",
        "application/xhtml+xml",
        "application/xml",
        "application/yaml",
        "image/svg+xml",
    }
)
_MOST_FIELDS = 100_000


class Incoming(Protocol):
    """An answer whose head has come. It must be read to its end, or closed.

    Attributes:
        head: status and headers.
        length: bytes of the body, by its head; None if not given, or if the body is decoded.
    """

    head: Head
    length: int | None

    async def read(self) -> bytes:
        """The next piece of the body; b"" at its end.

        Raises:
            UpstreamError: the connection broke off.
        """

    def raw_headers(self) -> Headers:
        """The headers in the order they came, names in lower case, repetitions kept."""

    async def close(self) -> None:
        """Release it. An unread rest of the body costs its connection."""


class Connections(Protocol):
    """The connections to one server, or to any."""

    def open(
        self, name: str, method: str, url: str, headers: Headers, body: Body, *, raw: bool = False
    ) -> Coroutine[Any, Any, Incoming]:
        """Send a request; returns when the head of the answer has come.

        Args:
            name: the name of the server, for errors.
            method: the method of the request.
            url: percent-encoded.
            headers: names in lower case.
            body: the body of the request.
            raw: add no headers, and leave the answer as it is coded.

        Raises:
            Unreachable: there is no connection, so nothing was sent.
            UpstreamError: the connection failed later.
        """

    async def close(self) -> None:
        """Close all of them."""


async def read_all(name: str, incoming: Incoming, limit: int) -> bytes:
    """The body of an answer.

    Args:
        name: the name of the server, for errors.
        incoming: the answer.
        limit: bytes that it may have.

    Raises:
        UpstreamError: the connection broke off.
        BadResponse: it is longer than the limit.
    """
    if incoming.length is not None and incoming.length > limit:
        raise BadResponse(f"{name} answered more than {limit} bytes", incoming.head)
    piece = await incoming.read()
    pieces, size = [piece], len(piece)
    while piece:
        if size > limit:
            raise BadResponse(f"{name} answered more than {limit} bytes", incoming.head)
        piece = await incoming.read()
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def parse(name: str, head: Head, body: bytes) -> Any:
    """The data of a body, by its media type: of JSON its value, of a form a dict, of text str, else
    bytes; None of nothing.

    Raises:
        BadResponse: it does not match its media type.
    """
    kind = head.headers.get("content-type")
    media = media_type(kind)
    if not body:
        return "" if media.startswith("text/") else None
    try:
        if is_json(media):
            return json.loads(body)
        if media == FORM_TYPE:
            return parse_form(body, _MOST_FIELDS)
    except (json.NotJSON, HTTPError):
        raise BadResponse(f"{name} answered malformed {media}", head, body) from None
    if media.startswith("text/") or media in _TEXTS or media.endswith("+xml"):
        return _text(body, kind or "")
    return body


def _text(body: bytes, kind: str) -> str:
    _, _, charset = kind.lower().partition("charset=")
    try:
        return body.decode(charset.partition(";")[0].strip(" \"'") or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def reason(error: BaseException) -> str:
    """Why a connection failed, in words without an address: those are ours to know."""
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number).lower()
    return type(error).__name__


def broken(name: str, why: str) -> UpstreamError:
    """The error of a connection that failed after something was sent."""
    return UpstreamError(f"{name}: {why}")
