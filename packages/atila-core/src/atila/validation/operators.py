"""The operators of `@app.inspect` (gte, in, regex, …): each checks the value of a rule.

That happens once, when the app is mounted; a rule's value that makes no sense raises ValueError.
The values of requests are converted to the type of the rule's value: "7" is read as a number for
`age__gte=3`, while "7" and "10" are texts for `code__gte="3"`. A value that cannot be converted is
invalid.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from atila.validation.converters import WORDS, Check, Invalid, found_by, shown, to_number


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scalar(value: Any, *, boolean: bool = True) -> Any:
    if isinstance(value, str) or _is_number(value) or (boolean and isinstance(value, bool)):
        return value
    raise ValueError(f"takes a number or a text; {value!r} is none")


class _Members:
    """Values to be equal to; texts are read as numbers and booleans where these are among them."""

    def __init__(self, values: Iterable[Any]) -> None:
        self.values = [_scalar(value) for value in values]
        if not self.values:
            raise ValueError("takes a list with something in it")
        self._texts = frozenset(v for v in self.values if isinstance(v, str))
        self._numbers = frozenset(v for v in self.values if _is_number(v))
        self._booleans = frozenset(v for v in self.values if isinstance(v, bool))

    def __contains__(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value in self._booleans
        if isinstance(value, str):
            if value in self._texts or (self._booleans and WORDS.get(value) in self._booleans):
                return True
            return bool(self._numbers) and to_number(value) in self._numbers
        return _is_number(value) and value in self._numbers

    def __str__(self) -> str:
        more = ", …" if len(self.values) > 10 else ""
        return ", ".join(shown(value) for value in self.values[:10]) + more


def _listed(values: Any) -> _Members:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ValueError(f"takes a list, tuple or set; {values!r} is none")
    return _Members(values)


def _check(must: str, passes: Callable[[Any], bool]) -> Check:
    def check(value: Any) -> Any:
        if not passes(value):
            raise Invalid(must)
        return value

    return check


def _one_of(values: Any) -> Check:
    members = _listed(values)
    return _check(f"must be one of {members}", lambda value: value in members)


def _none_of(values: Any) -> Check:
    members = _listed(values)
    return _check(f"must be none of {members}", lambda value: value not in members)


def _equal(wanted: Any) -> Check:
    members = _Members([wanted])
    return _check(f"must be {members}", lambda value: value in members)


def _unequal(unwanted: Any) -> Check:
    members = _Members([unwanted])
    return _check(f"must not be {members}", lambda value: value not in members)


def _like(limit: Any) -> Callable[[Any], Any]:
    """Reads a value as the type of a limit, text or number; None if it is something else."""
    if isinstance(_scalar(limit, boolean=False), str):
        return lambda value: value if isinstance(value, str) else None
    return to_number


def _compared(words: str, compare: Callable[[Any, Any], bool], limit: Any) -> Check:
    read = _like(limit)

    def passes(value: Any) -> bool:
        read_value = read(value)
        return read_value is not None and compare(read_value, limit)

    return _check(f"must be {words} {shown(limit)}", passes)


def _between(limits: Any) -> Check:
    if not isinstance(limits, list | tuple) or len(limits) != 2:
        raise ValueError(f"takes the lowest and the highest value: (1, 9); {limits!r} is no such")
    low, high = limits
    kinds = {isinstance(_scalar(limit, boolean=False), str) for limit in limits}
    if len(kinds) > 1 or low > high:
        raise ValueError(f"takes the lowest and the highest value; {limits!r} is no such")
    read = _like(low)

    def passes(value: Any) -> bool:
        read_value = read(value)
        return read_value is not None and low <= read_value <= high

    return _check(f"must be between {shown(low)} and {shown(high)}", passes)


def _contains(negated: bool, wanted: Any) -> Check:
    members, text = _Members([wanted]), str(wanted)

    def passes(value: Any) -> bool:
        if isinstance(value, str):
            return (text in value) is not negated
        return isinstance(value, list) and any(v in members for v in value) is not negated

    return _check(f"must {'not ' if negated else ''}contain {members}", passes)


def _affix(words: str, method: Callable[..., bool], negated: bool, wanted: Any) -> Check:
    texts = (wanted,) if isinstance(wanted, str) else wanted
    if not isinstance(texts, list | tuple) or not all(isinstance(t, str) for t in texts):
        raise ValueError(f"takes a text, or a list of texts; {wanted!r} is none")
    texts = tuple(texts)
    return _check(
        f"must {words} {' or '.join(map(shown, texts))}",
        lambda value: isinstance(value, str) and method(value, texts) is not negated,
    )


def _regex(pattern: Any) -> Check:
    if isinstance(pattern, str):
        try:
            pattern = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"takes a regular expression; {pattern!r} is none: {error}") from None
    if not isinstance(pattern, re.Pattern):
        raise ValueError(f"takes a regular expression; {pattern!r} is none")
    return found_by(pattern)


OPERATORS: dict[str, Callable[[Any], Check]] = {
    "between": _between,
    "in": _one_of,
    "notin": _none_of,
    "eq": _equal,
    "exact": _equal,
    "neq": _unequal,
    "lte": partial(_compared, "at most", operator.le),
    "lt": partial(_compared, "less than", operator.lt),
    "gte": partial(_compared, "at least", operator.ge),
    "gt": partial(_compared, "more than", operator.gt),
    "contains": partial(_contains, False),
    "notcontain": partial(_contains, True),
    "startswith": partial(_affix, "start with", str.startswith, False),
    "notstartwith": partial(_affix, "not start with", str.startswith, True),
    "endswith": partial(_affix, "end with", str.endswith, False),
    "notendwith": partial(_affix, "not end with", str.endswith, True),
    "regex": _regex,
}
"""Operators, each with a function that makes a check from the value of a rule."""

OF_TEXTS = frozenset(
    {"contains", "notcontain", "startswith", "notstartwith", "endswith", "notendwith", "regex"}
)
"""The operators that need a text (or for the first two, a list), so cannot compare numbers."""


def length(check: Check) -> Check:
    """Check the length of a text, list or object instead of itself."""

    def check_length(value: Any) -> Any:
        if not isinstance(value, str | list | dict):
            raise Invalid("must have a length")
        try:
            check(len(value))
        except Invalid as invalid:
            raise Invalid(
                f"has a length of {len(value)}, which {invalid.must}", show=False
            ) from None
        return value

    return check_length
