"""Binds a request's parameters to a handler's signature, which is read once, at mount time."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from atila.errors import HTTPError, SetupError, source_of
from atila.routing.router import Route, fitting, parse_rule

if TYPE_CHECKING:
    from atila import Was

Binder = Callable[["Was"], Mapping[str, Any]]


class Signature:
    """The parameters of a handler besides `was`.

    Attributes:
        names: its parameters in order.
        required: the names of those without a default.
        defaults: the defaults of the others.
        takes_any: whether it has a ** parameter.
        reads_any: whether it uses that: its name does not begin with an underscore.
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
        self.takes_any = self.reads_any = False
        for parameter in route.parameters():
            self._take(parameter, route)

    def _take(self, parameter: inspect.Parameter, route: Route) -> None:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            self.takes_any = True
            self.reads_any = not parameter.name.startswith("_")
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
    route: Route,
    signature: Signature,
    of_layers: frozenset[str] = frozenset(),
    handler: Callable[..., Any] | None = None,
) -> Binder | None:
    """The function that gives a handler its arguments, or None if it takes none.

    A handler whose only parameter is `was` is not bound to anything: it reads `was.request.args`
    if it wants to, and is called whatever they are.

    Args:
        route: the route.
        signature: the parameters of its handler.
        of_layers: names of parameters that are for layers; it is called without those that it does
            not take.
        handler: the handler within the wrappers of layers.

    Raises:
        SetupError: the rule has a parameter that the handler does not take, or a parameter has the
            name of an argument that is given by position.
    """
    kinds = {s.text: s.kind for s in parse_rule(route.rule, route.source) if s.kind}
    in_rule = list(kinds)
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
    has_optional = bool(signature.defaults.keys() & kinds.keys())
    others = of_layers - known
    ours = positional_names(route.handler) | positional_names(handler or route.handler)
    if clashing := ours & known.union(in_rule):
        raise SetupError(
            f"the parameter {min(clashing)!r} of {_name(route)} has the name of the context, there"
            " or in a decorator: rename one of the two",
            route.source,
        )
    ours |= frozenset(route.provided)

    def bind(was: Was) -> Mapping[str, Any]:
        args: Mapping[str, Any] | None = was._args
        exchange = was.exchange
        if args is None:
            args = was.args if exchange.query or exchange.body else was.path_params
        if kinds and (exchange.body or (has_optional and exchange.query)):
            args = _fitted(was, args, kinds, signature.defaults)
        given = args.keys()
        if given != known and not (
            required <= given and (given <= known or (takes_any and ours.isdisjoint(given)))
        ):
            args = {name: value for name, value in args.items() if name not in others}
            given = args.keys()
            if clashing := ours & given:
                raise HTTPError(400, f"unknown parameter {min(clashing)!r}")
            if not (required <= given and (takes_any or given <= known)):
                raise HTTPError(400, _mismatch(given, required, signature))
        was._given = args
        return args

    return bind


def positional_names(handler: Callable[..., Any]) -> frozenset[str]:
    """Names of the arguments that a call gives by position, in the handler and in all its wrappers.

    A client's parameter of such a name, taken by **, would be the same argument once more.
    """
    names: set[str] = set()
    seen: set[int] = set()
    function: Any = handler
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        names.update(_first_names(function, 1))
        function = getattr(function, "__wrapped__", None)
    return frozenset(names)


def _first_names(function: Any, count: int) -> Iterator[str]:
    """The names of as many parameters, but for those that have none for callers."""
    if isinstance(function, functools.partial):
        yield from _first_names(function.func, count + len(function.args))
    elif inspect.ismethod(function):
        yield from _first_names(function.__func__, count + 1)
    elif inspect.isfunction(function):
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
        for parameter in list(parameters)[:count]:
            if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
                yield parameter.name
    elif inspect.isfunction(method := type(function).__call__):
        yield from _first_names(method, count + 1)


def _fitted(
    was: Was, args: Mapping[str, Any], kinds: Mapping[str, str], defaults: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Parameters, where those of the rule that a form, JSON or a query gives fit the rule.

    Values that an inspection has converted, or that other code has given, are unchanged.

    Raises:
        HTTPError: 400, one does not fit.
    """
    data = was.request.DATA if was.exchange.body else {}
    made = dict(args)
    for name, kind in kinds.items():
        value = args.get(name)
        if value is was.path_params.get(name) or value is not data.get(name, value):
            continue
        if name not in data and not isinstance(value, str):
            continue
        fits = fitting(kind, value)
        if fits is None and (value is not None or defaults.get(name, name) is not None):
            raise HTTPError(400, f"parameter {name!r} must fit <{kind}:{name}> of the path")
        made[name] = fits
    if was._args is args:
        was._args = made
    return made


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
