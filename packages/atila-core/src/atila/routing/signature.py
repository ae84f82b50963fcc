"""Binds a request's parameters to a handler's signature, which is read once, at mount time."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from atila.errors import HTTPError, SetupError, source_of
from atila.routing.router import Route, parse_rule

if TYPE_CHECKING:
    from atila import Was

Binder = Callable[["Was"], Mapping[str, Any]]


class Signature:
    """What a handler takes besides `was`.

    Attributes:
        names: its parameters in order.
        required: those without a default.
        defaults: of the others.
        takes_any: whether it has a ** parameter.
    """

    def __init__(self, route: Route) -> None:
        parameters = list(inspect.signature(route.handler).parameters.values())
        if not parameters or parameters[0].kind not in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        ):
            raise SetupError(
                f"{_name(route)} must take the request's context first: def {_name(route)}(was, …)",
                route.source,
            )
        self.names: list[str] = []
        self.required: set[str] = set()
        self.defaults: dict[str, Any] = {}
        self.takes_any = False
        for parameter in parameters[1:]:
            self._take(parameter, route)

    def _take(self, parameter: inspect.Parameter, route: Route) -> None:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            self.takes_any = True
        elif parameter.kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.POSITIONAL_ONLY,
        ):
            raise SetupError(
                f"{_name(route)} has the parameter {parameter}, which a request cannot fill:"
                " parameters are given by name",
                route.source,
            )
        else:
            self.names.append(parameter.name)
            if parameter.default is inspect.Parameter.empty:
                self.required.add(parameter.name)
            else:
                self.defaults[parameter.name] = parameter.default

    def optional_tail(self, route: Route) -> int:
        """How many parameters at the end of the rule have a default, so may be left out."""
        count = 0
        for segment in reversed(parse_rule(route.rule, route.source)):
            if not segment.kind or segment.text in self.required or segment.text not in self.names:
                break
            count += 1
        return count


def _name(route: Route) -> str:
    return getattr(route.handler, "__name__", "the handler")


def binder(
    route: Route, signature: Signature, of_layers: frozenset[str] = frozenset()
) -> Binder | None:
    """The function that gives a handler its arguments, or None if it takes none.

    A handler whose only parameter is `was` is not bound to anything: it reads `was.request.args`
    if it wants to, and is called whatever they are.

    Args:
        route: the route.
        signature: of its handler.
        of_layers: names of parameters that are for layers; it is called without those that it does
            not take.

    Raises:
        SetupError: the rule has a parameter that the handler does not take.
    """
    in_rule = [s.text for s in parse_rule(route.rule, route.source) if s.kind]
    known = frozenset(signature.names)
    if not signature.takes_any and (strange := set(in_rule) - known):
        raise SetupError(
            f"the rule {route.rule!r} has <{min(strange)}>, which {_name(route)} does not take:"
            f" def {_name(route)}(was, {', '.join(in_rule)})",
            route.source,
        )
    if not known and not signature.takes_any:
        return None
    required = frozenset(signature.required)
    takes_any = signature.takes_any
    others = of_layers - known

    def bind(was: Was) -> Mapping[str, Any]:
        args: Mapping[str, Any] | None = was._args
        if args is None:
            exchange = was.exchange
            args = was.args if exchange.query or exchange.body else was.path_params
        given = args.keys()
        if not (required <= given and (takes_any or given <= known)):
            args = {name: value for name, value in args.items() if name not in others}
            if not (required <= args.keys() and (takes_any or args.keys() <= known)):
                raise HTTPError(400, _mismatch(args.keys(), required, signature))
        was.is_bound = True
        return args

    return bind


def _mismatch(given: Any, required: frozenset[str], signature: Signature) -> str:
    absent = [name for name in signature.names if name in required and name not in given]
    if absent:
        return f"parameter {absent[0]!r} is required"
    unknown = sorted(set(given) - set(signature.names))
    return f"unknown parameter {unknown[0]!r}; known are {', '.join(signature.names)}"


def check_takes_context(function: Callable[..., Any]) -> None:
    """Raise a SetupError if a function cannot be called with the context first."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return
    if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
        name = getattr(function, "__name__", "it")
        raise SetupError(
            f"{name} must take the context first: def {name}(was, …)", source_of(function)
        )
