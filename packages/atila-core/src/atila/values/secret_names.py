"""Finds out by its name whether a value is a secret."""

from __future__ import annotations

import re

_SURE = (
    r"pass(?:w(?:or)?d|phrase|code)|pwd|secret|token|credential|jwt"
    r"|(?:access|api|secure|private)[_-]?key|(?<![a-z])(?:otp|pin|cvv)(?![a-z])"
)
"""In such a name, secrets alone."""
_LIKELY = (
    r"pass(?![a-z])|cookie|authori[sz]ation|(?<![a-z])auth(?![a-z])|(?:^|[_-])keys?(?:$|[_-])"
    r"|private|session|csrf|signature|(?<![a-z])(?:dsn|sid)(?![a-z])"
)
NAME = f"{_SURE}|{_LIKELY}"
"""A regular expression that finds the name of a secret, without regard to case."""

# Compiled, for it is asked for each line of the access log; the two above are text, which `re`
# compiles at its first use: 2 ms of each start. The `code` is that of OAuth.
_IS_SECRET_IN_QUERY = re.compile(rf"{NAME}|(?:key|otp)$|auth(?!or)|^(?:code|sig)$", re.IGNORECASE)


def is_secret(name: object) -> bool:
    """Whether a name is that of a secret."""
    return isinstance(name, str) and re.search(NAME, name, flags=re.IGNORECASE) is not None


def is_secret_input(name: object) -> bool:
    """Whether a parameter of this name is likely to be a secret. `is_secret` finds more names: a
    client that sent a wrong `key` or `session` may be shown it.
    """
    return isinstance(name, str) and re.search(_SURE, name, flags=re.IGNORECASE) is not None


def is_secret_in_query(name: str) -> bool:
    """Whether the value of a name in a query string may be a secret, which no log should have. It
    finds more names than `is_secret`: one too many does no harm there.
    """
    return _IS_SECRET_IN_QUERY.search(name) is not None
