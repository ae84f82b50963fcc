"""`@app.inspect`: rules for the parameters of a request, checked before the handler is called.

    @app.route("/people/<int:id>", methods=["POST"])
    @app.inspect(ints=["age"], nones=["gender"], name__len__between=(3, 64), gender__in=["m", "f"])
    def person(was, id, name, age=None, gender=None): ...

**Rules.** A keyword takes names (`ints=["age"]`), a name takes a type (`age=int`) or an object with
a `.search` method (`mobile=re.compile(...)`), and a name with an operator takes the value to
compare with (`age__gte=18`, `name__len__lte=64`). See `atila.validation.converters` and
`atila.validation.operators`.

**Places.** A rule may be about a part of a parameter: `___` goes to a key of an object, `__` and
digits to an item of a list. `order___lines__0___count__gte=1` is about order["lines"][0]["count"].
Where names are listed places can be too: `ints=["order___lines__0___count"]`. Such a part has to be
there if the parameter is, for nothing else could say so, unless `nones` lists it. Names and keys
with `__` in them cannot be distinguished from operators.

**Exceptions.** Rules skip a parameter that is not given (the signature says whether it may be
missing), and None where the handler can do without: its default is None, it takes the parameter by
`**`, or `nones` lists it. Elsewhere None breaks every rule. `me`, `notme` and `new` in the place of
a number in the path are skipped too.

**Order.** First `nones`, then converters and types, then operators, then `oneof` and `manyof`: of
the parameters that these name exactly one, or one and more, must be given and not None, as in
`oneOf` and `anyOf` of JSON Schema.

**Scopes.** `@app.inspect("JSON", ...)` looks only at one part of a request: "URL" (path and query),
"FORM", "JSON", "DATA" (form or JSON), or "ARGS", which is all and the default. Rules for a body are
idle where the method needs none and none came (GET, DELETE, …), and rules for "JSON" where a form
came that has rules of its own, and the other way round. A parameter with rules for some parts only
is refused in any other, since a client could evade the rules by sending it there.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atila.errors import SetupError
from atila.routing import notes
from atila.routing.router import parse_rule
from atila.validation.converters import KEYWORDS, LIBRARIES, TYPES, Check, found_by
from atila.validation.inspector import WHERE, Group, Inspector, OneOf, Place, Rule
from atila.validation.operators import OF_TEXTS, OPERATORS, length

if TYPE_CHECKING:
    from atila import Atila
    from atila.routing.router import Route

_CHOICES = ("oneof", "manyof")
_LISTS = (*KEYWORDS, "nones", *_CHOICES)
_SEPARATOR = re.compile(r"(___|__)")
_EQUALITIES = frozenset({"eq", "exact", "neq", "in", "notin"})

_KINDS: dict[str, type] = {
    **dict.fromkeys(("strings", "emails", "uuids", "notags", "safes", "search"), str),
    **{keyword: kind for kind, keyword in TYPES.items()},
}
"""The type of a value that has passed a keyword; a place can have one only."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One use of `@app.inspect`: its positional and its keyword arguments, as written."""

    scope: tuple[Any, ...]
    rules: Mapping[str, Any]


def declare(app: Atila, function: Any, declaration: Declaration) -> None:
    """Leave the rules of `@app.inspect` on a handler, for the mount to compile.

    Raises:
        SetupError: the rules would not be seen: the handler has been compiled already, or it is
            none that the app has.
    """
    notes.check_order(app, function, "inspect")
    notes.add(function, declaration, "inspect")


def compiled(route: Route, model: tuple[str, Iterable[str]] | None = None) -> Inspector | None:
    """The inspector of a route's parameters; None if its handler has no `@app.inspect`.

    Args:
        route: the route.
        model: the parameter that takes the whole body, and the fields that this has: rules are
            about these, by their own names.

    Raises:
        SetupError: a rule makes no sense, or is about something that the handler does not take.
    """
    declarations = notes.of(route.handler, Declaration)
    if not declarations:
        return None
    compiler = _Compiler(route, model)
    for declaration in declarations:
        compiler.take(declaration)
    return compiler.inspector()


def parse(keyword: str) -> tuple[Place, str]:
    """Place and operator of a keyword such as "a___b__1__len__gte"; "" if it has no operator.

    Raises:
        ValueError: it is malformed; the message names the fault.
    """
    name, *rest = _SEPARATOR.split(keyword)
    path: list[str | int] = []
    operator = ""
    for separator, text in zip(rest[::2], rest[1::2], strict=True):
        if operator and (operator != "len" or text not in OPERATORS or separator == "___"):
            raise ValueError(f"{text!r} cannot follow {operator!r}")
        if separator == "___":
            path.append(text)
        elif text.isdecimal() and text.isascii():
            path.append(int(text))
        elif text == "len" or text in OPERATORS:
            operator = f"{operator}__{text}" if operator else text
        else:
            raise ValueError(f"{text!r} is no operator; there are len, {', '.join(OPERATORS)}")
    if not name or "" in path:
        raise ValueError("a name is missing beside the underscores")
    if operator == "len":
        raise ValueError(f"'len' needs an operator: {keyword}__lte")
    return Place(name, tuple(path)), operator


class _Compiler:
    """Makes an inspector from the declarations of one route's handler."""

    def __init__(self, route: Route, model: tuple[str, Iterable[str]] | None) -> None:
        self._route = route
        self._checks: list[tuple[Rule, Check | None]] = []
        self._choices: list[OneOf] = []
        self._seen: set[tuple[str, Place, str]] = set()
        self._kinds: dict[tuple[str, Place], Rule] = {}
        parameters = list(inspect.signature(route.handler).parameters.values())[1:]
        kinds = {p.kind for p in parameters}
        self._defaults = {p.name: p.default for p in parameters if p.kind is not p.VAR_KEYWORD}
        if model is not None:
            name, keys = model
            self._defaults.pop(name, None)
            self._defaults.update(dict.fromkeys(keys))
        # A handler of `was` alone reads was.request.args, so may look for anything.
        self._takes_any = inspect.Parameter.VAR_KEYWORD in kinds or not parameters

    def take(self, declaration: Declaration) -> None:
        scope = self._scope(declaration.scope)
        for keyword, value in declaration.rules.items():
            self._said = f"@app.inspect({keyword}={_short(value)})"
            try:
                if keyword not in _LISTS:
                    self._take_rule(scope, keyword, value)
                elif value is not None:
                    self._take_names(scope, keyword, _names(value))
            except ValueError as error:
                raise SetupError(f"{self._said}: {error}", self._route.source) from None

    def inspector(self) -> Inspector:
        self._check_kinds()
        scopes = {rule.scope for rule, _ in self._checks} | {c.scope for c in self._choices}
        groups = [self._group(scope) for scope in WHERE if scope in scopes]
        numbers = [s.text for s in parse_rule(self._route.rule) if s.kind in ("int", "float")]
        return Inspector(groups, [rule for rule, _ in self._checks], numbers)

    def _group(self, scope: str) -> Group:
        checks = [(rule, check) for rule, check in self._checks if rule.scope == scope]
        # What converts goes before what compares.
        checks.sort(key=lambda item: item[0].operator not in _KINDS)
        names = {rule.place.name for rule, _ in checks}
        nones = {r.place.name for r, check in checks if check is None and not r.place.path}
        nullable = nones | {name for name in names if self._defaults.get(name) is None}
        return Group(scope, checks, (c for c in self._choices if c.scope == scope), nullable)

    def _scope(self, given: tuple[Any, ...]) -> str:
        scope = given[0] if given else "ARGS"
        if len(given) > 1 or not isinstance(scope, str) or scope not in WHERE:
            said = ", ".join(_short(value) for value in given)
            raise SetupError(
                f"@app.inspect({said}): all rules are keyword arguments, ints=['id']; before them"
                f" there may be the part of the request to inspect: {', '.join(WHERE)}",
                self._route.source,
            )
        return scope

    def _take_names(self, scope: str, keyword: str, names: list[str]) -> None:
        if keyword in LIBRARIES:
            _require(*LIBRARIES[keyword])
        places = []
        for name in names:
            place, operator = parse(name)
            if operator or (place.path and keyword in _CHOICES):
                raise ValueError(f"takes names of parameters; {name!r} is none")
            self._check_name(place.name)
            places.append(place)
        if keyword in _CHOICES:
            if not names:
                raise ValueError("takes names of parameters; there are none")
            self._choices.append(OneOf(scope, keyword, tuple(names)))
            return
        for place in places:
            self._add(Rule(scope, keyword, place, keyword), KEYWORDS.get(keyword))

    def _take_rule(self, scope: str, keyword: str, value: Any) -> None:
        place, operator = parse(keyword)
        self._check_name(place.name)
        if not operator:
            if isinstance(value, type) and value in TYPES:
                named = TYPES[value]
                self._add(Rule(scope, keyword, place, named), KEYWORDS[named])
            elif not isinstance(value, type) and callable(getattr(value, "search", None)):
                self._add(Rule(scope, keyword, place, "search", value), found_by(value))
            else:
                types = ", ".join(kind.__name__ for kind in TYPES)
                raise ValueError(
                    f"a parameter takes a type ({types}) or an object with a search method;"
                    f" to compare write {keyword}__eq; lists are {', '.join(_LISTS)}"
                )
            return
        prefix, _, compared = operator.rpartition("__")
        if prefix and (compared in OF_TEXTS or not _all_numbers(value)):
            raise ValueError("a length is a number, and is compared with numbers")
        check = OPERATORS[compared](value)
        self._add(Rule(scope, keyword, place, operator, value), length(check) if prefix else check)

    def _add(self, rule: Rule, check: Check | None) -> None:
        identity = (rule.scope, rule.place, rule.operator.replace("exact", "eq"))
        if identity in self._seen:
            raise ValueError(f"the rule is there twice for {str(rule.place)!r}")
        self._seen.add(identity)
        self._checks.append((rule, check))
        kind = _KINDS.get(rule.operator)
        if kind is not None:
            other = self._kinds.setdefault((rule.scope, rule.place), rule)
            if _KINDS[other.operator] is not kind:
                raise ValueError(f"{str(rule.place)!r} cannot be in {other.operator} as well")

    def _check_name(self, name: str) -> None:
        if not self._takes_any and name not in self._defaults:
            raise ValueError(
                f"{self._route.handler.__name__} does not take {name!r};"
                f" it takes {', '.join(self._defaults)}"
            )

    def _check_kinds(self) -> None:
        for rule, _ in self._checks:
            known = self._kinds.get((rule.scope, rule.place))
            if known is not None and rule.operator not in (*_KINDS, "nones"):
                kind = _KINDS[known.operator]
                if not _fits(rule, kind):
                    raise SetupError(
                        f"@app.inspect({rule.keyword}={_short(rule.value)}) makes no sense of"
                        f" {str(rule.place)!r}, which is {kind.__name__} by {known.keyword}",
                        self._route.source,
                    )


def _fits(rule: Rule, kind: type) -> bool:
    """Whether an operator can be right for values of a kind."""
    if rule.operator.startswith("len__"):
        return kind in (str, list, dict)
    if kind is bool:
        return rule.operator in _EQUALITIES
    if kind in (int, float):
        return rule.operator not in OF_TEXTS and _all_numbers(rule.value)
    return kind is str or (kind is list and rule.operator in ("contains", "notcontain"))


def _all_numbers(value: Any) -> bool:
    values = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)


def _names(value: Any) -> list[str]:
    names = value.split() if isinstance(value, str) else value
    if not isinstance(names, list | tuple | set | frozenset):
        raise ValueError("takes a list of names: ['id']")
    if strange := [name for name in names if not isinstance(name, str)]:
        raise ValueError(f"takes a list of names; {strange[0]!r} is none")
    return list(names)


def _require(module: str, distribution: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"needs {distribution}, which cannot be imported: {error}."
            f" Mend: pip install {distribution}"
        ) from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
