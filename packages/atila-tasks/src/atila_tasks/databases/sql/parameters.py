"""Converts parameters to the type that the database expects, as it would convert a literal."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from atila.values import json


class Unread(str):
    """A text for a type that only the server knows how to read."""

    __slots__ = ()


def _truth(value: Any) -> bool:
    if isinstance(value, str):
        known = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
        return known[value.strip().lower()]
    return bool(value)


def _moment(value: Any) -> datetime.datetime:
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, datetime.date):
        return datetime.datetime(value.year, value.month, value.day)
    return datetime.datetime.fromisoformat(value)


def _naive(value: Any) -> datetime.datetime:
    moment = _moment(value)
    return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _aware(value: Any) -> datetime.datetime:
    moment = _moment(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _day(value: Any) -> datetime.date:
    return value if type(value) is datetime.date else _moment(value).date()


def _time(value: Any) -> datetime.time:
    return value if isinstance(value, datetime.time) else datetime.time.fromisoformat(value)


def _text(value: Any) -> str:
    if isinstance(value, dict | list | tuple):
        return json.dumps(value).decode()
    if isinstance(value, bytes):
        return value.decode()
    return str(value)


def _whole(value: Any) -> int:
    number = int(value)
    if not isinstance(value, str) and number != value:
        raise ValueError("a number with a fraction, where an integer is expected")
    return number


def _octets(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


_WHOLE = frozenset({"int2", "int4", "int8", "oid"})

_TAKE: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_WHOLE, _whole),
    **dict.fromkeys(("float4", "float8"), float),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "citext"), _text),
    "numeric": lambda value: decimal.Decimal(str(value)),
    "bool": _truth,
    "date": _day,
    "time": _time,
    "timestamp": _naive,
    "timestamptz": _aware,
    "uuid": lambda value: uuid.UUID(str(value)),
    "bytea": _octets,
}


def fitted(params: Sequence[Any], kinds: Sequence[str]) -> list[Any]:
    """Parameters in the types of a statement, as far as they can be had without loss; texts that
    the server has to read are `Unread`.

    Args:
        params: the values.
        kinds: the names of the types that PostgreSQL expects.
    """
    return [_fit(value, kind) for value, kind in zip(params, kinds, strict=False)]


def _fit(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind.endswith("[]") and isinstance(value, list | tuple):
        return [_fit(each, kind.removesuffix("[]")) for each in value]
    take = _TAKE.get(kind)
    if take is not None:
        try:
            return take(value)
        except (ValueError, KeyError, TypeError, ArithmeticError):
            # If it is no text, it stays as it is, and is refused with what is wrong.
            pass
    return Unread(value) if isinstance(value, str) else value


def has_fractions(params: Sequence[Any]) -> bool:
    """Whether there are floats or Decimals among parameters, in lists too, which `exact` is for."""
    for value in params:
        kind = type(value)
        if kind is int or kind is str:
            # Most of them, and asked first since each statement is.
            continue
        if isinstance(value, float | decimal.Decimal):
            return True
        if isinstance(value, list | tuple) and _is_of_numbers(value) and has_fractions(value):
            return True
    return False


def _is_of_numbers(values: Sequence[Any]) -> bool:
    # A long list of anything else need not be looked through.
    first = next((value for value in values if value is not None), None)
    return isinstance(first, int | float | decimal.Decimal | list | tuple)


def exact(params: Sequence[Any], kinds: Sequence[str]) -> list[Any]:
    """Parameters converted to the types of a statement without loss, from floats and Decimals:
    asyncpg alone makes 1 of 1.5 for an integer, and 1.100000000000000088… of 1.1 for a numeric.

    Args:
        params: the values.
        kinds: the names of the types that PostgreSQL expects.

    Raises:
        ValueError: a fraction is given for an integer.
    """
    return [_exact(value, kind) for value, kind in zip(params, kinds, strict=False)]


def _exact(value: Any, kind: str) -> Any:
    if kind.removesuffix("[]") not in _WHOLE and kind.removesuffix("[]") != "numeric":
        return value
    if kind.endswith("[]") and isinstance(value, list | tuple):
        return [_exact(each, kind.removesuffix("[]")) for each in value]
    if isinstance(value, float | decimal.Decimal):
        if kind in _WHOLE:
            return _whole(value)
        if kind == "numeric" and isinstance(value, float):
            return decimal.Decimal(float.__repr__(value))
    return value
