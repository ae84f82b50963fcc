"""Values as JSON (RFC 8259)."""

from __future__ import annotations

from collections.abc import Mapping, Set
from decimal import Decimal
from typing import Any

import orjson


def to_json(value: Any) -> bytes:
    """A value as JSON, in UTF-8.

    Args:
        value: made of dicts, lists, tuples, sets, str, int, float, bool and None; dates and times
            (as RFC 3339), UUIDs, Decimals (as str, which keeps every digit), enumerations and
            dataclasses.

    Raises:
        TypeError: something in it has another type, is an int beyond 64 bits, or refers to itself.
    """
    try:
        return orjson.dumps(value, _default)
    except TypeError as error:
        if "Dict key must be str" not in str(error):
            raise
    # Looking at the types of all keys takes time, so it is done for those only who need it.
    return orjson.dumps(value, _default, orjson.OPT_NON_STR_KEYS)


def _default(value: Any) -> Any:
    """What stands for a value of a type that JSON does not have."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Set | tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
