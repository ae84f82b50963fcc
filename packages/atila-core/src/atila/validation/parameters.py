"""The parameters of a handler: of which type, and from which part of a request."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from atila.errors import SetupError
from atila.routing.router import Route, parse_rule
from atila.validation import hints
from atila.validation.compiler import Typed, Unreadable, typed
from atila.validation.hints import ABSENT, Said
from atila.validation.markers import Body, Cookie, Header, Marker, Query

PATH, QUERY, BODY, HEADER, COOKIE = "path", "query", "body", "header", "cookie"
ANY = "any"
"""Query or body, as parameters without a type come."""
WHOLE_BODY, WHOLE_QUERY = "whole body", "whole query"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a handler.

    Attributes:
        name: its name in the function.
        place: the part of the request that it comes from.
        key: its name there.
        type: the converter to its type; None for a parameter without a type.
        is_required: it has no default.
        default: the default; `ABSENT` for none.
        kind: the converter in the route's rule, if it is part of it: "int".
    """

    name: str
    place: str
    key: str
    type: Typed | None
    is_required: bool
    default: Any
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Parameters:
    """All parameters of a handler.

    Attributes:
        all: the parameters in order; in place of ** those of the rule that it takes.
        rest: the converter of its ** parameter's values; None if they have no type.
        takes_any: it has a ** parameter.
    """

    all: tuple[Parameter, ...]
    rest: Typed | None
    takes_any: bool


def of(route: Route) -> Parameters | None:
    """The parameters of a route's handler; None if it says nothing of their types.

    Raises:
        SetupError: a type cannot be resolved, or nothing in a request can be converted to it.
    """
    if not _says_something(route):
        return None
    try:
        said = hints.of_parameters(route)
    except hints.Unresolved as error:
        raise SetupError(f"{_name(route)}: {error}", route.source) from None
    if all(each.hint is ABSENT and each.marker is None for _, each in said.values()):
        return None
    return _Maker(route, said).made()


def _says_something(route: Route) -> bool:
    return any(parameter.annotation is not ABSENT for parameter in route.parameters())


def _name(route: Route) -> str:
    return getattr(route.handler, "__name__", "the handler")


class _Maker:
    def __init__(self, route: Route, said: Mapping[str, tuple[inspect.Parameter, Said]]) -> None:
        self._route = route
        self._said = said
        self._kinds = {s.text: s.kind for s in parse_rule(route.rule, route.source) if s.kind}

    def made(self) -> Parameters:
        types = {
            name: self._typed(name, said)
            for name, (_, said) in self._said.items()
            if said.hint is not ABSENT
        }
        models = [
            name
            for name, type in types.items()
            if type.is_model and self._said[name][1].marker is None and name not in self._kinds
        ]
        made, rest, takes_any = [], None, False
        for name, (parameter, said) in self._said.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                takes_any, rest = True, types.get(name)
                continue
            place, key = self._place(name, said.marker, types.get(name), models)
            required = parameter.default is ABSENT
            made.append(
                Parameter(
                    name,
                    place,
                    key,
                    types.get(name),
                    required,
                    parameter.default,
                    self._kinds.get(name, ""),
                )
            )
        if takes_any:
            made += self._taken_by_rest(rest)
        self._check_whole(made)
        return Parameters(tuple(made), rest, takes_any)

    def _taken_by_rest(self, rest: Typed | None) -> Iterator[Parameter]:
        """The parameters of the rule that the ** parameter takes."""
        for name, kind in self._kinds.items():
            if name not in self._said:
                if rest is not None:
                    self._check_kind(name, rest.reader.hint)
                yield Parameter(name, PATH, name, rest, False, ABSENT, kind)

    def _typed(self, name: str, said: Said) -> Typed:
        try:
            made = typed(said.hint, self._route.namespace)
        except Unreadable as error:
            raise SetupError(
                f"the parameter {name!r} of {_name(self._route)}: {error}", self._route.source
            ) from None
        self._check_kind(name, said.hint)
        return made

    def _check_kind(self, name: str, hint: Any) -> None:
        kind = self._kinds.get(name)
        if kind in ("int", "float") and hint is str:
            raise SetupError(
                f"the parameter {name!r} of {_name(self._route)} is a str, and <{kind}:{name}> of"
                f" its rule is none: write <{name}> there, or {name}: {kind}",
                self._route.source,
            )

    def _place(
        self, name: str, marker: Marker | None, type: Typed | None, models: list[str]
    ) -> tuple[str, str]:
        if name in self._kinds:
            if marker is not None:
                raise SetupError(
                    f"the parameter {name!r} of {_name(self._route)} is in the rule"
                    f" {self._route.rule!r}, so it is taken from the path:"
                    f" leave out {marker.__class__.__name__}()",
                    self._route.source,
                )
            return PATH, name
        match marker:
            case Header():
                return HEADER, (marker.name or name.replace("_", "-")).lower()
            case Cookie():
                return COOKIE, marker.name or name
            case Query():
                if not marker.name and type is not None and type.is_model:
                    return WHOLE_QUERY, name
                return QUERY, marker.name or name
            case Body():
                return (BODY, marker.name) if marker.name else (WHOLE_BODY, name)
        if name in models:
            return (WHOLE_BODY, name) if len(models) == 1 else (BODY, name)
        return ANY, name

    def _check_whole(self, made: list[Parameter]) -> None:
        whole = [each.name for each in made if each.place == WHOLE_BODY]
        if len(whole) > 1:
            raise SetupError(
                f"{_name(self._route)} takes the whole body twice, as {whole[0]!r} and as"
                f' {whole[1]!r}: name the field of each, Body("{whole[0]}")',
                self._route.source,
            )
        if whole and self._route.options.get("input_stream"):
            raise SetupError(
                f"{_name(self._route)} reads the body piece by piece (input_stream=True), so"
                f" {whole[0]!r} cannot have it",
                self._route.source,
            )
