"""Where the parameters of a handler are taken from, worked out once for all requests."""

from __future__ import annotations

from atila.validation import parameters as places
from atila.validation.parameters import Parameter, Parameters


class Plan:
    """The sources of a handler's parameters.

    Args:
        parameters: the parameters of the handler.
        of_layers: names of parameters that are for layers, so that the handler need not take them.

    Attributes:
        whole_body: the parameter that takes the whole body, if any.
        strips: its model takes no fields but its own.
        beside: fields of other parameters that the body may have beside those of the model.
        not_of_body: fields of a body that are not for its model: those of layers, and of other
            parameters where the model takes no fields but its own.
        not_of_query: fields of a query that are not for the model that takes the whole of it.
        in_rule: the parameters of the rule.
        in_query: the parameters that may be in the query.
        in_body: those that may be in a body that no parameter takes as a whole.
        takes_query: a parameter takes the whole query.
        by_position: names of arguments that a call gives by position, which no client may use.
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
        self.beside = frozenset(
            p.key for p in self._all if p.place == places.ANY and p.key not in self.own_keys
        )
        self.strips = taken is not None and taken.is_closed
        self.not_of_body = of_layers - self.own_keys
        if self.strips:
            self.not_of_body |= self.beside
        self.in_query = self._keys(places.QUERY, places.ANY)
        self.in_body = self._keys(places.BODY, places.ANY)
        queries = [p.type for p in self._all if p.place == places.WHOLE_QUERY]
        self.takes_query = bool(queries)
        in_models = frozenset[str]().union(*(type.keys for type in queries if type is not None))
        self.not_of_query = of_layers - in_models
        self.by_position: frozenset[str] = frozenset()

    @property
    def model(self) -> tuple[str, frozenset[str]] | None:
        """The parameter that takes the whole body as a model, and the fields of that."""
        whole = self.whole_body
        return (whole.name, self.own_keys) if whole is not None and self.own_keys else None

    def _keys(self, *some: str) -> frozenset[str]:
        return frozenset(p.key for p in self._all if p.place in some)
