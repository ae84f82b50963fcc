"""Readers of the types whose values have no parts: numbers, texts, dates, enumerations, files."""

from __future__ import annotations

import datetime
import enum
import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from math import isfinite
from typing import Any, get_args

import msgspec

from atila.http.uploads import Upload
from atila.routing.router import LONGEST_NUMBER
from atila.validation.converters import WORDS
from atila.validation.readers import Anything, Custom, Reader, Scalar, Schema

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_EXACT = 2**53
"""Whole numbers below are exact as floats (IEEE 754), which JSON's numbers may be."""
_LISTED = 20
"""Values of an enumeration that a message names."""

_WORDS = {
    **{word.lower(): value for word, value in WORDS.items()},
    "1": True,
    "0": False,
    "on": True,
    "off": False,
}
"""The forms of a bool in a query or form; browsers send "on" for a checked box."""


def _int(text: str) -> int:
    if text.isdecimal() and text.isascii() and len(text) <= LONGEST_NUMBER:
        return int(text)
    if len(text) > LONGEST_NUMBER or not _INTEGER.fullmatch(text):
        raise ValueError
    return int(text)


def _whole(value: Any) -> int:
    # 1.0 is an integer in JSON Schema.
    if type(value) is float and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    raise ValueError


def _number(make: Callable[[str], Any]) -> Callable[[str], Any]:
    def from_text(text: str) -> Any:
        if len(text) > LONGEST_NUMBER or not _NUMBER.fullmatch(text):
            raise ValueError
        return make(text)

    return from_text


def _bool(text: str) -> bool:
    try:
        return _WORDS[text.lower()]
    except KeyError:
        raise ValueError from None


def _bytes(value: Any) -> bytes:
    if isinstance(value, Upload):
        return value.read()
    raise ValueError


def _is_infinite(value: Any) -> bool:
    return not (value.is_finite() if isinstance(value, Decimal) else isfinite(value))


_DECIMAL = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"


def _text(format: str) -> Schema:
    return {"type": "string", "format": format}


_MADE: dict[Any, Callable[[], Reader]] = {
    Any: Anything,
    object: Anything,
    bool: lambda: Scalar(bool, "must be true or false", {"type": "boolean"}, from_text=_bool),
    int: lambda: Scalar(
        int, "must be a whole number", {"type": "integer"}, from_text=_int, from_json=_whole
    ),
    float: lambda: Scalar(
        float,
        "must be a number",
        {"type": "number"},
        from_text=_number(float),
        refused=_is_infinite,
    ),
    Decimal: lambda: Scalar(
        Decimal,
        "must be a decimal number",
        {"anyOf": [{"type": "string", "pattern": _DECIMAL}, {"type": "number"}]},
        from_text=_number(Decimal),
        refused=_is_infinite,
    ),
    str: lambda: Scalar(str, "must be a text", {"type": "string"}, takes_text=True),
    bytes: lambda: Scalar(
        bytes,
        "must be bytes as base64",
        {"type": "string", "contentEncoding": "base64"},
        from_json=_bytes,
    ),
    type(None): lambda: Scalar(None, "must be null", {"type": "null"}),
    datetime.date: lambda: Scalar(
        datetime.date, "must be a date such as 2026-01-31", _text("date")
    ),
    datetime.time: lambda: Scalar(datetime.time, "must be a time such as 12:30:00", _text("time")),
    datetime.datetime: lambda: Scalar(
        datetime.datetime,
        "must be a date and time such as 2026-01-31T12:30:00Z",
        _text("date-time"),
    ),
    datetime.timedelta: lambda: Scalar(
        datetime.timedelta, "must be a duration such as PT1H30M", _text("duration")
    ),
    uuid.UUID: lambda: Scalar(uuid.UUID, "must be a UUID", _text("uuid")),
    Upload: lambda: Custom(Upload, "must be a file", {"type": "string", "format": "binary"}),
}


def scalar(hint: Any) -> Reader | None:
    """The reader of a type that has no parts; None if it is none of these."""
    try:
        make = _MADE.get(hint)
    except TypeError:
        return None
    if make is not None:
        return make()
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _of_values(hint, [member.value for member in hint])
    return None


def literal(hint: Any) -> Reader:
    """The reader of a `Literal`."""
    values = list(get_args(hint))
    # "None" of a Literal is a value like others.
    return _of_values(hint, [v.value if isinstance(v, enum.Enum) else v for v in values])


def _of_values(hint: Any, values: list[Any]) -> Scalar:
    by_text = {str(value): value for value in values if not isinstance(value, str)}

    def from_text(text: str) -> Any:
        try:
            return msgspec.convert(text, hint)
        except msgspec.ValidationError:
            return msgspec.convert(by_text.get(text, text), hint)

    listed = ", ".join(repr(value) for value in values[:_LISTED])
    schema: Schema = {"enum": values}
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and (kind := _JSON.get(kinds.pop())):
        schema = {"type": kind, "enum": values}
    return Scalar(
        hint,
        f"must be one of {listed}" + (", …" if len(values) > _LISTED else ""),
        schema,
        rule="enum",
        from_text=from_text,
        from_json=lambda value: msgspec.convert(_whole(value), hint),
        takes_text="" in values,
    )


_JSON: dict[type, str] = {str: "string", int: "integer"}
