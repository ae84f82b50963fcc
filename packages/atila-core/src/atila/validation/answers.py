"""The return type of a handler, `-> Receipt`: for OpenAPI, and for checks in development."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, get_args, get_origin

import msgspec

from atila.http.response import Response, status_beside
from atila.routing.router import Route
from atila.validation import hints
from atila.validation.compiler import Typed, Unreadable, typed
from atila.validation.issues import INVALID, Issues, Reading, TooMany
from atila.validation.readers import Anything, Custom, Reader, Scalar
from atila.values.models import to_plain

WITHOUT_CONTENT = frozenset({204, 205, 304})
"""Statuses of answers that never have content (RFC 9110, section 15)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The return type of a handler.

    Attributes:
        type: the type of the value.
        status: the HTTP status of the answer.
        name: the handler's name.
        said: the annotation as written.
    """

    type: Typed
    status: int
    name: str
    said: str

    def check(self, value: Any) -> None:
        """Compare a returned value with the annotation.

        Raises:
            TypeError: it is of another type; the message names both.
        """
        if isinstance(value, Response):
            return
        status = status_beside(value)
        if status is not None:
            if status >= 400:
                return
            value = value[0]
        issues = Issues()
        try:
            if self.type.convert(_plain(value), (), Reading(issues, "answer", False)) is INVALID:
                raise TooMany
        except TooMany:
            wrong = "; ".join(map(str, issues.found[:3]))
            raise TypeError(
                f"{self.name} says -> {self.said}, and has returned {type(value).__name__}: {wrong}"
            ) from None


def _plain(value: Any) -> Any:
    if hasattr(type(value), "__pydantic_validator__"):
        return value
    try:
        return msgspec.to_builtins(to_plain(value))
    except TypeError:
        return value


def of(route: Route) -> Answer | None:
    """The return type that a route's handler declares; None if it declares no data: text, files,
    streams, `Response`, or a type that is known to type checkers alone.
    """
    hint = hints.of_answer(route.handler, route.namespace)
    if hint is hints.ABSENT:
        return None
    status = int(HTTPStatus.OK)
    if get_origin(hint) is tuple and len(arguments := get_args(hint)) in (2, 3):
        hint, second = arguments[:2]
        if get_origin(second) is typing.Literal and isinstance(get_args(second)[0], int):
            status = get_args(second)[0]
        elif second is not int:
            return None
    try:
        made = typed(type(None) if hint is None else hint, route.namespace)
    except Unreadable:
        return None
    if not _is_data(made.reader) and status not in WITHOUT_CONTENT:
        return None
    name = getattr(route.handler, "__name__", "the handler")
    return Answer(made, status, name, getattr(hint, "__name__", None) or str(hint))


def _is_data(reader: Reader) -> bool:
    """Whether values of a type are answered as JSON."""
    options = getattr(reader, "options", None) or [reader]
    return not any(isinstance(option, Scalar | Anything | Custom) for option in options)
