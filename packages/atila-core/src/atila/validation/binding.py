"""The step that gives a handler its parameters, converted to the types that it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atila.routing.router import Route
from atila.validation import parameters as places
from atila.validation.issues import Issues, TooMany
from atila.validation.parameters import Parameter, Parameters
from atila.validation.sources import MISSING, CallSource, RequestSource

if TYPE_CHECKING:
    from atila.was import Was


class Binding:
    """Takes the parameters of a handler out of requests.

    Args:
        parameters: those of the handler.
        of_layers: names of parameters that are for layers, so that the handler need not take them.

    Attributes:
        whole_body: the parameter that takes the whole body, if any.
        strips: that is of a model which takes no fields but its own.
        beside: fields that the body may have for others beside those of the model that takes it.
        in_rule: the parameters of the rule.
        in_query: what may be in the query.
        in_body: what may be in a body that no parameter takes as a whole.
        takes_query: a parameter takes the whole query.
    """

    def __init__(self, parameters: Parameters, of_layers: frozenset[str]) -> None:
        self.parameters = parameters
        self.of_layers = of_layers
        self._all = parameters.all
        self.in_rule = tuple(p for p in self._all if p.place == places.PATH)
        whole = [p for p in self._all if p.place == places.WHOLE_BODY]
        self.whole_body: Parameter | None = whole[0] if whole else None
        taken = whole[0].type if whole else None
        self.own_keys = taken.keys if taken is not None else frozenset[str]()
        self.strips = taken is not None and taken.is_closed
        self.beside = frozenset(
            p.key for p in self._all if p.place == places.ANY and p.key not in self.own_keys
        )
        self.in_query = self._keys(places.QUERY, places.ANY)
        self.in_body = self._keys(places.BODY, places.ANY)
        self.takes_query = any(p.place == places.WHOLE_QUERY for p in self._all)

    @property
    def model(self) -> tuple[str, frozenset[str]] | None:
        """The parameter that takes the whole body as a model, and the fields of that."""
        whole = self.whole_body
        return (whole.name, self.own_keys) if whole is not None and self.own_keys else None

    def _keys(self, *some: str) -> frozenset[str]:
        return frozenset(p.key for p in self._all if p.place in some)

    def __call__(self, was: Was) -> Mapping[str, Any]:
        """The parameters for a request.

        Raises:
            HTTPError: 400 with all that is wrong; 415, the body is of a type that none can be of.
        """
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
        was.is_bound = True
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
        was.is_bound = True
        return values


def of(route: Route, of_layers: frozenset[str]) -> Binding | None:
    """What binds the parameters of a route's handler; None if it says nothing of their types.

    Args:
        route: the route.
        of_layers: see `Binding`.

    Raises:
        SetupError: a type cannot be resolved, or nothing can be converted to it.
    """
    found = places.of(route)
    return None if found is None else Binding(found, of_layers)
