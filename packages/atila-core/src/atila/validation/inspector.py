"""Runs the rules of `@app.inspect` over the parameters of a request."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from atila.errors import HTTPError
from atila.http.forms import is_json
from atila.http.methods import WITHOUT_BODY
from atila.routing.router import SPECIAL
from atila.validation.converters import Check, Invalid, is_blank, shown
from atila.values.secret_names import is_secret_input

if TYPE_CHECKING:
    from atila import Was

_ABSENT: Any = object()

WHERE = {
    "URL": "the URL",
    "FORM": "a form",
    "JSON": "a JSON body",
    "DATA": "a form or a JSON body",
    "ARGS": "the request",
}
"""The scopes, and their names in errors."""


class Place(NamedTuple):
    """A parameter, or a part of one: keys of objects and indices of lists lead to it."""

    name: str
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return self.name + "".join(
            f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule about one place.

    Attributes:
        scope: the part of a request that it checks: a key of `WHERE`.
        keyword: as the handler's author wrote it: "ints", "age__gte".
        place: the parameter, or the part of it.
        operator: a keyword of `KEYWORDS`, "nones", "search", or an operator, with "len__" before it
            if it checks the length.
        value: the value to compare with; None for a keyword.
    """

    scope: str
    keyword: str
    place: Place
    operator: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class OneOf:
    """Some of these parameters have to be given: one, or more where it is "manyof".

    Attributes:
        scope: the part of a request that it looks at.
        keyword: "oneof" or "manyof".
        names: the parameters.
    """

    scope: str
    keyword: str
    names: tuple[str, ...]


class Group:
    """The rules of one scope, in the order in which they are run.

    Args:
        scope: the part of a request that they check.
        checks: rules with their checks; the check of `nones` is None.
        choices: the rules `oneof` and `manyof`.
        nullable: parameters that may be None.
    """

    def __init__(
        self,
        scope: str,
        checks: Iterable[tuple[Rule, Check | None]],
        choices: Iterable[OneOf],
        nullable: Collection[str],
    ) -> None:
        self.scope = scope
        self.choices = tuple(choices)
        everything = tuple(checks)
        self._nones = tuple(rule for rule, check in everything if check is None)
        self._checks = tuple((rule, check) for rule, check in everything if check is not None)
        self._nullable = frozenset(nullable)
        self._may_lack = frozenset(rule.place for rule in self._nones)
        self.names = {rule.place.name for rule, _ in everything}

    def run(self, values: dict[str, Any], words: Collection[str]) -> None:
        """Check parameters, and put converted values in their place.

        Args:
            values: the parameters by name. Objects and lists in it are copied before a change.
            words: parameters to pass over.

        Raises:
            HTTPError: 400, with the parameter, its fault, and the rule.
        """
        for rule in self._nones:
            value = _find(values, rule.place)
            if value is not _ABSENT and value is not None and is_blank(value):
                _put(values, rule.place, None)
        for rule, check in self._checks:
            if rule.place.name in values and rule.place.name not in words:
                self._run(rule, check, values)
        for choice in self.choices:
            count = sum(values.get(name) is not None for name in choice.names)
            if count == 0 or (count > 1 and choice.keyword == "oneof"):
                names = ", ".join(map(repr, choice.names))
                wrong = f"one of the parameters {names} is required"
                if count:
                    wrong = f"only one of the parameters {names} may be given"
                raise HTTPError(400, f"{wrong} [{choice.keyword}]")

    def _run(self, rule: Rule, check: Check, values: dict[str, Any]) -> None:
        place = rule.place
        value = values[place.name]
        if value is None and place.name in self._nullable:
            return
        if place.path:
            value = _find(values, place)
        if value is _ABSENT or value is None:
            if place in self._may_lack:
                return
            problem = "is missing" if value is _ABSENT else "must not be null"
            raise HTTPError(400, f"parameter {str(place)!r} {problem} [{rule.keyword}]")
        try:
            checked = check(value)
        except Invalid as invalid:
            is_shown = invalid.show and not is_secret_input(str(place))
            instead = f", not {shown(value)}" if is_shown else ""
            raise HTTPError(
                400, f"parameter {str(place)!r} {invalid.must}{instead} [{rule.keyword}]"
            ) from None
        if checked is not value:
            _put(values, place, checked)


class Inspector:
    """All rules of a handler.

    Args:
        groups: the rules, one group for each scope.
        rules: all of them, in the order written.
        numbers: parameters of the path that are numbers, so may be words as well ("me").

    Attributes:
        rules: the rules, for the documents of the route.
        choices: the rules `oneof` and `manyof`.
    """

    def __init__(
        self, groups: Iterable[Group], rules: Iterable[Rule], numbers: Collection[str]
    ) -> None:
        self._groups = {group.scope: group for group in groups}
        self.rules = tuple(rules)
        self.choices = tuple(c for group in self._groups.values() for c in group.choices)
        self._numbers = frozenset(numbers)
        self._sources = self._sources_of_names()

    def _sources_of_names(self) -> dict[str, frozenset[str]]:
        """The scopes where a parameter is inspected, for those that are not everywhere."""
        sources: dict[str, set[str]] = {}
        for group in self._groups.values():
            chosen = {name for choice in group.choices for name in choice.names}
            for name in group.names | chosen:
                sources.setdefault(name, set()).add(group.scope)
        return {name: frozenset(s) for name, s in sources.items() if "ARGS" not in s}

    def __call__(self, was: Was) -> None:
        """Check a request; `was.args` gets the converted values.

        Raises:
            HTTPError: 400, the first rule that is broken.
        """
        args = was.args
        words = self._words(args, was.path_params)
        if self._sources or len(self._groups) > 1:
            self._check_parts(was, args, words)
        if (everything := self._groups.get("ARGS")) is not None:
            everything.run(args, words)

    def _words(self, args: Mapping[str, Any], path_params: Mapping[str, Any]) -> Collection[str]:
        """The parameters of the path that are a word in the place of a number."""
        return [
            name
            for name in self._numbers
            if isinstance(word := path_params.get(name), str)
            and word in SPECIAL
            and args.get(name) == word
        ]

    def _check_parts(self, was: Was, args: dict[str, Any], words: Collection[str]) -> None:
        data = was.request.DATA if was.exchange.body else {}
        body = "JSON" if is_json(was.request.get_content_type()) else "FORM"
        has_data = bool(data) or was.exchange.method not in WITHOUT_BODY
        origins = _origins(args, was.request.URL, data, body)
        self._refuse_strays(origins, has_data)
        active = {"URL"}
        if has_data:
            active |= {"DATA", body}
            if body not in self._groups:
                # Nobody speaks for a body of this kind, so the rules for the other one hold.
                active |= {"FORM", "JSON"}
        for scope, group in self._groups.items():
            values = {name: args[name] for name, origin in origins.items() if scope in origin}
            if scope != "ARGS" and (scope in active or not group.names.isdisjoint(values)):
                group.run(values, words)
                args.update(values)

    def _refuse_strays(self, origins: Mapping[str, frozenset[str]], has_data: bool) -> None:
        for name, scopes in self._sources.items():
            origin = origins.get(name, scopes)
            if scopes.isdisjoint(origin) and (has_data or origin is not _OF_URL):
                where = " or ".join(WHERE[scope] for scope in WHERE if scope in scopes)
                raise HTTPError(400, f"parameter {name!r} must come in {where}")


_OF_URL = frozenset({"URL"})


def _origins(
    args: Mapping[str, Any], url: Mapping[str, Any], data: Mapping[str, Any], body: str
) -> dict[str, frozenset[str]]:
    """The scopes that each argument belongs to: all, if neither URL nor body has this value.

    Then a hook or `was.pipe` gave it, and there is no scope whose rules it could be meant for.
    """
    of_body, of_all = frozenset({"DATA", body}), frozenset(WHERE)
    origins = {}
    for name, value in args.items():
        if name in data and _same(data[name], value):
            origins[name] = of_body
        else:
            origins[name] = _OF_URL if name in url and _same(url[name], value) else of_all
    return origins


def _same(one: Any, other: Any) -> bool:
    return one is other or bool(one == other)


def _find(values: Mapping[str, Any], place: Place) -> Any:
    value = values.get(place.name, _ABSENT)
    for step in place.path:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return _ABSENT
            value = value[step]
        else:
            value = value.get(step, _ABSENT) if isinstance(value, dict) else _ABSENT
    return value


def _put(values: dict[str, Any], place: Place, value: Any) -> None:
    """Replace the value at a place, in copies of the containers on the way, which others hold."""
    container: Any = values
    key: str | int = place.name
    for step in place.path:
        below = container[key].copy()
        container[key] = below
        container, key = below, step
    container[key] = value
