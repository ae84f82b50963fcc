"""Reads parameters from query strings and bodies; each flaw is a 400 that names it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

import orjson

from atila.errors import HTTPError

FORM_TYPE = "application/x-www-form-urlencoded"
JSON_TYPE = "application/json"


def parse_query(text: str, most: int) -> dict[str, Any]:
    """The fields of a query string or an URL-encoded form (WHATWG URL, section 5.1).

    Args:
        text: "name=Hans+Roh&age=7".
        most: how many fields there may be.

    Returns:
        Name to value; to a list of values, in order, if the name comes more than once.

    Raises:
        HTTPError: 400 for too many fields, or percent signs that make no UTF-8.
    """
    fields: dict[str, Any] = {}
    if text.count("&") >= most:
        raise HTTPError(400, f"more than {most} fields")
    encoded = "%" in text or "+" in text
    for pair in text.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if encoded:
            name, value = _decode(name), _decode(value)
        if name not in fields:
            fields[name] = value
        else:
            add_field(fields, name, value)
    return fields


def add_field(fields: dict[str, Any], name: str, value: Any) -> None:
    """Add a field; a name that comes again has a list of all its values."""
    if name not in fields:
        fields[name] = value
    elif isinstance(fields[name], list):
        fields[name].append(value)
    else:
        fields[name] = [fields[name], value]


def _decode(text: str) -> str:
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
    """The value of a JSON body (RFC 8259).

    Raises:
        HTTPError: 400 if it is malformed, too deep or not UTF-8; it tells where.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise HTTPError(400, f"the body is not valid JSON: {error.msg} ({where})") from None


def media_type(content_type: str | None) -> str:
    """ "text/html" of "Text/HTML; charset=utf-8"; "" if there is none."""
    return content_type.partition(";")[0].strip().lower() if content_type else ""


def is_json(media: str) -> bool:
    """Whether a media type is JSON (RFC 6839: also "application/problem+json")."""
    return media == JSON_TYPE or media.endswith("+json")
