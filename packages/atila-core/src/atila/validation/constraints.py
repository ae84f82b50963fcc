"""Constraints in annotations: those of msgspec.Meta, of annotated-types, and of pydantic.Field.

Annotated[int, Meta(ge=1)]    Annotated[int, Ge(1)]    Annotated[int, Field(ge=1)]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import isclose
from typing import Any

import msgspec

NAMES = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz")
"""The names of constraints in `msgspec.Meta`, with those that errors have in "rule"."""

_SHOWN = 80
"""Characters of a pattern that a message has."""


class Unsupported(ValueError):
    """A constraint that means nothing here; the message says why."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A rule about a value of the right type.

    Attributes:
        rule: one of `NAMES`, or "predicate".
        bound: the value to compare with.
        must: the demand in words: "must be at least 1".
        holds: whether a value obeys it.
        is_foreign: msgspec does not check it in models.
    """

    rule: str
    bound: Any
    must: str
    holds: Callable[[Any], bool]
    is_foreign: bool


def _multiple(bound: Any) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        if isinstance(value, float) or isinstance(bound, float):
            ratio = value / bound
            return isclose(ratio, round(ratio), rel_tol=1e-12, abs_tol=1e-12)
        return bool(value % bound == 0)

    return holds


def _found(bound: str) -> Callable[[Any], bool]:
    pattern = re.compile(bound)
    return lambda value: pattern.search(value) is not None


_MADE: dict[str, tuple[str, Callable[[Any], Callable[[Any], bool]]]] = {
    "gt": ("must be more than {}", lambda bound: lambda value: value > bound),
    "ge": ("must be at least {}", lambda bound: lambda value: value >= bound),
    "lt": ("must be less than {}", lambda bound: lambda value: value < bound),
    "le": ("must be at most {}", lambda bound: lambda value: value <= bound),
    "multiple_of": ("must be a multiple of {}", _multiple),
    "pattern": ("must match {}", _found),
    "min_length": ("must have a length of at least {}", lambda b: lambda value: len(value) >= b),
    "max_length": ("must have a length of at most {}", lambda b: lambda value: len(value) <= b),
    "tz": ("", lambda bound: lambda value: (value.tzinfo is not None) == bound),
}


def _constraint(rule: str, bound: Any, is_foreign: bool) -> Constraint:
    must, make = _MADE[rule]
    if rule == "tz":
        must = "must have a time zone" if bound else "must have no time zone"
    try:
        return Constraint(rule, bound, must.format(str(bound)[:_SHOWN]), make(bound), is_foreign)
    except re.error as error:
        raise Unsupported(f"{bound!r} is no regular expression: {error}") from None


@dataclass(frozen=True, slots=True)
class Said:
    """The contents of an annotation's metadata.

    Attributes:
        constraints: the rules.
        meta: the part for msgspec; None for none.
        extra: keys for a JSON Schema: description, title, examples.
    """

    constraints: tuple[Constraint, ...]
    meta: msgspec.Meta | None
    extra: dict[str, Any]


def read(metadata: Iterable[Any]) -> Said:
    """The constraints among the metadata of `Annotated`; other metadata is ignored.

    Raises:
        Unsupported: one of them is invalid.
    """
    constraints: list[Constraint] = []
    extra: dict[str, Any] = {}
    for item in metadata:
        if isinstance(item, msgspec.Meta):
            constraints += [_constraint(*pair, False) for pair in _of(item)]
            extra.update(item.extra_json_schema or {})
        elif _is_pydantic_field(item):
            for part in item.metadata:
                constraints += _foreign(part)
        else:
            constraints += _foreign(item)
        for name in ("title", "description", "examples"):
            if isinstance(said := getattr(item, name, None), str | list):
                extra[name] = said
    known = {each.rule: each.bound for each in constraints if each.rule in NAMES}
    try:
        meta = msgspec.Meta(**known) if known else None
    except (TypeError, ValueError) as error:
        raise Unsupported(str(error)) from None
    return Said(tuple(constraints), meta, extra)


def is_pydantic(item: Any) -> bool:
    """Whether a piece of metadata means something to pydantic alone, such as AfterValidator."""
    if not type(item).__module__.partition(".")[0].startswith("pydantic"):
        return False
    if not _is_pydantic_field(item):
        return True
    return bool(item.alias or any(not list(_foreign(part)) for part in item.metadata))


def _is_pydantic_field(item: Any) -> bool:
    # By name: pydantic is imported by those only that use it.
    kind = type(item)
    return kind.__name__ == "FieldInfo" and kind.__module__.startswith("pydantic")


def _of(item: Any) -> Iterator[tuple[str, Any]]:
    """The constraints that an object has as attributes, by the names that all three agree on."""
    for name in NAMES:
        if (bound := getattr(item, name, None)) is not None:
            yield name, bound


def _foreign(item: Any) -> Iterator[Constraint]:
    module = type(item).__module__.partition(".")[0]
    if module not in ("annotated_types", "pydantic") or isinstance(item, type):
        return
    for name, bound in _of(item):
        if not (name == "min_length" and bound == 0):
            yield _constraint(name, bound, True)
    if (holds := getattr(item, "func", None)) is not None and module == "annotated_types":
        check_name = getattr(holds, "__name__", "")
        must = (
            f"must pass {check_name}"
            if check_name.isidentifier()
            else "must pass the check of its type"
        )
        yield Constraint("predicate", holds, must, lambda value: bool(holds(value)), True)
    elif type(item).__name__ == "Timezone":
        yield _constraint("tz", item.tz is not None, True)
