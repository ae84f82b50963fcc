"""What a rule of `@app.inspect` checks of one value: the keywords (ints, emails, …) first, then the
operators (gte, in, regex, …); see `atila.inspection` for how they are declared and run.

A check is a function (value) that gives the value back, converted or as it is, or raises `Invalid`.
What makes a check runs once, when the app is mounted; it raises ValueError for a rule's value that
makes no sense.
"""

from __future__ import annotations

import operator
import re
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from math import isfinite
from typing import Any

from atila.markup import is_harmless
from atila.routing import LONGEST_NUMBER

Check = Callable[[Any], Any]

SHOWN = 40
"""Characters; a longer text is told by its length only."""

_EXACT = 2**53
"""Whole numbers up to here are exact as floats (IEEE 754), which JSON's numbers often are."""

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_ZERO = re.compile(r"[+-]?(0+(\.0*)?|\.0+)?")
# A tokenizer takes a "<" before anything else as text (WHATWG HTML, 13.2.5.6 "tag open state").
_TAG = re.compile(r"<[a-zA-Z/!?]")


class Invalid(Exception):
    """A value that breaks a rule.

    Args:
        must: what it has to be: "must be at least 3".
        show: whether the message says what it is instead.
    """

    def __init__(self, must: str, show: bool = True) -> None:
        super().__init__(must)
        self.must = must
        self.show = show


def shown(value: Any) -> str:
    """A value for an error message: short ones as they are, others by their size."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return repr(value) if len(value) <= SHOWN else f"a text of {len(value)} characters"
    if isinstance(value, int | float):
        return repr(value) if abs(value) < 10**SHOWN else "a very big number"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    return f"a {type(value).__name__}"


def is_blank(value: Any) -> bool:
    """Whether `nones` makes a value None: blank text, nothing in it, or zero, also as text.

    False is not among them: it is an answer to a question.
    """
    if isinstance(value, str):
        return _ZERO.fullmatch(value.strip()) is not None
    return not value and value is not False


def to_number(value: Any) -> int | float | None:
    """A finite number, or what a text says of one; None if it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        if len(text) > LONGEST_NUMBER or not _NUMBER.fullmatch(text):
            return None
        value = int(text) if _INTEGER.fullmatch(text) else float(text)
    if isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value
    return None


# Keywords -----------------------------------------------------------------------------------------


def _int(value: Any) -> int:
    number = to_number(value)
    if isinstance(value, str) and isinstance(number, float):
        number = None
    if isinstance(number, float) and number.is_integer() and abs(number) <= _EXACT:
        number = int(number)
    if not isinstance(number, int):
        raise Invalid("must be a whole number")
    return number


def _float(value: Any) -> float:
    number = to_number(value)
    # None of what a request can hold overflows, but a caller of `was.pipe` can.
    if number is None or (isinstance(number, int) and abs(number) > 10**LONGEST_NUMBER):
        raise Invalid("must be a number")
    return float(number)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid("must be a text")
    return value


_WORDS: dict[str, bool] = {
    **dict.fromkeys(("True", "true", "yes", "y", "t"), True),
    **dict.fromkeys(("False", "false", "no", "n", "f"), False),
}


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    raise Invalid("must be true or false, yes or no, y or n, t or f")


def _list(value: Any) -> list[Any]:
    # A field that is repeated in a form is a list already; one that is not is a list of one.
    if isinstance(value, str):
        return [value] if value else []
    if not isinstance(value, list):
        raise Invalid("must be a list")
    return value


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid("must be an object")
    return value


def _uuid(value: Any) -> str:
    text = _text(value).lower()
    try:
        if str(uuid.UUID(text)) == text:
            return text
    except ValueError:
        pass
    raise Invalid("must be a UUID")


def _no_tags(value: Any) -> str:
    if _TAG.search(_text(value)):
        raise Invalid("must not have HTML tags", show=False)
    return str(value)


def _safe(value: Any) -> str:
    if not is_harmless(_text(value)):
        raise Invalid(
            "must not have scripts, event handlers, javascript: links or unknown HTML tags",
            show=False,
        )
    return str(value)


def _email(value: Any) -> str:
    from email_validator import EmailNotValidError, validate_email

    text = _text(value)
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        raise Invalid("must be an e-mail address") from None


KEYWORDS: dict[str, Check] = {
    "ints": _int,
    "floats": _float,
    "strings": _text,
    "booleans": _boolean,
    "lists": _list,
    "dicts": _dict,
    "emails": _email,
    "uuids": _uuid,
    "notags": _no_tags,
    "safes": _safe,
}
"""Keywords that take names, with the check of each."""

TYPES: dict[type, str] = {
    int: "ints",
    float: "floats",
    str: "strings",
    bool: "booleans",
    list: "lists",
    dict: "dicts",
}
"""The types that `name=type` takes, and the keyword that is the same."""

LIBRARIES = {"emails": ("email_validator", "email-validator"), "safes": ("nh3", "nh3")}
"""What is imported for a keyword once it is used, and the distribution that has it."""


def found_by(pattern: Any) -> Check:
    """A text in which `pattern.search(text)` finds something."""
    regex = getattr(pattern, "pattern", "")
    if isinstance(regex, bytes):
        raise ValueError(f"takes a pattern of str; {pattern!r} is one of bytes")
    must = f"must match {regex[: 2 * SHOWN]}" if isinstance(regex, str) and regex else "must match"

    def check(value: Any) -> Any:
        if isinstance(value, str) and pattern.search(value):
            return value
        raise Invalid(must)

    return check


# Operators ----------------------------------------------------------------------------------------


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
            if value in self._texts or (self._booleans and _WORDS.get(value) in self._booleans):
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
    """Reads a value as what a limit is, text or number; None if it is something else."""
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
    if isinstance(_scalar(low), str) is not isinstance(_scalar(high), str) or low > high:
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
"""Operators, with what makes a check of the value of a rule."""

OF_NUMBERS = frozenset({"between", "in", "notin", "eq", "exact", "neq", "lte", "lt", "gte", "gt"})
"""The operators that a length can be compared with; the others need a text or a list."""


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
