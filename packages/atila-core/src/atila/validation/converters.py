"""The keywords of `@app.inspect` (ints, emails, …): how each checks and converts a value.

A check is a function (value) that gives the value back, converted or as it is, or raises `Invalid`.
The operators (gte, in, …) are in `atila.validation.operators`;
`atila.validation.declaration` puts them together.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from math import isfinite
from typing import Any

from atila.routing.router import LONGEST_NUMBER
from atila.validation.html import is_harmless

Check = Callable[[Any], Any]

SHOWN = 40
"""Characters; of a longer text, a message shows the length only."""

_EXACT = 2**53
"""Whole numbers up to here are exact as floats (IEEE 754), which JSON's numbers often are."""

_LONGEST_EMAIL = 320
"""Characters; none that can be sent to is longer (RFC 5321, section 4.5.3.1)."""

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BLANK = re.compile(r"([+-]?(0+(\.0*)?|\.0+))?")
# A tokenizer takes a "<" before anything else as text (WHATWG HTML, 13.2.5.6 "tag open state").
_TAG = re.compile(r"<[a-zA-Z/!?]")


class Invalid(Exception):
    """A value that breaks a rule.

    Args:
        must: the demand in words: "must be at least 3".
        show: whether the message shows the value.
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
    return f"a value of the type {type(value).__name__}"


def is_blank(value: Any) -> bool:
    """Whether `nones` makes a value None: blank text, nothing in it, or zero, also as text.

    False is not among them: it is an answer to a question.
    """
    if isinstance(value, str):
        return _BLANK.fullmatch(value.strip()) is not None
    return not value and value is not False


def to_number(value: Any) -> int | float | None:
    """A value as a finite number, also from text; None if it is neither."""
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
    if number is not None:
        try:
            return float(number)
        except OverflowError:
            pass
    raise Invalid("must be a number")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid("must be a text")
    return value


WORDS: dict[str, bool] = {
    **dict.fromkeys(("True", "true", "yes", "y", "t"), True),
    **dict.fromkeys(("False", "false", "no", "n", "f"), False),
}
"""The texts that `booleans` takes."""


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in WORDS:
        return WORDS[value]
    raise Invalid("must be true or false, yes or no, y or n, t or f")


def _list(value: Any) -> list[Any]:
    # A field that is repeated in a form is a list already; one that is not is a list of one.
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, dict | int | float):
        raise Invalid("must be a list")
    return value if isinstance(value, list) else [value]


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
    if len(text) <= _LONGEST_EMAIL:
        try:
            return validate_email(text, check_deliverability=False).normalized
        except EmailNotValidError:
            pass
    raise Invalid("must be an e-mail address")


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
"""The module imported when a keyword is first used, and the distribution that has it."""


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
