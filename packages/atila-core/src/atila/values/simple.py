"""Types that JSON has by itself: every writer writes the same of their values."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from msgspec import inspect

_PLAIN = (
    inspect.BoolType,
    inspect.FloatType,
    inspect.IntType,
    inspect.LiteralType,
    inspect.NoneType,
    inspect.StrType,
)
_OBJECTS = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType)


@lru_cache(maxsize=1024)
def is_simple(hint: Any) -> bool:
    """Whether a type is made of numbers, texts, lists, dicts and models alone: no dates, say."""
    return all(isinstance(part, _PLAIN) or _is_object(part) for part in _parts(hint))


def is_whole(hint: Any) -> bool:
    """Whether a value of a type has each key of the JSON that it is read from, but those that come
    twice or are unknown, and no other: it is simple, or anything, and no field may be missing.
    """
    return all(
        isinstance(part, (*_PLAIN, inspect.AnyType))
        or (_is_object(part) and _has_all(part) and not _changes(part))
        for part in _parts(hint)
    )


def _has_all(part: Any) -> bool:
    return all(field.required for field in getattr(part, "fields", ()))


def _changes(part: Any) -> bool:
    """Whether a model has code of its own that may change what it is made of."""
    cls = getattr(part, "cls", None)
    return hasattr(cls, "__post_init__") or hasattr(cls, "__attrs_attrs__")


def _is_object(part: Any) -> bool:
    """Whether a part is a list, or written as an object with its fields as keys, and no other."""
    if isinstance(part, inspect.DictType):
        return isinstance(part.key_type, inspect.StrType)
    if isinstance(part, inspect.StructType):
        return part.tag is None and not part.array_like
    return isinstance(part, (*_OBJECTS, inspect.ListType))


def _parts(hint: Any) -> list[Any]:
    """All types that a type is made of; of models each once."""
    try:
        left: list[Any] = [inspect.type_info(hint)]
    except (TypeError, NameError, ValueError):
        return [None]
    found: list[Any] = []
    models: list[Any] = []
    while left:
        part = left.pop()
        if isinstance(part, inspect.Metadata):
            left.append(part.type)
        elif isinstance(part, inspect.UnionType):
            left += part.types
        elif not (isinstance(part, _OBJECTS) and any(part.cls is each for each in models)):
            found.append(part)
            if isinstance(part, _OBJECTS):
                models.append(part.cls)
                left += [field.type for field in part.fields]
            elif isinstance(part, inspect.ListType):
                left.append(part.item_type)
            elif isinstance(part, inspect.DictType):
                left.append(part.value_type)
    return found
