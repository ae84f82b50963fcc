"""The step that gives a handler its parameters, converted to the types that it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atila.routing.router import Route
from atila.validation import parameters as places
from atila.validation.direct import direct, direct_body
from atila.validation.issues import Issues, TooMany
from atila.validation.parameters import Parameters
from atila.validation.plan import Plan
from atila.validation.sources import MISSING, CallSource, RequestSource

if TYPE_CHECKING:
    from atila import Was


class Binding(Plan):
    """Takes the parameters of a handler out of requests; see `Plan` for its arguments.

    Attributes:
        bind: bind(was) gives the parameters for a request. It raises HTTPError: 400 with all that
            is wrong; 415, the body is of a type that none can be of.
    """

    def __init__(self, parameters: Parameters, of_layers: frozenset[str]) -> None:
        super().__init__(parameters, of_layers)
        self.bind = direct_body(self, direct(self, self.long_way))

    def long_way(self, was: Was) -> Mapping[str, Any]:
        """The same as `bind`, for every request."""
        source = RequestSource(was, self)
        issues = Issues()
        values: dict[str, Any] = {}
        source.check_kind(issues)
        try:
            for parameter in self._all:
                value = source.take(parameter, issues)
                if value is not MISSING:
                    values[parameter.name] = value
            source.refuse(issues)
            if self.parameters.takes_any:
                values.update(source.rest(issues))
        except TooMany:
            pass
        if issues.found:
            raise issues.error()
        was._args = source.merged(values)
        was._given = values
        return values

    def of_call(self, given: Mapping[str, Any], was: Was, *, is_text: bool) -> Mapping[str, Any]:
        """The parameters for a call with arguments by name: XML-RPC, JSON-RPC, `was.pipe`.

        Headers and cookies are those of the request that it comes in.

        Args:
            given: the arguments.
            was: the request.
            is_text: numbers and the like may come as text.

        Raises:
            HTTPError: 400 with all that is wrong.
        """
        source = CallSource(was, given, self, is_text)
        issues = Issues()
        values: dict[str, Any] = {}
        try:
            for parameter in self._all:
                value = source.take(parameter, issues)
                if value is not MISSING:
                    values[parameter.name] = value
            values.update(source.rest(issues))
        except TooMany:
            pass
        if issues.found:
            raise issues.error()
        was.args.update(values)
        was._given = values
        return values


def of(route: Route, of_layers: frozenset[str]) -> Binding | None:
    """The binding of a route's handler; None if the handler declares no types.

    Args:
        route: the route.
        of_layers: see `Binding`.

    Raises:
        SetupError: a type cannot be resolved, or no value can be converted to it.
    """
    found = places.of(route)
    return None if found is None else Binding(found, of_layers)
