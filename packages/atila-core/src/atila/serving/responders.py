"""Turns a handler's return value into an answer of the engine.

A returned value is simplified, by the responders of the layers, until it is one that is known
here: text, bytes, None, a file, an iterator of text or bytes, or an awaitable of all these.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from atila.http import caching, files
from atila.http.fields import without
from atila.http.response import (
    ANSWERED,
    BINARY,
    HTML,
    NO_BODY,
    FileBody,
    Response,
    head,
    status_beside,
)
from atila.serving import data_answers, streams

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.exchange import Headers
    from atila.layers import Responder

NEVER_AWAITED = frozenset({bytes, dict, list, str, type(None), Response})
"""Types whose values are no awaitables: to look for `__await__` takes CPython 3.11 longest where it
is missing."""

_HTML_ONLY: Headers = [HTML]
_BINARY_ONLY: Headers = [BINARY]
_CONVERSIONS = 8
_OF_THE_BODY = frozenset(
    {"accept-ranges", "content-encoding", "content-length", "content-range", "content-type"}
)


def send(was: Was, value: Any) -> Awaitable[Any] | None:
    """Answer with the result of a handler.

    Returns:
        None if the engine has the answer; else an awaitable for the task loop that ends when it
        has, and whose value, unless it is `ANSWERED`, is to be sent in turn.

    Raises:
        TypeError: there is no responder for a value of this type.
    """
    kind = type(value)
    if kind is str or kind is bytes:
        exchange = was.exchange
        # The usual case of `is_unset`, without a call.
        if was._response is None and not was.endpoint.has_headers and exchange.method != "HEAD":
            if kind is str:
                exchange.respond_text(200, _HTML_ONLY, value)
            else:
                exchange.respond(200, _BINARY_ONLY, value)
        elif kind is str:
            _send(was, value.encode(), _HTML_ONLY)
        else:
            _send(was, value, _BINARY_ONLY)
        return None
    # As `convert` has it; most values are answered by that alone.
    if kind is Response:
        value = value.body
        kind = type(value)
    responder = was.app.responders.get(kind)
    if responder is not None and (value := responder(was, value)) is ANSWERED:
        return None
    value = convert(was, value)
    if isinstance(value, str):
        _send(was, value.encode(), _HTML_ONLY)
    elif isinstance(value, bytes | bytearray | memoryview):
        _send(was, bytes(value), _BINARY_ONLY)
    elif value is None:
        _send_nothing(was)
    elif isinstance(value, FileBody):
        files.send(was, value)
    elif value is not ANSWERED:
        return _deferred(was, value)
    return None


def _deferred(was: Was, value: Any) -> Awaitable[Any]:
    if inspect.isawaitable(value):
        return value
    if isinstance(value, AsyncIterator):
        return streams.send_async(was, value)
    if hasattr(value, "read"):
        files.rewind(value)
        return streams.send_iterator(was, streams.read_file(value), BINARY)
    if isinstance(value, Iterator) or (
        isinstance(value, Iterable) and not isinstance(value, dict | set | frozenset)
    ):
        return streams.send_iterator(was, iter(value), HTML)
    raise TypeError(
        f"a handler returned {type(value).__name__}, which is no answer: return str, bytes, None, a"
        " file, an iterator of str or bytes, or dict, list or a model"
        " (msgspec.Struct, dataclass, attrs, pydantic)"
    )


def convert(was: Was, value: Any) -> Any:
    """Apply the responders of the layers until none fits any more, or it is an awaitable."""
    responders = was.app.responders
    for _ in range(_CONVERSIONS):
        kind = type(value)
        if kind is Response:
            value = value.body
            continue
        if kind is tuple:
            answer = with_status(was, value)
            if answer is None:
                return value
            value = answer
            continue
        try:
            responder = responders[kind]
        except KeyError:
            responder = responders[kind] = _inherited(was.app, kind)
        if responder is None:
            return value
        value = responder(was, value)
    raise TypeError(f"the responders of {type(value).__name__} never come to an end")


async def resolved(was: Was, value: Any) -> Any:
    """The value of an awaitable, others unchanged: hooks get data, not tasks."""
    while hasattr(type(value), "__await__"):
        responders = was.app.responders
        kind = type(value)
        responder = responders.get(kind) or _inherited(was.app, kind)
        value = await value if responder is None else responder(was, value)
    return value


def with_status(was: Was, value: Any) -> Response | None:
    """The response of `return value, 201` or `return value, 201, headers`, which are short for
    `was.response(201, value, headers)`.

    Returns:
        None for anything else than a plain tuple of these.

    Raises:
        TypeError: it is a tuple with a number that is no status: no answer at all.
    """
    if type(value) is not tuple:
        return None
    status = status_beside(value)
    if status is not None and 100 <= status <= 599:
        headers = value[2] if len(value) == 3 else ()
        if isinstance(headers, Mapping | list | tuple):
            return was.response(status, value[0], headers)
    if any(isinstance(item, int) for item in value):
        raise TypeError(
            f"a handler returned ({', '.join(type(item).__name__ for item in value)}), which is no"
            " answer: a tuple is `value, status`, as in `return {...}, 201`, or"
            " `value, status, headers`, with a status from 100 to 599; or else texts to stream"
        )
    return None


def _inherited(app: Atila, kind: type) -> Responder | None:
    for base in kind.__mro__[1:-1]:
        if base in app.responders:
            return app.responders[base]
    responder = data_answers.responder_of(kind, app)
    if responder is not None:
        app.never_awaited.add(kind)  # A model.
    return responder


def _send(was: Was, body: bytes, default: Headers) -> None:
    exchange, response = was.exchange, was.response
    status = response.status_code
    headers = head(was, default[0])
    if body and response.headers and response.get_header("content-length") is not None:
        # Its length is known here, whatever was said.
        headers = without(headers, "content-length")
    if status in NO_BODY:
        body = b""
    elif status == 200 and (response.etag or response.mtime is not None):
        status, body = _part(was, headers, body)
    if status not in NO_BODY and exchange.method == "HEAD":
        if body or response.get_header("content-length") is None:
            headers.append(("content-length", str(len(body))))
        body = b""
    exchange.respond(status, headers, body)


def _part(was: Was, headers: Headers, body: bytes) -> tuple[int, bytes]:
    """The part of a body that the request asks for, and its status."""
    response = was.response
    part = caching.find_range(was.exchange, len(body), response.etag, response.mtime)
    headers.append(("accept-ranges", "bytes"))
    if part is None:
        return 200, body
    headers.append(caching.range_header(part, len(body)))
    return 206, body[slice(*part)]


def _send_nothing(was: Was) -> None:
    """An empty answer: 204, unless the handler has set another status."""
    headers = head(was, None)
    if was.exchange.method != "HEAD":
        headers = without(headers, "content-length")
    was.exchange.respond(was.response.given_status or 204, headers, b"")


def send_not_modified(was: Was) -> None:
    """304, with the headers for caches (RFC 9110, section 15.4.5), and no body."""
    headers = [pair for pair in head(was, None) if pair[0] not in _OF_THE_BODY]
    was.exchange.respond(304, headers, b"")
