"""Settings from environment variables: ATILA_THREADS=8 is the setting THREADS.

They go before what the code of the app says, for all apps of the process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import orjson

PREFIX = "ATILA_"
NONE = "none"
"""The text of None, for settings that may be None."""

Parse = Callable[[str], Any]
"""Makes a value of a text; raises ValueError where it is none of its kind."""


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name


def given(name: str) -> str | None:
    """The text for a setting; None if there is none. An empty variable is none."""
    return os.environ.get(variable(name)) or None


def number(text: str) -> int | float:
    """An integer, or a number with a fraction."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def flag(text: str) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off; in any case."""
    lowered = text.lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off"):
        return False
    raise ValueError(text)


def flag_or_text(text: str) -> bool | str:
    """A flag, or another text as it is."""
    try:
        return flag(text)
    except ValueError:
        return text


def names(text: str) -> list[str]:
    """Texts separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def folders(text: str) -> list[str]:
    """Folders separated as in PATH."""
    return [folder for folder in text.split(os.pathsep) if folder]


def mapping(text: str) -> dict[str, Any]:
    """An object of JSON."""
    value = orjson.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)
    return value


def parser_for(default: Any) -> Parse | None:
    """How to read a setting of which nothing but the default is known; None for not at all."""
    match default:
        case bool():
            return flag
        case int() | float():
            return number
        case str():
            return str
    return None
