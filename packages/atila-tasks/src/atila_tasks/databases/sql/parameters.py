"""Converts parameters to the type that the database expects, as it would convert a literal."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import orjson


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
        return orjson.dumps(value, default=str).decode()
    if isinstance(value, bytes):
        return value.decode()
    return str(value)


def _octets(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


_TAKE: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), int),
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
    """Parameters in the types of a statement, as far as they can be had without loss.

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
    if take is None:
        return value
    try:
        return take(value)
    except (ValueError, KeyError, TypeError, ArithmeticError):
        # It stays as it is, and is refused with what is wrong.
        return value
