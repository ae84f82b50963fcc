"""Writes answers of XML-RPC with Python's own marshaller."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID
from xmlrpc.client import Marshaller

from atila.values.models import is_model, to_plain
from atila.values.plain import plain

if TYPE_CHECKING:
    from atila_render.rpc.faults import CallFault

_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<methodResponse>\n'
# What XML 1.0 has no characters for (section 2.2).
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Unwritable(TypeError):
    """A value cannot be written; the message names its type, and never the value."""


def value_of(value: Any) -> str:
    """A value as XML: <value>…</value>.

    Args:
        value: made of dicts, lists, tuples, sets, str, int of 32 bits, float, bool, bytes, None,
            which is the extension `nil`, and datetimes; dates, times, UUIDs and Decimals (as str),
            enumerations, dataclasses, rows of databases, and types that `atila.values.plain`
            converts.

    Raises:
        Unwritable: a value in it is none of these.
    """
    try:
        # dumps() gives <params><param>…, of which only the value is needed.
        text: str = Marshaller("utf-8", allow_none=True).dumps((_plain(value),))
    except RecursionError:
        raise Unwritable("a value refers to itself, or is nested too deep") from None
    except OverflowError:
        raise Unwritable("an int has more than 32 bits, which XML-RPC has not") from None
    if _UNWRITABLE.search(text):
        raise Unwritable("a text has a character that XML 1.0 has not")
    return text.partition("<param>\n")[2].rpartition("</param>")[0]


def array(values: list[str]) -> str:
    """Values, written already, as an array."""
    return f"<value><array><data>\n{''.join(values)}</data></array></value>\n"


def fault_value(fault: CallFault) -> str:
    """A fault as a struct."""
    text = _UNWRITABLE.sub("\ufffd", fault.text)
    return value_of({"faultCode": fault.code, "faultString": text})


def value_document(value: str) -> bytes:
    """The answer that has a value, written already."""
    return _document(f"<params>\n<param>\n{value}</param>\n</params>\n")


def fault_document(fault: CallFault) -> bytes:
    """The answer that has a fault."""
    return _document(f"<fault>\n{fault_value(fault)}</fault>\n")


def _document(content: str) -> bytes:
    return f"{_HEAD}{content}</methodResponse>\n".encode()


def _same(value: Any) -> Any:
    return value


def _list(value: Any) -> list[Any]:
    return [_plain(each) for each in value]


def _dict(value: Any) -> dict[str, Any]:
    return {_key(key): _plain(value[key]) for key in value.keys()}  # noqa: SIM118 - rows give values


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    if isinstance(key, int | float | UUID):
        return str(key)
    raise Unwritable(f"a key of the type {type(key).__name__} cannot be written as XML-RPC")


_KINDS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Enum, lambda value: _plain(value.value)),
    (bool, bool),
    (int, int),
    (float, float),
    (str, str),
    (bytes | bytearray | memoryview, bytes),
    (datetime, _same),
    (date | time, lambda value: value.isoformat()),
    (Decimal | UUID, str),
    (Mapping, _dict),
    (list | tuple | Set, _list),
)
"""Types, the more particular first, with converters to the types of the marshaller, which takes no
subclass and would write the attributes of any other object.
"""

_QUICK: dict[type, Callable[[Any], Any]] = {
    bool: _same,
    bytes: _same,
    datetime: _same,
    dict: _dict,
    float: _same,
    int: _same,
    list: _list,
    str: _same,
    tuple: _list,
    type(None): _same,
}


def _plain(value: Any) -> Any:
    quick = _QUICK.get(type(value))
    if quick is not None:
        return quick(value)
    for kind, convert in _KINDS:
        if isinstance(value, kind):
            return convert(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if is_model(type(value)):
        return _plain(to_plain(value))
    try:
        simpler = plain(value)
    except TypeError:
        raise Unwritable(f"{type(value).__name__} cannot be written as XML-RPC") from None
    return _plain(simpler)
