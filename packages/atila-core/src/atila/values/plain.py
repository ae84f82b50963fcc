"""Values that JSON does not have, as values that it has."""

from __future__ import annotations

import base64
from collections import UserString, deque
from collections.abc import Callable, Sequence, Set, ValuesView
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from os import PathLike, fsdecode
from typing import Any
from uuid import UUID

import msgspec

_KINDS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (str, str),
    (float, float),
    (UUID | Decimal | Fraction | UserString, str),
    (IPv4Address | IPv4Network | IPv6Address | IPv6Network, str),
    (date | time, lambda value: value.isoformat()),
    (timedelta, lambda value: duration(value)),
    (bytes | bytearray | memoryview, lambda value: base64.b64encode(value).decode()),
    (PathLike, fsdecode),
    (tuple | list | Set | deque | Sequence | ValuesView, list),
)
"""Types, subclasses of them included, and the substitutes for their values."""

_OF_LIBRARIES: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("asyncpg", "Range"): lambda value: range_text(value),
    ("asyncpg", "BitString"): lambda value: value.as_string().replace(" ", ""),
    ("asyncpg", "Path"): list,
    ("asyncpg", "Polygon"): list,
    ("psycopg", "Range"): lambda value: range_text(value),
    ("bson", "ObjectId"): str,
    ("bson", "Decimal128"): str,
    ("bson", "Timestamp"): lambda value: value.as_datetime(),
    ("pydantic", "AnyUrl"): str,
    ("pydantic", "_BaseUrl"): str,
    ("pydantic", "_BaseMultiHostUrl"): str,
    # Written as asterisks.
    ("pydantic", "_SecretBase"): str,
    ("pydantic_core", "Url"): str,
    ("pydantic_core", "MultiHostUrl"): str,
}
"""The same for classes of libraries, which need not be installed: by the package and their name."""


def plain(value: Any) -> Any:
    """The substitute for a value of a type that JSON does not have.

    str for UUIDs, Decimals, fractions, IP addresses and networks, paths, dates and times (ISO
    8601), durations (ISO 8601: "P1DT90S"), ranges of PostgreSQL ("[1,5)") and its bits ("1011"),
    bytes (base64, RFC 4648, section 4), identities of MongoDB, URLs and secrets of pydantic; dict
    for mappings and rows; list for sets, tuples, deques and other collections, and arrays.

    Raises:
        TypeError: it is of another type.
    """
    if hasattr(value, "keys") and hasattr(value, "__getitem__"):
        # A row as well, of sqlite3 or asyncpg, which is no Mapping.
        return {key: value[key] for key in value.keys()}  # noqa: SIM118 - iterating gives values
    for kind, convert in _KINDS:
        if isinstance(value, kind):
            return convert(value)
    for kind in type(value).__mro__:
        known = _OF_LIBRARIES.get((kind.__module__.partition(".")[0], kind.__name__))
        if known is not None:
            return known(value)
    if hasattr(value, "tolist"):
        # An array that orjson does not take as it is: of Fortran's order, of texts, of `array`.
        return value.tolist()
    raise TypeError(f"is of the type {type(value).__name__}, which JSON has not")


def duration(value: timedelta) -> str:
    """A duration as ISO 8601 has it, section 5.5.2: "P1DT7384.5S"."""
    own = getattr(value, "isoformat", None)
    if own is not None:
        return str(own())
    text: str = msgspec.to_builtins(timedelta(value.days, value.seconds, value.microseconds))
    return text


def range_text(value: Any) -> str:
    """A range as PostgreSQL writes it: "[1,5)", "(,2026-01-31]", "empty"."""
    if value.isempty:
        return "empty"
    lower, upper = _bound(value.lower), _bound(value.upper)
    return f"{'[' if value.lower_inc else '('}{lower},{upper}{']' if value.upper_inc else ')'}"


def _bound(value: Any) -> str:
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, date | time) else str(value)
    # Of a text, or of a type of one's own.
    needs_quotes = not text or any(c in '()[],"\\' or c.isspace() for c in text)
    return '"{}"'.format(text.replace("\\", r"\\").replace('"', r"\"")) if needs_quotes else text
