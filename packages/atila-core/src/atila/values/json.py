"""JSON (RFC 8259) that keeps integers as they are, however long."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import date, datetime, time
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
import orjson

from atila.values.plain import plain

Default = Callable[[Any], Any]

_LEAST, _MOST = -(2**63), 2**64 - 1
"""Integers that orjson writes."""
_DEEPEST = 254
"""Steps into a value that orjson goes."""
_TOO_DEEP = "Recursion limit reached"
"""The error of orjson for more."""
_LONGEST = 4300
"""Digits of an integer that Python reads and writes by itself."""
DEEPEST_SENT = 200
"""Steps into a value that a client sends: an answer may have it inside of others."""
_ROOM = _DEEPEST - DEEPEST_SENT

_decode = msgspec.json.Decoder().decode


class NotJSON(ValueError):
    """A text is no JSON; the message says why, and where."""


def loads(data: bytes | str) -> Any:
    """The value of a text.

    Integers are exact, up to 4300 digits; other numbers are floats, and never infinite.

    Raises:
        NotJSON: it is malformed, too deep, or not UTF-8, or has a number out of these bounds.
    """
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotJSON(_flaw(data, error)) from None


def loads_sent(data: bytes | str) -> Any:
    """The value of a text that a client has sent: as `loads`, and one that can be answered.

    Raises:
        NotJSON: as `loads`, or it is deeper than `DEEPEST_SENT`.
    """
    value = loads(data)
    if may_be_deep(data) and _is_deep(value):
        raise NotJSON(f"it is nested deeper than {DEEPEST_SENT} levels")
    return value


def may_be_deep(data: bytes | str) -> bool:
    """Whether a text has enough lists and objects to be deeper than `DEEPEST_SENT`."""
    if isinstance(data, str):
        return data.count("[") + data.count("{") > DEEPEST_SENT
    return data.count(b"[") + data.count(b"{") > DEEPEST_SENT


def _is_deep(value: Any) -> bool:
    # The writer looks faster than Python could.
    for _ in range(_ROOM):
        value = [value]
    try:
        dumps(value, None)
    except TypeError as error:
        return str(error) == _TOO_DEEP
    return False


def _flaw(data: bytes | str, error: Exception) -> str:
    """The fault of a text, by orjson, with line and column."""
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError as found:
        if "infinity" in found.msg:
            return f"a number is out of range (line {found.lineno}, column {found.colno})"
        return f"{found.msg} (line {found.lineno}, column {found.colno})"
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)


def dumps(value: Any, default: Default | None = plain, option: int = 0) -> bytes:
    """A value as JSON, in UTF-8.

    Args:
        value: a value that orjson takes, or an integer of any length; others by `default`.
        default: gives a substitute for a value of a type that orjson does not know, or raises
            TypeError; None for no substitutes, and no keys but text: the value is read back as it
            was.
        option: the flags of orjson.

    Raises:
        TypeError: a value in it cannot be written.
    """
    try:
        return orjson.dumps(value, default, option)
    except TypeError as error:
        # Looking into the value takes time; it is done for those only who need it.
        if "Dict key must" in str(error) and default and not option & orjson.OPT_NON_STR_KEYS:
            try:
                return orjson.dumps(value, default, option | orjson.OPT_NON_STR_KEYS)
            except TypeError:
                pass
        try:
            return orjson.dumps(_Writing(default, option).written(value, 0), default, option)
        except RecursionError:
            raise TypeError(_TOO_DEEP) from error


class _Writing:
    """Makes of a value one that orjson takes, where that does not ask `default` by itself.

    Args:
        default: see `dumps`.
        option: the flags of orjson.
    """

    def __init__(self, default: Default | None, option: int) -> None:
        self._default = default
        self._splits = not option & orjson.OPT_PASSTHROUGH_DATACLASS
        self._keeps_dates = bool(option & orjson.OPT_PASSTHROUGH_DATETIME)

    def written(self, value: Any, depth: int) -> Any:
        if depth > _DEEPEST:
            raise TypeError(_TOO_DEEP)
        if value is None or isinstance(value, str | bool):
            return value
        if isinstance(value, Enum):
            return self.written(value.value, depth + 1)
        if isinstance(value, int):
            return value if _LEAST <= value <= _MOST else orjson.Fragment(_digits(value))
        if isinstance(value, dict):
            key_of = _text_only if self._default is None else _key
            return {key_of(key): self.written(part, depth + 1) for key, part in value.items()}
        if isinstance(value, list) or type(value) is tuple:
            return [self.written(part, depth + 1) for part in value]
        kind = type(value)
        if kind in (float, UUID, date, datetime, orjson.Fragment):
            return value
        if kind is time and (self._keeps_dates or value.tzinfo is None):
            return value
        if self._splits and dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value)]
            return {
                name: self.written(getattr(value, name), depth + 1)
                for name in names
                if not name.startswith("_")
            }
        if self._default is None:
            raise TypeError(f"Type is not JSON serializable: {kind.__name__}")
        return self.written(self._default(value), depth + 1)


def _digits(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:
        raise TypeError(f"an int of more than {_LONGEST} digits") from None


def _text_only(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError("Dict key must be str")
    return key


def _key(key: Any) -> str:
    """A key as text."""
    if isinstance(key, Enum):
        return _key(key.value)
    if isinstance(key, str):
        return str(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int):
        return _digits(key)
    if isinstance(key, float):
        return orjson.dumps(key).decode()
    text = plain(key)
    if not isinstance(text, str):
        raise TypeError("Dict key must be str")
    return text
