"""Reads parameters from query strings and bodies; each flaw is a 400 that names it."""

from __future__ import annotations

import json as standard_json
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

import orjson

from atila.errors import HTTPError
from atila.values import json
from atila.values.places import place

FORM_TYPE = "application/x-www-form-urlencoded"
JSON_TYPE = "application/json"
_USUAL = 80
"""Characters of a Content-Type that is remembered."""
_JSON_TYPES = frozenset({JSON_TYPE, "text/json"})


def parse_query(text: str, most: int) -> dict[str, Any]:
    """The fields of a query string or an URL-encoded form (WHATWG URL, section 5.1).

    Args:
        text: "name=Hans+Roh&age=7".
        most: the most fields.

    Returns:
        Name to value; to a list of values, in order, if the name comes more than once.

    Raises:
        HTTPError: 400 for too many fields, or percent signs that make no UTF-8.
    """
    fields: dict[str, Any] = {}
    check_number(text, most)
    encoded = "%" in text or "+" in text
    for pair in text.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if encoded:
            name, value = decode(name), decode(value)
        if name not in fields:
            fields[name] = value
        else:
            add_field(fields, name, value)
    return fields


def check_number(text: str, most: int) -> None:
    """Raise an HTTPError, 400, for a query or form of more fields than that."""
    if len(text) >= most and text.count("&") >= most:
        raise HTTPError(400, f"more than {most} fields")


def add_field(fields: dict[str, Any], name: str, value: Any) -> None:
    """Add a field; a name that comes again has a list of all its values."""
    if name not in fields:
        fields[name] = value
    elif isinstance(fields[name], list):
        fields[name].append(value)
    else:
        fields[name] = [fields[name], value]


def decode(text: str) -> str:
    """The text of a name or a value, which is percent-encoded UTF-8 with + for a space.

    Raises:
        HTTPError: 400, it is not.
    """
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise HTTPError(400, "a field is not percent-encoded UTF-8") from None


def parse_form(body: bytes, most: int) -> dict[str, Any]:
    """The fields of an URL-encoded body; see `parse_query`."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise HTTPError(400, "the form is not UTF-8") from None
    return parse_query(text, most)


def parse_json(body: bytes) -> Any:
    """The value of a JSON body (RFC 8259); integers are exact.

    Raises:
        HTTPError: 400 if it is malformed, too deep or not UTF-8; with the place.
    """
    try:
        return json.loads_sent(body)
    except json.NotJSON as error:
        raise HTTPError(400, f"the body is not valid JSON: {error}") from None


def parse_json_exactly(body: bytes) -> Any:
    """The value of a JSON body for a handler that says types: no key comes twice in an object, and
    an integer is the one that was sent, however long.

    Raises:
        HTTPError: 400 as `parse_json`, or a key comes twice.
    """
    value = parse_json(body)
    if b"{" in body and not _has_all_keys(body, value):
        _refuse_duplicates(body)
    return value


def _has_all_keys(body: bytes, value: Any) -> bool:
    """Whether no key of the text got lost in the value; False if that is not plain.

    There is a colon for each key, and those in texts are the same in both, unless escaped.
    """
    if has_escapes(body):
        return False
    try:
        return body.count(b":") == orjson.dumps(value).count(b":")
    except TypeError:
        # Integers of more than 64 bits, or nested deeper than orjson writes.
        return False


def has_escapes(body: bytes) -> bool:
    """Whether a text of JSON has a character as its number: "\\u003a"."""
    # One byte is found in a tenth of the time, and most bodies do not have it.
    return b"\\" in body and b"\\u" in body


class _Pairs(list[tuple[str, Any]]):
    """The keys and values of an object as they were sent."""


def _refuse_duplicates(body: bytes) -> None:
    try:
        value = standard_json.loads(body, object_pairs_hook=_Pairs, parse_int=len, parse_float=len)
    except RecursionError:
        raise HTTPError(400, "the body is not valid JSON: nested too deep") from None
    path = _duplicate(value)
    if path:
        shortened = str(path[-1])[:100]
        raise HTTPError(
            400,
            f"the body is not valid JSON: the key {shortened!r} twice",
            errors=[
                {
                    "in": "body",
                    "at": place([*path[:-1], shortened]),
                    "message": "is there twice",
                    "rule": "duplicate",
                }
            ],
        )


def _duplicate(value: Any) -> list[str | int]:
    """The path to a key that its object has twice; empty if there is none."""
    parts: list[tuple[Any, Any]] = [(value, ())]
    while parts:
        value, above = parts.pop()
        seen = set()
        steps = value if isinstance(value, _Pairs) else enumerate(value)
        for key, part in steps:
            if key in seen:
                return _steps((key, above))
            if isinstance(value, _Pairs):
                seen.add(key)
            if isinstance(part, list):
                parts.append((part, (key, above)))
    return []


def _steps(path: Any) -> list[str | int]:
    """A path whose last step comes first, each with those above it."""
    steps = []
    while path:
        step, path = path
        steps.append(step)
    return steps[::-1]


def media_type(content_type: str | None) -> str:
    """ "text/html" of "Text/HTML; charset=utf-8"; "" if there is none."""
    if content_type == JSON_TYPE:
        return JSON_TYPE  # As most bodies have it.
    if not content_type:
        return ""
    # Nobody can fill the memory with those that are long.
    return _usual(content_type) if len(content_type) <= _USUAL else _media_type(content_type)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


_usual = lru_cache(maxsize=256)(_media_type)


def is_json(media: str) -> bool:
    """Whether a media type is JSON: also "text/json", and "application/problem+json" (RFC 6839)."""
    return media in _JSON_TYPES or media.endswith("+json")


def refuse_encoded(content_encoding: str | None) -> None:
    """Refuse a body that is compressed, since it is not unpacked.

    Args:
        content_encoding: the header; None if there is none.

    Raises:
        HTTPError: 415 that names the encoding, with Accept-Encoding (RFC 9110, section 15.5.16).
    """
    coding = (content_encoding or "").strip().lower()
    if coding not in ("", "identity"):
        raise HTTPError(
            415,
            f"the body has the Content-Encoding {coding[:80]!r}; send it without one",
            0,
            [("accept-encoding", "identity")],
        )


def unread_body(content_type: str | None) -> HTTPError:
    """The refusal of a body that gives none of the parameters that the handler needs.

    Args:
        content_type: the header; None if there is none.
    """
    media = media_type(content_type)
    given = f"its Content-Type is {media[:80]!r}" if media else "it has no Content-Type"
    return HTTPError(
        415, f"the body gives no parameters, since {given}; send a form or {JSON_TYPE}"
    )
