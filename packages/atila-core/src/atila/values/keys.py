"""How many keys the JSON of a value has, by the lengths of its lists and dicts."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter, itemgetter
from typing import Any

from msgspec import inspect

Get = Callable[[Any], Any]
Count = Callable[[Any], int]

_Terms = dict[Get | None, int]
"""The lists and dicts in a value (None: the value itself), and the keys for each of their items."""


class _Uncountable(Exception):
    """The number of keys is not a matter of lengths."""


def counter(hint: Any) -> Count | None:
    """The function that gives the number of keys in the JSON of a value, of all objects together.

    It looks at no item of a list or dict, so the time does not depend on how many there are.

    Args:
        hint: a type whose values have each key of the JSON that they are read from; see
            `simple.is_whole`.

    Returns:
        None for a type whose items may have different numbers of keys.
    """
    terms: _Terms = {}
    try:
        fixed = _keys(inspect.type_info(hint), None, terms, ())
    except _Uncountable:
        return None
    if not terms:
        return lambda value: fixed
    measured = tuple(terms.items())
    only, keys = measured[0]
    if len(measured) == 1 and only is not None:
        return lambda value: fixed + keys * len(only(value) or ())

    def count(value: Any) -> int:
        found = fixed
        for get, each in measured:
            # There may be None in the place of a list.
            found += each * len((value if get is None else get(value)) or ())
        return found

    return count


def _keys(part: Any, get: Get | None, terms: _Terms, above: tuple[Any, ...]) -> int:
    """The keys that each value of a type has; its lists and dicts are added to `terms`.

    Args:
        part: the type.
        get: gives the value out of the whole one.
        terms: gets what is to be measured.
        above: the models in which it is.
    """
    if isinstance(part, inspect.Metadata):
        return _keys(part.type, get, terms, above)
    if isinstance(part, inspect.UnionType):
        return _keys_of_union(part, get, terms, above)
    if isinstance(part, inspect.ListType):
        _measure(get, _each(part.item_type, above), terms)
        return 0
    if isinstance(part, inspect.DictType):
        _measure(get, 1 + _each(part.value_type, above), terms)
        return 0
    if isinstance(part, inspect.AnyType):
        raise _Uncountable
    fields = getattr(part, "fields", ())
    cls = getattr(part, "cls", None)
    if fields and any(cls is each for each in above):
        raise _Uncountable
    return len(fields) + sum(
        _keys(field.type, _getter(part, field, get), terms, (*above, cls)) for field in fields
    )


def _keys_of_union(
    union: inspect.UnionType, get: Get | None, terms: _Terms, above: tuple[Any, ...]
) -> int:
    """Those of a list or dict that may be None; any other one must not have any."""
    others = [each for each in union.types if not isinstance(each, inspect.NoneType)]
    if len(others) == 1 and isinstance(others[0], inspect.ListType | inspect.DictType):
        return _keys(others[0], get, terms, above)
    if any(_each(each, above) for each in others):
        raise _Uncountable
    return 0


def _each(part: Any, above: tuple[Any, ...]) -> int:
    """The keys of each item of a list or dict."""
    inner: _Terms = {}
    keys = _keys(part, None, inner, above)
    if inner:
        raise _Uncountable
    return keys


def _measure(get: Get | None, each: int, terms: _Terms) -> None:
    if each:
        terms[get] = each


def _getter(part: Any, field: inspect.Field, get: Get | None) -> Get:
    here: Get = (
        itemgetter(field.encode_name)
        if isinstance(part, inspect.TypedDictType)
        else attrgetter(field.name)
    )
    if get is None:
        return here
    return lambda value: here(get(value))
