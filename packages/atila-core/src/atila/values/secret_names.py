"""Finds out by its name whether a value is a secret."""

from __future__ import annotations

import re

NAME = (
    r"pass(?:w(?:or)?d|phrase|code)?s?(?![a-z])|password|passwd|pwd|secret|token|cookie|credential"
    r"|authori[sz]ation|(?<![a-z])auth(?![a-z])|api_?key|secure_?key|(?:^|[_-])keys?(?:$|[_-])"
    r"|private|session|csrf|jwt|(?<![a-z])otp(?![a-z])|signature|(?<![a-z])(?:pin|cvv|dsn|sid)(?![a-z])"
)
"""A regular expression that finds such a name, without regard to case."""
_IS_SECRET = re.compile(NAME, re.IGNORECASE)


def is_secret(name: object) -> bool:
    """Whether a name is that of a secret."""
    return isinstance(name, str) and _IS_SECRET.search(name) is not None


_IS_SECRET_INPUT = re.compile(
    r"pass(?:w(?:or)?d|phrase|code)|pwd|secret|token|credential|(?:api|secure|private)_?key|jwt"
    r"|(?<![a-z])(?:otp|pin|cvv)(?![a-z])",
    re.IGNORECASE,
)


def is_secret_input(name: object) -> bool:
    """Whether a parameter of this name is likely to be a secret. `is_secret` finds more names: a
    client that sent a wrong `key` or `session` may be shown it.
    """
    return isinstance(name, str) and _IS_SECRET_INPUT.search(name) is not None
