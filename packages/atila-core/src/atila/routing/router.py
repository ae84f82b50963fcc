"""Rules and the router: finds the endpoint of a path."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from atila.errors import SetupError, nearest

SPECIAL = frozenset({"me", "notme", "new"})
"""Words that a typed parameter takes as they are: /profiles/me for /profiles/<int:id>."""

LONGEST_NUMBER = 300
"""Digits; a longer number in a path matches nothing, so that none is ever costly to convert."""


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""The methods of a route that names none; HEAD comes with GET, and OPTIONS with all."""
ALL_METHODS = (*METHODS, "HEAD", "OPTIONS")
"""The methods of a route that answers all requests."""


@dataclass(slots=True)
class Route:
    """One use of `@app.route`: a rule, its handler and its options.

    Attributes:
        rule: the path below its mount point, with parameters: "/users/<int:id>".
        handler: the function, as it was written.
        methods: upper case; HEAD comes with GET by itself.
        content_types: media types of request bodies that it takes; none named takes all.
        options: all other arguments of `@app.route`.
        name: its name for `urlfor` and `pipe`.
        source: "file:line" of the handler.
        automatic: made by the framework, to answer OPTIONS for a path of other routes.
        mntopt: how and where the module was mounted that it is in.
        rank: of two with the same path the one with the higher rank answers.
        namespace: for annotations, names beside those of the handler's module: the variables of the
            function in which it is defined.
        provided: names of parameters of the handler that the app's providers give; as soon as it is
            mounted.
    """

    rule: str
    handler: Callable[..., Any]
    methods: tuple[str, ...] = METHODS
    content_types: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    source: str = ""
    automatic: bool = False
    mntopt: Mapping[str, Any] = field(default_factory=dict)
    rank: int = 0
    namespace: Mapping[str, Any] = field(default_factory=dict)
    provided: tuple[str, ...] = ()

    def parameters(self) -> list[inspect.Parameter]:
        """The parameters of the handler that a request may give: not the context, and nothing
        provided.
        """
        parameters = list(inspect.signature(self.handler).parameters.values())[1:]
        return [p for p in parameters if p.name not in self.provided or p.kind is p.VAR_KEYWORD]


class Segment(NamedTuple):
    """A part of a rule between slashes: literal text, or a parameter of a kind."""

    text: str
    kind: str = ""


def parse_rule(rule: str, source: str = "") -> list[Segment]:
    """The segments of a rule such as "/users/<int:id>/<path:rest>".

    Raises:
        SetupError: the rule is malformed.
    """
    if rule and not rule.startswith("/"):
        raise SetupError(f'the rule {rule!r} must begin with a slash: "/{rule}"', source)
    segments: list[Segment] = []
    names: set[str] = set()
    for part in rule.split("/")[1:]:
        if segments and segments[-1].kind == "path":
            raise SetupError(f"in the rule {rule!r} nothing can follow a <path:…>", source)
        segment = _parse_segment(part, rule, source)
        if segment.kind:
            if segment.text in names:
                raise SetupError(f"the rule {rule!r} has <{segment.text}> twice", source)
            names.add(segment.text)
        segments.append(segment)
    return segments


def names_of(segments: Iterable[Segment]) -> tuple[str, ...]:
    """The names of the parameters in a rule, in order."""
    return tuple(segment.text for segment in segments if segment.kind)


_FOREIGN = re.compile(r"\{(?P<a>\w+)(?::(?P<b>\w+))?\}|:(?P<c>[A-Za-z_]\w*)")
"""Parameters as other frameworks write them: {id}, {id:int}, :id."""
_KINDS = {"string": "str", "text": "str", "integer": "int", "number": "float", "any": "path"}
"""Names of kinds in other frameworks."""


def _parse_segment(part: str, rule: str, source: str) -> Segment:
    if "<" not in part and ">" not in part:
        _check_literal(part, rule, source)
        return Segment(part)
    if not (part.startswith("<") and part.endswith(">")):
        raise SetupError(
            f"in the rule {rule!r} a parameter must fill its place between two slashes: {part!r}",
            source,
        )
    kind, _, name = part[1:-1].rpartition(":")
    kind = kind or "str"
    if kind not in CONVERTERS:
        meant = f"<{name}:{kind}>" if name in CONVERTERS else ""
        if (ours := _KINDS.get(kind)) is not None:
            meant = f"<{ours}:{name}>" if ours != "str" else f"<{name}>"
        hint = f"; did you mean {meant}?" if meant else nearest(kind, CONVERTERS)
        raise SetupError(
            f"the rule {rule!r} has a parameter of unknown type {kind!r};"
            f" there are {', '.join(CONVERTERS)}{hint}",
            source,
        )
    if not name.isidentifier():
        raise SetupError(f"in the rule {rule!r} {name!r} is no name of a parameter", source)
    return Segment(name, kind)


def _check_literal(part: str, rule: str, source: str) -> None:
    if "{" not in part and "}" not in part and not part.startswith(":"):
        return
    if (foreign := _FOREIGN.fullmatch(part)) is not None:
        name, kind = foreign["a"] or foreign["c"], foreign["b"] or ""
        kind = _KINDS.get(kind, kind)
        meant = f"<{kind}:{name}>" if kind in CONVERTERS and kind != "str" else f"<{name}>"
        raise SetupError(
            f"in the rule {rule!r} {part!r} is no parameter; did you mean {meant}?", source
        )
    if not part.startswith(":"):
        raise SetupError(
            f"the rule {rule!r} has a brace, which no path has as it is; a parameter is <name>",
            source,
        )


def _to_int(text: str) -> Any:
    if text.isdecimal() and text.isascii() and len(text) <= LONGEST_NUMBER:
        return int(text)
    digits = text[1:] if text.startswith("-") else text
    if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER:
        return int(text)
    return text if text in SPECIAL else None


def _to_float(text: str) -> Any:
    whole, _, fraction = (text[1:] if text.startswith("-") else text).partition(".")
    digits = whole + fraction
    if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER:
        return float(text)
    return text if text in SPECIAL else None


def _to_text(text: str) -> Any:
    return text or None


Converter = Callable[[str], Any]
CONVERTERS: dict[str, Converter] = {
    "int": _to_int,
    "float": _to_float,
    "str": _to_text,
    "path": _to_text,
}
"""Kind of parameter to its converter, most particular first; None means it does not match."""

_ORDER = list(CONVERTERS)


def fitting(kind: str, value: Any) -> Any:
    """The value of a rule's parameter that a form or JSON gives in place of the path.

    Args:
        kind: the converter of the parameter: "int".
        value: the value as given.

    Returns:
        The value that the path would give for the text; None for one that no path could give.
    """
    if isinstance(value, str):
        return CONVERTERS[kind](value)
    if isinstance(value, bool):
        return None
    if kind == "float" and isinstance(value, float):
        return value
    if not isinstance(value, int):
        return None
    # A number is written without quotes by many a client, and a path has it as text.
    return value if kind in ("int", "float") else CONVERTERS[kind](str(value))


class Match(NamedTuple):
    """The match of a request: an endpoint, and the rule's parameters in order."""

    endpoint: Any
    names: tuple[str, ...]
    values: tuple[Any, ...] = ()


Found = tuple[Any, tuple[str, ...], tuple[Any, ...]]
"""The same as a plain tuple, which is made and taken apart in less time.

In the tree it stands without values; for a rule without parameters it is the very match.
"""


class Leaf:
    """All that is at one place of the tree: a target for each method.

    Attributes:
        targets: the targets by method.
        options: answers OPTIONS if none of the targets does.
    """

    __slots__ = ("options", "targets")

    def __init__(self) -> None:
        self.targets: dict[str, Found] = {}
        self.options: Found | None = None

    def target(self, method: str) -> Found | None:
        """The target for a method here."""
        found = self.targets.get(method)
        return self.options if found is None and method == "OPTIONS" else found


class _Node:
    """A place in the tree.

    Attributes:
        is_literal: nothing follows it but literal text.
        only: converter and node of the parameter that follows it, if it is the only one.
    """

    __slots__ = ("is_literal", "leaf", "literals", "only", "parameters", "tail")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameters: list[tuple[int, Converter, _Node]] = []
        self.tail: Leaf | None = None
        self.leaf: Leaf | None = None
        self.note()

    def note(self) -> None:
        """Note what follows it, after that has changed."""
        self.is_literal = not self.parameters and self.tail is None
        is_only = self.tail is None and len(self.parameters) == 1
        self.only = self.parameters[0][1:] if is_only else None

    def child(self, segment: Segment) -> _Node:
        if not segment.kind:
            node = self.literals.setdefault(segment.text, _Node())
            self.note()
            return node
        rank = _ORDER.index(segment.kind)
        for known, _, node in self.parameters:
            if known == rank:
                return node
        node = _Node()
        self.parameters.append((rank, CONVERTERS[segment.kind], node))
        self.parameters.sort(key=lambda parameter: parameter[0])
        self.note()
        return node


class Router:
    """Finds the endpoint for a path; the time does not depend on how many rules there are.

    A rule without parameters is found in a dict. For the others the path goes down a tree, segment
    by segment: literal text before int, float and str, and a `<path:…>` last. A place that does not
    know the method is passed over.

    Attributes:
        got: the targets of GET at paths of rules without parameters: those of most requests.
    """

    def __init__(self) -> None:
        self.got: dict[str, Found] = {}
        self._fixed: dict[str, Leaf] = {}
        self._root = _Node()
        self._methods = {"OPTIONS"}

    def add(
        self, rule: str, endpoint: Any, methods: Iterable[str], optional: int = 0, source: str = ""
    ) -> list[Leaf]:
        """Add a rule; the leaves it leads to answer OPTIONS only once their `options` is set.

        Args:
            rule: the path, with parameters.
            endpoint: the target that `match` gives.
            methods: upper case.
            optional: how many parameters at the end may be left out, their slashes too.
            source: "file:line", for messages.

        Returns:
            The leaves that the rule leads to: one, and one more for each optional parameter.

        Raises:
            SetupError: the rule is malformed, or one of the same shape has one of the methods.
        """
        segments = parse_rule(rule, source)
        methods = tuple(methods)
        self._methods.update(methods)
        leaves = [self._place(rule, segments, endpoint, methods, source)]
        for _ in range(optional):
            segments = segments[:-1]
            leaves.append(self._place(rule, segments, endpoint, methods, source))
        return leaves

    def _place(
        self,
        rule: str,
        segments: Sequence[Segment],
        endpoint: Any,
        methods: tuple[str, ...],
        source: str,
    ) -> Leaf:
        leaf = self._leaf(segments)
        target = (endpoint, names_of(segments), ())
        for method in methods:
            if (other := leaf.targets.get(method)) is not None:
                if _rank(other[0]) > _rank(endpoint):
                    continue
                before = getattr(getattr(other[0], "route", None), "source", "") or "before"
                raise SetupError(
                    f"{method} {rule or '(empty rule)'} leads to the same place as a route defined"
                    f" {before}; change the rule or the methods of one",
                    source,
                )
            leaf.targets[method] = target
            if method == "GET" and not any(segment.kind for segment in segments):
                self.got[_path(segments)] = target
        return leaf

    def _leaf(self, segments: Sequence[Segment]) -> Leaf:
        if not any(segment.kind for segment in segments):
            return self._fixed.setdefault(_path(segments), Leaf())
        node = self._root
        for segment in segments:
            if segment.kind == "path":
                node.tail = node.tail or Leaf()
                node.note()
                return node.tail
            node = node.child(segment)
        node.leaf = node.leaf or Leaf()
        return node.leaf

    def match(self, path: str, method: str) -> Match | None:
        """Where a request leads; None if no rule fits path (percent-decoded) and method."""
        found = self.find(path, method)
        return None if found is None else Match(*found)

    def find(self, path: str, method: str) -> Found | None:
        """The same as `match`, as a plain tuple, for the dispatch of each request."""
        leaf = self._fixed.get(path)
        if leaf is not None:
            target = leaf.targets.get(method) or leaf.target(method)
            if target is not None:
                return target
        return self.descend(path, method)

    def descend(self, path: str, method: str) -> Found | None:
        """The same by the rules with parameters alone."""
        steps = iter(path.split("/"))
        next(steps)  # What is before the first slash: nothing.
        found = _descend(self._root, steps, (), method)
        if found is None and path == "/" and (leaf := self._fixed.get("")) is not None:
            # A client can ask for the root by no shorter path, so it stands for an empty one, which
            # is what is left of "/<path:path>" without its parameter.
            found = leaf.target(method)
        return found

    def allowed(self, path: str) -> list[str]:
        """The methods that a path answers, for Allow (RFC 9110, section 10.2.1)."""
        return sorted(m for m in self._methods if self.find(path, m) is not None)


def _path(segments: Sequence[Segment]) -> str:
    return "".join("/" + segment.text for segment in segments)


def _rank(endpoint: Any) -> int:
    return getattr(getattr(endpoint, "route", None), "rank", 0)


def _descend(
    node: _Node, steps: Iterator[str], values: tuple[Any, ...], method: str
) -> Found | None:
    for part in steps:
        if node.is_literal:
            below = node.literals.get(part)
            if below is None:
                return None
            node = below
            continue
        only = node.only
        if only is None or part in node.literals:
            return _try_all(node, [part, *steps], values, method)
        convert, node = only
        value = convert(part)
        if value is None:
            return None
        values += (value,)
    leaf = node.leaf
    if leaf is None:
        return None
    target = leaf.targets.get(method) or leaf.target(method)
    return None if target is None else (target[0], target[1], values)


def _try_all(node: _Node, parts: list[str], values: tuple[Any, ...], method: str) -> Found | None:
    """The same where a part of the path can be more than one thing."""
    part, *rest = parts
    below = node.literals.get(part)
    if below is not None and (found := _descend(below, iter(rest), values, method)) is not None:
        return found
    for _, convert, child in node.parameters:
        value = convert(part)
        if value is not None:
            found = _descend(child, iter(rest), (*values, value), method)
            if found is not None:
                return found
    if node.tail is not None and (tail := "/".join(parts)):
        leaf = node.tail
        target = leaf.targets.get(method) or leaf.target(method)
        return None if target is None else (target[0], target[1], (*values, tail))
    return None
