"""Layers: values through which other distributions extend the framework.

A layer is a value, `Layer`, that an entry point of the group "atila.layers" names. It is read once
when an app is created; while requests are served nothing asks any more whether a layer exists.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from atila import entries
from atila.entries import Entry
from atila.errors import MissingLayer, SetupError, caller
from atila.http.exchange import Header
from atila.http.form_token import FormToken
from atila.known_layers import KNOWN
from atila.typevars import Value

if TYPE_CHECKING:
    from atila import Atila, Endpoint, Site, Was
    from atila.http.exchange import Exchange
    from atila.routing.router import Match, Route

GROUP = "atila.layers"
PROTOCOL = 2
"""The version of the layer protocol that this core speaks."""

Handler = Callable[..., Any]
Before = Callable[["Was"], Any]
After = Callable[["Was", Any], Any]
Responder = Callable[["Was", Any], Any]
Finder = Callable[["Exchange", str, "Match | None"], "Endpoint | None"]
"""Given a request, its path below the app's mount point and the route that it would lead to if it
were no call, gives the endpoint that answers it, or None for that of the route. Raising an
`HTTPError` answers with that. The one of the type "*" is asked last, and only if there is no route;
so is one that has an attribute `yields_to_routes`. Never blocks."""


class Made:
    """The descriptor of `made` on a class."""

    __slots__ = ("make", "name")

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self.make = make
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        if self.name:
            raise TypeError(f"{name!r} and {self.name!r} are one made(…); write two")
        self.name = name

    def __get__(self, owner: object | None, kind: type | None = None) -> Any:
        if owner is None:
            return self
        # Without __set__ what stands in the instance's dict is found before this descriptor.
        value = owner.__dict__[self.name] = self.make(owner)
        return value


def made(make: Callable[[Any], Value]) -> Value:
    """A name whose value is made at its first use, and kept for that context, request or app.

    For the classes of `Layer`: `session = made(Session)` is `was.session`. It works as
    `functools.cached_property` from Python 3.12 on, without the lock of 3.11, for which one request
    would wait for another.

    Args:
        make: make(owner) gives the value; the owner is the context, request or app. It runs in the
            thread of the first use.

    Returns:
        To type checkers and editors the value, as objects of the class have it.
    """
    return cast("Value", Made(make))


def fresh(make: Callable[[Any], Value]) -> Value:
    """A name whose value is made each time that it is read, and kept nowhere.

    For values without a state that refer to their owner, such as `was.db`. If it kept them, the two
    would keep each other, and the whole request, until the garbage collector comes to them.

    Args:
        make: make(owner) gives the value; the owner is the context, request or app.

    Returns:
        To type checkers and editors the value, as objects of the class have it.
    """
    return cast("Value", property(make))


@dataclass(frozen=True, slots=True)
class Steps:
    """The parts that a layer adds to one route; each may be left empty.

    Attributes:
        before: run in order before the handler; the first that gives something other than None
            answers the request with it. Raising an error answers with that.
        after: run in order on the handler's result; a value other than None replaces it.
        headers: gives headers that every answer of the route carries, errors too.
        wrap: gives the function to call instead of the handler, which it is given; it is called
            as the handler would be: (was, **parameters). Its own first parameter should be
            positional-only, (was, /, **parameters): else a client cannot use that name.
        websocket: the route answers WebSocket handshakes, and nothing else.
        max_message: bytes of a message of its WebSockets, for engines that can refuse a longer one
            while it still comes; None for MAX_BODY_SIZE.
        loop_safe: none of `before` and `after` ever blocks, so they may run on the task loop.
        fields: names of parameters that are for the layer; the handler is called without those
            that it does not take.
        security: the scheme of HTTP authentication that a client must use, in lower case: "basic",
            "digest", "bearer" (RFC 9110, section 11.1); "" for none. For the API's documents.
        schemes: where that says too little for them, Security Scheme Objects of OpenAPI, by name; a
            client needs one of them.
        scopes: gives, for a method of HTTP, the scopes that a token needs if one of these schemes
            is of OAuth 2.
        parameters: Parameter Objects of OpenAPI of those `fields` that are in the query.
        form_token: a token that it wants with forms, for the same documents.
    """

    before: Sequence[Before] = ()
    after: Sequence[After] = ()
    headers: Callable[[Was], Sequence[Header]] | None = None
    wrap: Callable[[Handler], Handler] | None = None
    websocket: bool = False
    max_message: int | None = None
    loop_safe: bool = False
    fields: frozenset[str] = frozenset()
    security: str = ""
    schemes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scopes: Callable[[str], Sequence[str]] | None = None
    parameters: Sequence[Mapping[str, Any]] = ()
    form_token: FormToken | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts that a layer adds to a mounted app as a whole; each may be left empty.

    Attributes:
        calls: by the media type of a POST's body, functions that find the endpoint for a call of a
            protocol of their own; see `Finder`.
        headers: gives headers of answers to requests that no route gets (404, 405, 413, 503, …).
        serve: serve(site), called when a process begins to serve; the coroutine that it returns, if
            any, runs on the task loop until the process ends. A function that several apps of a
            site have is called once.
    """

    calls: Mapping[str, Finder] = field(default_factory=dict)
    headers: Callable[[Was], Sequence[Header]] | None = None
    serve: Callable[[Site], Coroutine[Any, Any, None] | None] | None = None


_MOVED = {
    "methods": "functions of the class `was=`",
    "launch": "`exports=`",
    "fields": "`Steps(fields=…)`",
    "calls": "`mount=`, which returns Parts(calls=…)",
    "begin": "`mount=`, which returns Parts(serve=…)",
    "refusal_headers": "`mount=`, which returns Parts(headers=…)",
}
"""Parts of layer protocol 1, and where they are now."""


class _AnyProtocol(type):
    """Of a layer of another protocol only name and number are read, so that it can be refused."""

    if not TYPE_CHECKING:

        def __call__(cls, name: str, protocol: int, *parts: Any, **named: Any) -> Layer:
            if protocol != PROTOCOL:
                return super().__call__(name, protocol)
            for part in named:
                if part in _MOVED:
                    raise SetupError(
                        f"the layer {name!r} has {part}=, a part of layer protocol 1; in"
                        f" {PROTOCOL} it is {_MOVED[part]}",
                        caller(),
                    )
            return super().__call__(name, protocol, *parts, **named)


@dataclass(frozen=True, slots=True)
class Layer(metaclass=_AnyProtocol):
    """The names and functions that a distribution adds to the framework.

    Attributes:
        name: the name of the layer: "auth". Two of one name are a conflict for the app to decide.
        protocol: the version of this protocol that it is written for.
        was: a class whose names are added to the request's context: its functions are methods,
            and `made` makes a value at its first use. Type checkers take it for a base of `Was`.
        request: the same for `was.request`.
        app: the same for `Atila`.
        config: defaults of `app.config`; or for each a `Setting`, which adds a check of the value.
        options: names of `@app.route(...)` options that the layer understands.
        responders: for a type of returned value, a function (was, value) that turns it into a
            simpler value: at last str, bytes, a file or an iterator of these. An awaitable is
            awaited on the task loop. One that answers by itself returns `ANSWERED`.
        exports: names for programs that are no app: of the `skitai` module, for launch scripts,
            and of the module `atila.was`.
        compile: called for each route when the app is mounted; gives the steps of the layer for
            this route, or None if it has none here.
        mount: called when the routes of an app are compiled; gives the parts that the layer adds to
            the app as a whole, or None for none.
    """

    name: str
    protocol: int
    was: type = object
    request: type = object
    app: type = object
    config: Mapping[str, Any] = field(default_factory=dict)
    options: frozenset[str] = frozenset()
    responders: Mapping[type, Responder] = field(default_factory=dict)
    exports: Mapping[str, Any] = field(default_factory=dict)
    compile: Callable[[Route, Atila], Steps | None] | None = None
    mount: Callable[[Atila], Parts | None] | None = None


LayerChoice = Mapping[str, "str | Layer | None"]
"""Layer name to: the distribution to take it from, a layer itself, or None to leave it out."""

_preferred: ContextVar[LayerChoice] = ContextVar("preferred", default=MappingProxyType({}))


@contextmanager
def preferred(choice: LayerChoice | None) -> Iterator[None]:
    """Have the apps that are created meanwhile use these layers, unless they choose themselves."""
    token = _preferred.set(choice or {})
    try:
        yield
    finally:
        _preferred.reset(token)


def find(choice: LayerChoice) -> dict[str, Layer]:
    """The layers of an app: those installed, as the app's choice has it.

    Raises:
        SetupError: two distributions have a layer of one name and none is chosen; a chosen one is
            not installed; a layer is written for another protocol.
    """
    choice = {**_preferred.get(), **choice}
    offers: dict[str, list[Entry]] = {}
    for offer in entries.installed(GROUP):
        offers.setdefault(offer[0].name, []).append(offer)
    layers = {}
    for name in sorted({*offers, *choice}):
        chosen = choice.get(name, ...)
        if isinstance(chosen, Layer):
            layers[name] = _checked(chosen, f"Atila(..., layers={{{name!r}: ...}})")
        elif chosen is not None:
            layers[name] = _load(_pick(name, offers.get(name, []), chosen))
    return layers


def preload() -> None:
    """Import the layers of this project that are installed, in a process whose forks make apps. One
    that cannot be imported is an error of the app that wants it.
    """
    for entry, name in entries.installed(GROUP):
        known = KNOWN.get(entry.name)
        if known is not None and known.distribution == name:
            with suppress(Exception):
                entry.load()


def _pick(name: str, offers: Sequence[Entry], chosen: object) -> Entry:
    # A distribution may be found twice: where it is installed and where it is developed.
    by_distribution = {offer[1]: offer for offer in reversed(offers)}
    if isinstance(chosen, str):
        if chosen in by_distribution:
            return by_distribution[chosen]
        raise SetupError(
            f"the layer {name!r} is chosen from {chosen!r}, which is not installed or has no such"
            f" layer; installed with it: {', '.join(sorted(by_distribution)) or 'none'}."
            f" Mend: pip install {chosen}"
        )
    if len(by_distribution) > 1:
        first, second = sorted(by_distribution)[:2]
        raise SetupError(
            f"the layer {name!r} is in two distributions: {first} and {second}. Choose one:"
            f' Atila(__name__, layers={{"{name}": "{second}"}})'
        )
    return offers[0]


def _load(offer: Entry) -> Layer:
    entry, distribution = offer
    origin = f"{distribution} (entry point {entry.name} = {entry.value})"
    try:
        layer = entry.load()
    except ImportError as error:
        problem = f"the layer {entry.name!r} of {origin} cannot be imported: {error}"
        raise SetupError(problem + _newer(distribution, error)) from error
    if not isinstance(layer, Layer):
        raise SetupError(f"{origin} is no atila.Layer but {type(layer).__name__}")
    if layer.name != entry.name:
        raise SetupError(f"{origin} calls itself {layer.name!r}; the two names must agree")
    return _checked(layer, origin)


def _newer(distribution: str, error: ImportError) -> str:
    if (error.name or "").partition(".")[0] != __name__.partition(".")[0]:
        return ""
    # One of the two is older than the name that is missed.
    return (
        f" ({distribution} {_version(distribution)} beside atila-core {_version('atila-core')})."
        f" Mend: pip install -U {distribution} atila-core"
    )


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "of unknown version"


def _checked(layer: Layer, origin: str) -> Layer:
    if layer.protocol != PROTOCOL:
        raise SetupError(
            f"the layer {layer.name!r} of {origin} is written for layer protocol {layer.protocol},"
            f" this atila-core speaks {PROTOCOL}. Mend: {_mend(layer, origin)}"
        )
    for part in ("was", "request", "app"):
        if not isinstance(given := getattr(layer, part), type):
            raise SetupError(
                f"the layer {layer.name!r} of {origin} has {part}={given!r}; it must be a class,"
                " whose functions are methods and whose values are made by made(…)"
            )
    return layer


def _mend(layer: Layer, origin: str) -> str:
    if layer.protocol > PROTOCOL:
        return "pip install -U atila-core"
    if origin.startswith("Atila("):
        return f"write it for layer protocol {PROTOCOL}, as docs/layers.md has it"
    return f"pip install -U {origin.partition(' ')[0]}"


def owner_of(kind: str, name: str) -> str | None:
    """Which layer of this project has a name; None for none.

    Args:
        kind: see `missing`.
        name: the name.
    """
    return next((n for n, known in KNOWN.items() if name in getattr(known, kind)), None)


def absent(kind: str, name: str, present: Mapping[str, Layer], owner: type) -> MissingLayer:
    """The error about a name that an object does not have.

    Args:
        kind: see `missing`.
        name: the name.
        present: the app's layers.
        owner: the class of the object, for the nearest name.
    """
    text = missing(kind, name, present)
    return MissingLayer(text) if owner_of(kind, name) else MissingLayer(text, name, owner)


class _Absent:
    """A name of a layer that an app does not have, at the class of the app's objects."""

    __slots__ = ("_kind", "_name", "_present")

    def __init__(self, kind: str, name: str, present: Mapping[str, Layer]) -> None:
        self._kind, self._name, self._present = kind, name, present

    def __get__(self, instance: object, owner: type) -> Any:
        raise absent(self._kind, self._name, self._present, owner)


HAS_SLOW_GETATTR = sys.version_info < (3, 12)
"""Whether Python looks up each attribute of a class with a `__getattr__` anew, a tenth of a request
in all. There `mark_absent` and `explain` have the errors about unknown names."""

_MARK = "_explained_names"


def mark_absent(owner: type, kind: str, present: Mapping[str, Layer]) -> None:
    """Have the names of absent layers say what to install, without a `__getattr__`.

    Args:
        owner: the class of an app's objects.
        kind: see `missing`.
        present: the app's layers.
    """
    setattr(owner, _MARK, (kind, present))
    for known in KNOWN.values():
        for name in getattr(known, kind):
            if not hasattr(owner, name):
                setattr(owner, name, _Absent(kind, name, present))


def explain(error: BaseException) -> None:
    """Have Python's error about a name that an object of a marked class does not have say which may
    be meant. For errors of handlers, before they are logged.
    """
    if type(error) is AttributeError and error.name is not None:
        owner = type(error.obj)
        marked: tuple[str, Mapping[str, Layer]] | None = getattr(owner, _MARK, None)
        if marked is not None:
            error.args = (str(absent(marked[0], error.name, marked[1], owner)),)


def missing(kind: str, name: str, present: Mapping[str, Layer], module: str = "atila.was") -> str:
    """The message about a name that none of an app's layers has.

    Args:
        kind: where the name was looked for: "was", "app", "options", "request" or "exports".
        name: the name.
        present: the app's layers.
        module: the module that has it, of "exports".
    """
    owner = owner_of(kind, name)
    spelling = {
        "was": f"was.{name}",
        "app": f"app.{name}",
        "options": f"option {name!r}",
        "request": f"was.request.{name}",
        "exports": f"{module}.{name}",
    }[kind]
    if owner is None:
        return f"there is no {spelling}"
    distribution = KNOWN[owner].distribution
    if owner in present:
        return f"{spelling} is not in the {owner!r} layer that this app uses"
    return (
        f"{spelling} belongs to the layer {owner!r} ({distribution}), which is not installed or"
        f' was left out. Mend: pip install "atila-core[{owner}]"'
    )


def merged(parts: Iterable[tuple[str, Mapping[Any, Any]]], kind: str) -> dict[Any, Any]:
    """The additions of several layers of one kind, as one mapping.

    Args:
        parts: the name of each layer, with its additions.
        kind: the kind in words, for the error.

    Raises:
        SetupError: two layers add the same.
    """
    found: dict[Any, Any] = {}
    owners: dict[Any, str] = {}
    for layer, added in parts:
        for name, value in added.items():
            if name in found:
                shown = name.__qualname__ if isinstance(name, type) else name
                raise SetupError(
                    f"the layers {owners[name]!r} and {layer!r} both add {shown!r} to {kind};"
                    f' leave one out: Atila(__name__, layers={{"{layer}": None}})'
                )
            found[name] = value
            owners[name] = layer
    return found


def extended(
    base: type[Value],
    root: type,
    layers: Mapping[str, Layer],
    part: str,
    taken: Collection[str] = (),
) -> type[Value]:
    """A class with the names that layers add to it, which are found as quickly as its own.

    Args:
        base: the class.
        root: the framework's class: `base`, or one that it is derived from.
        layers: the layers, by name.
        part: the field of `Layer`: "was", "request" or "app".
        taken: names that objects of `root` have, besides those of the class.

    Raises:
        SetupError: two layers add the same name, or one a name that is the framework's.
    """
    classes = {name: getattr(layer, part) for name, layer in layers.items()}
    members = {name: _members(names, root) for name, names in classes.items()}
    merged(members.items(), part)
    kept = {*dir(root), *taken, *_OF_CLASSES}
    for name, found in members.items():
        if clash := kept & found.keys():
            names = classes[name]
            raise SetupError(
                f"the layer {name!r} adds {min(clash)!r} to {part}, which is the framework's own;"
                f" leave it out of {names.__qualname__} in {names.__module__}"
            )
    added = [names for names in dict.fromkeys(classes.values()) if names not in base.__mro__]
    # What a layer derives from the framework's class can only stand before it.
    before = [names for names in added if issubclass(names, root)]
    bases = (*before, base, *(names for names in added if names not in before))
    about = {"__module__": base.__module__, "__qualname__": base.__qualname__}
    return type(base.__name__, bases, about)


_OF_CLASSES = frozenset({"__init__", "__new__", "__slots__", "__getattr__", "__getattribute__"})
"""Names that would replace those of the extended class itself."""


def _members(names: type, root: type) -> dict[str, Any]:
    """The names of a layer's class, also of its bases other than the framework's."""
    found: dict[str, Any] = {}
    for each in reversed(names.__mro__):
        if each not in root.__mro__:
            found.update(vars(each))
    return {n: v for n, v in found.items() if n in _OF_CLASSES or not n.startswith("__")}


def launch_names() -> dict[str, Any]:
    """The names that the installed layers add to the `skitai` module.

    Faults of a layer are raised where an app uses it, not here.
    """
    return {name: value for layer in _installed() for name, value in layer.exports.items()}


def exported(name: str) -> Any:
    """A name of an installed layer for programs other than apps.

    Raises:
        ImportError: the layer that is known to have it is not installed.
        AttributeError: no layer has it.
    """
    for layer in _installed():
        if name in layer.exports:
            return layer.exports[name]
    if any(name in known.exports for known in KNOWN.values()):
        raise ImportError(missing("exports", name, {}))
    raise AttributeError(f"module 'atila.was' has no attribute {name!r}")


def _installed() -> Iterator[Layer]:
    for offer in entries.installed(GROUP):
        try:
            yield _load(offer)
        except (SetupError, AttributeError):
            # The latter of one that is just being imported, and has imported us.
            continue


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "names_of":
            # Layers of protocol 1 import it; they are to be refused by their number.
            return lambda names: {}
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["PROTOCOL", "Layer", "LayerChoice", "MissingLayer", "Parts", "Steps", "find", "made"]
