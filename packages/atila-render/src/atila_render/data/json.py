"""Values as JSON (RFC 8259)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from json import JSONEncoder
from typing import Any

import orjson

from atila import HTTPError
from atila.values import json
from atila.values.models import is_model, simple_json, to_plain
from atila.values.plain import plain
from atila_render.data.dates import MOMENTS, NAMED

Default = Callable[[Any], Any]
Writer = Callable[[Any], bytes]

_DEEPEST = 32
"""Steps into a value that a message shows."""


class Unwritable(TypeError):
    """A value cannot be written; the message names the place in it, and never the value."""


def writer(encoder: object = None, *, pretty: bool = False) -> Writer:
    """The function that writes values as JSON, in UTF-8.

    It takes values made of dicts, lists, str, int, float, bool and None; dates and times,
    enumerations, dataclasses, arrays and numbers of NumPy, and types that `atila.values.plain`
    converts. It raises `Unwritable` for anything else: texts with lone surrogates, ints of more
    than 4300 digits, values that contain themselves or are nested more than 254 deep.

    Args:
        encoder: the form of dates and times: a name of `dates.NAMED`; or a function (value) or a
            class of `json.JSONEncoder`, which comes first for all values that JSON has no type for,
            dates and times included, and raises TypeError for values that it does not know.
        pretty: indented by two spaces.

    Raises:
        ValueError: there is no such encoder.
    """
    default, option = _compiled(encoder)
    option |= orjson.OPT_SERIALIZE_NUMPY
    if pretty:
        option |= orjson.OPT_INDENT_2

    def write(value: Any) -> bytes:
        kind = type(value)
        if kind is not dict and kind is not list:
            if not pretty and (text := simple_json(value)) is not None:
                return text
            if is_model(kind):
                value = to_plain(value)
        try:
            return json.dumps(value, default, option)
        except TypeError as error:
            raise Unwritable(_problem(value, default, option)) from error

    return write


def _compiled(encoder: object) -> tuple[Default, int]:
    """The function for values that orjson does not know, and orjson's options."""
    if encoder is None or encoder == "rfc3339":
        if time.tzname == ("UTC", "UTC"):
            # orjson's own way comes to the same, and is much faster.
            return _simpler, 0
        encoder = "rfc3339"
    if isinstance(encoder, str):
        if encoder not in NAMED:
            raise ValueError(f"is no {encoder!r}; there are {', '.join(NAMED)}")
        return _with_dates(NAMED[encoder]), orjson.OPT_PASSTHROUGH_DATETIME
    if isinstance(encoder, type) and issubclass(encoder, JSONEncoder):
        encoder = encoder()
    if isinstance(encoder, JSONEncoder):
        return _asking(encoder.default), orjson.OPT_PASSTHROUGH_DATETIME
    if not callable(encoder) or isinstance(encoder, type):
        raise ValueError(
            "is a name, a function (value), or a class of json.JSONEncoder;"
            f" {encoder!r} is none of these"
        )
    return _asking(encoder), orjson.OPT_PASSTHROUGH_DATETIME


def _with_dates(write: Callable[[Any], Any]) -> Default:
    def default(value: Any) -> Any:
        return write(value) if isinstance(value, MOMENTS) else _simpler(value)

    return default


def _asking(first: Default) -> Default:
    """Ask an encoder of the application before our own."""
    own = _with_dates(NAMED["rfc3339"])

    def default(value: Any) -> Any:
        try:
            return first(value)
        except TypeError:
            return own(value)

    return default


def _simpler(value: Any) -> Any:
    """The substitute for a value of a type that JSON does not have."""
    if isinstance(value, MOMENTS):
        # Of a subclass, or a time with an offset: orjson takes neither.
        return NAMED["rfc3339"](value)
    if isinstance(value, HTTPError):
        return {**value}
    if is_model(type(value)):
        return to_plain(value)
    try:
        return plain(value)
    except TypeError:
        raise TypeError(_advice(value)) from None


def _advice(value: Any) -> str:
    kind = type(value).__name__
    if hasattr(value, "fetch"):
        return f"is a task ({kind}), not its data; write task.fetch(), or was.Map(name=task)"
    return f"is of the type {kind}, which JSON has not; see the setting JSON_ENCODER"


# What cannot be written ---------------------------------------------------------------------------


def _problem(value: Any, default: Default, option: int) -> str:
    """Where in a value something is that cannot be written, and why."""
    option |= orjson.OPT_NON_STR_KEYS
    place = "the value"
    above: list[int] = []
    while len(above) < _DEEPEST:
        if id(value) in above:
            return f"{place} refers to itself"
        above.append(id(value))
        found = next(
            (pair for pair in _parts(value) if not _is_written(pair[1], default, option)), None
        )
        if found is None:
            break
        step, value = found
        place += step
    try:
        json.dumps(value, default, option)
    except TypeError as error:
        return f"{place} cannot be written as JSON: it {_reason(value, error)}"
    return f"{place} cannot be written as JSON"


def _parts(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(f"[{_shown(key)}]", part) for key, part in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{index}]", part) for index, part in enumerate(value)]
    return []


def _shown(key: Any) -> str:
    text = ascii(key) if isinstance(key, str | int) else f"<{type(key).__name__}>"
    return text if len(text) <= 40 else f"{text[:40]}…"


def _is_written(value: Any, default: Default, option: int) -> bool:
    try:
        json.dumps(value, default, option)
    except TypeError:
        return False
    return True


def _reason(value: Any, error: TypeError) -> str:
    if isinstance(value, str):
        return "has a lone surrogate, which UTF-8 has not (RFC 3629)"
    if isinstance(value, int):
        return "is an int of more than 4300 digits; write hex(…)"
    if "ecursion" in str(error):
        return "refers to itself, or is nested too deep"
    if isinstance(value, Mapping):
        return "has a key that is no text in UTF-8, number, date, UUID, bool or None"
    cause = error.__cause__
    return str(cause) if isinstance(cause, TypeError) else str(error)


to_json: Writer = writer()
"""Writes values as the settings' defaults have it."""
