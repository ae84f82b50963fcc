"""Models as JSON and as plain values: msgspec.Struct, dataclasses, attrs, pydantic."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec
import orjson

from atila.values import json
from atila.values.plain import plain
from atila.values.simple import is_simple

_KEPT = (datetime.datetime, datetime.date, datetime.time, Decimal, uuid.UUID)


def is_model(kind: type) -> bool:
    """Whether the values of a class are models."""
    # For mypy, a class may have no hash.
    hashable: Any = kind
    return _is_model(hashable)


@lru_cache(maxsize=1024)
def _is_model(kind: type) -> bool:
    return (
        issubclass(kind, msgspec.Struct)
        or dataclasses.is_dataclass(kind)
        or hasattr(kind, "__attrs_attrs__")
        or hasattr(kind, "__pydantic_serializer__")
    )


def to_plain(value: Any) -> Any:
    """A model, and all values in it, as dicts, lists and plain values.

    Dates, times, Decimals and UUIDs stay as they are; bytes become base64.

    Raises:
        TypeError: a value in it is of no type that JSON has.
    """
    if hasattr(type(value), "__pydantic_serializer__"):
        return _by_pydantic(value)
    return msgspec.to_builtins(value, builtin_types=_KEPT, enc_hook=_simpler)


@lru_cache(maxsize=1024)
def _is_simple_model(kind: type) -> bool:
    return is_model(kind) and is_simple(kind)


UNWRITABLE = (TypeError, ValueError, ArithmeticError, RecursionError)
"""Errors of the function that `simple_writer` gives."""


def simple_writer(kind: type) -> Callable[[Any], bytes] | None:
    """The function that writes the models of a class as JSON in UTF-8, the same as that of
    `to_plain`, or raises one of `UNWRITABLE`; None for a class that is not simple.
    """
    # For mypy, a class may have no hash.
    hashable: Any = kind
    return _encode if _is_simple_model(hashable) else None


def simple_json(value: Any) -> bytes | None:
    """A model that is simple, as JSON in UTF-8: the same as that of `to_plain`; None for others."""
    write = simple_writer(type(value))
    try:
        return None if write is None else write(value)
    except UNWRITABLE:
        return None


def to_json(value: Any) -> bytes:
    """A value as JSON (RFC 8259), in UTF-8.

    It takes dicts, lists, tuples, sets, str, int, float, bool and None; models; dates, times,
    durations, UUIDs, Decimals (as str), bytes (as base64), and enumerations.

    Raises:
        TypeError: a value in it is of another type.
    """
    kind = type(value)
    # orjson is the faster of the two for dicts and lists, msgspec for models.
    if kind is not dict and kind is not list and is_model(kind):
        if hasattr(kind, "__pydantic_serializer__"):
            return json.dumps(_by_pydantic(value))
        return _encode(value)
    return json.dumps(value, _default, _OPTIONS)


_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS
"""Dataclasses are msgspec's, so that they are the same in a list as alone. To take keys that are no
text costs orjson as much again, so `json.dumps` asks for that where it meets one."""


def _default(value: Any) -> Any:
    if hasattr(type(value), "__pydantic_serializer__"):
        return _by_pydantic(value)
    if is_model(type(value)):
        return msgspec.to_builtins(value, enc_hook=_simpler)
    return plain(value)


def _by_pydantic(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json", by_alias=True)
    # A dataclass of pydantic's.
    return type(value).__pydantic_serializer__.to_python(value, mode="json", by_alias=True)


def _simpler(value: Any) -> Any:
    if hasattr(type(value), "__pydantic_serializer__"):
        return _by_pydantic(value)
    return plain(value)


_encode = msgspec.json.Encoder(enc_hook=_simpler).encode
