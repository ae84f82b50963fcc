"""Messages of WebSockets as the type that a handler says: `def order(was, message: Order)`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from atila.errors import SetupError
from atila.http.forms import parse_json_exactly
from atila.routing.router import Route
from atila.validation import hints
from atila.validation.compiler import Unreadable, typed
from atila.validation.issues import Issues, Reading, TooMany


def json_reader(route: Route, parameter: inspect.Parameter) -> Callable[[bytes], Any] | None:
    """A function that makes a parameter's value from JSON; None if the parameter has no type.

    The function raises an `HTTPError` with all faults.

    Args:
        route: the route, whose handler has the parameter.
        parameter: the one that gets the message.

    Raises:
        SetupError: the type cannot be resolved, or no value can be converted to it.
    """
    try:
        said = hints.of_parameter(route.handler, parameter, route.namespace)
        if said.hint is hints.ABSENT:
            return None
        made = typed(said.hint, route.namespace)
    except (hints.Unresolved, Unreadable) as error:
        raise SetupError(f"the message {parameter.name!r}: {error}", route.source) from None

    def read(message: bytes) -> Any:
        issues = Issues()
        value = parse_json_exactly(message)
        try:
            value = made.convert(value, (), Reading(issues, "message", False))
        except TooMany:
            pass
        if issues.found:
            raise issues.error()
        return value

    return read
