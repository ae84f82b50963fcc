"""Layers: values through which other distributions extend the framework.

A layer is a value, `Layer`, that an entry point of the group "atila.layers" names. It is read once
when an app is created; while requests are served nothing asks any more whether a layer exists.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from atila.errors import MissingLayer, SetupError
from atila.http.exchange import Header

if TYPE_CHECKING:
    from atila.app.application import Atila
    from atila.http.exchange import Exchange
    from atila.routing.router import Match, Route
    from atila.serving.endpoint import Endpoint
    from atila.serving.site import Site
    from atila.was import Was

GROUP = "atila.layers"
PROTOCOL = 1
"""The version of the layer protocol that this core speaks."""

Handler = Callable[..., Any]
Before = Callable[["Was"], Any]
After = Callable[["Was", Any], Any]
Responder = Callable[["Was", Any], Any]
Finder = Callable[["Exchange", str, "Match | None"], "Endpoint | None"]
"""Given a request, its path below the app's mount point and the route that it would lead to if it
were no call, gives the endpoint that answers it, or None for that of the route. Raising an
`HTTPError` answers with that. The one of the type "*" is asked last, and only if there is no route.
Never blocks."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What a layer adds to one route; each part may be left empty.

    Attributes:
        before: run in order before the handler; the first that gives something other than None
            answers the request with it. Raising an error answers with that.
        after: run in order on what the handler gave; a value other than None replaces it.
        headers: gives headers that every answer of the route carries, errors too.
        wrap: gives the function to call instead of the handler, which it is given; it is called
            as the handler would be: (was, **parameters).
        websocket: the route answers WebSocket handshakes, and nothing else.
        loop_safe: none of `before` and `after` ever blocks, so they may run on the task loop.
    """

    before: Sequence[Before] = ()
    after: Sequence[After] = ()
    headers: Callable[[Was], Sequence[Header]] | None = None
    wrap: Callable[[Handler], Handler] | None = None
    websocket: bool = False
    loop_safe: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """What a distribution adds to the framework.

    Attributes:
        name: which layer it is: "auth". Two of one name are a conflict for the app to decide.
        protocol: the version of this protocol that it is written for.
        was: names of the request's context, each with a factory that gets the context; it is
            called at the first use of the name, and its value kept for that request.
        methods: names of the context that are called: functions whose first argument it is.
        app: names of `Atila`: functions whose first argument is the app, or any descriptor.
        config: defaults of `app.config`.
        options: names of `@app.route(...)` options that the layer understands.
        compile: called for each route when the app is mounted; gives the steps of the layer for
            this route, or None if it has none here.
        responders: for a type of returned value, a function (was, value) that turns it into a
            simpler value: at last str, bytes, a file or an iterator of these. An awaitable is
            awaited on the task loop.
        launch: names added to the `skitai` module for launch scripts.
        request: names of `was.request`, each with a factory that gets the context; see `was`.
        exports: names of the module `atila.was`, for programs that are no app.
        calls: called when the app is mounted; gives, by the media type of a POST's body, functions
            that find what answers a call of a protocol of their own; see `Finder`.
        begin: begin(site), called when a process begins to serve; what it gives, if anything, is
            run on the task loop.
        fields: names of parameters that are for the layer; a handler is called without those that
            it does not take.
        refusal_headers: called when the routes of an app are compiled; gives what gives the headers
            of answers to requests that no route gets (404, 405, 413, 503, …), or None for none.
    """

    name: str
    protocol: int
    was: Mapping[str, Callable[[Was], Any]] = field(default_factory=dict)
    methods: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    app: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    options: frozenset[str] = frozenset()
    compile: Callable[[Route, Atila], Steps | None] | None = None
    responders: Mapping[type, Responder] = field(default_factory=dict)
    launch: Mapping[str, Any] = field(default_factory=dict)
    calls: Callable[[Atila], Mapping[str, Finder]] | None = None
    begin: Callable[[Site], Coroutine[Any, Any, None] | None] | None = None
    request: Mapping[str, Callable[[Was], Any]] = field(default_factory=dict)
    exports: Mapping[str, Any] = field(default_factory=dict)
    fields: frozenset[str] = frozenset()
    refusal_headers: Callable[[Atila], Callable[[Was], Sequence[Header]] | None] | None = None


def names_of(names: type) -> dict[str, Any]:
    """The functions and descriptors in the body of a class, by their names, as `Layer` takes them.

    Args:
        names: a class that says what a layer adds to `was` or to the app: for `Layer`, and as a
            base class for type checkers. Names that are only annotated are not among them.
    """
    return {name: value for name, value in vars(names).items() if not name.startswith("_")}


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


@dataclass(frozen=True, slots=True)
class _Known:
    """A layer of this project: its distribution, and the names that it is known to have."""

    distribution: str
    was: frozenset[str]
    app: frozenset[str]
    options: frozenset[str]
    request: frozenset[str] = frozenset()
    exports: frozenset[str] = frozenset()


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


KNOWN = {
    "tasks": _Known(
        "atila-tasks",
        _names(
            "Task Tasks Mask Map Mapped render_or_Map render_or_Mapped Thread Process Subprocess"
            " ThreadPass ProxyPass Queue stub db xmlrpc jsonrpc grpc get post put patch delete"
            " options upload"
        ),
        _names("alias"),
        _names("coroutine"),
        exports=_names("django_model"),
    ),
    "auth": _Known(
        "atila-auth",
        _names(
            "session mbox csrf_token csrf_token_input verify_csrf remove_csrf encode_jwt decode_jwt"
            " dejwt verify_otp generate_otp encode_ott decode_ott revoke_ott user"
        ),
        _names(
            "permission_handler permission_required login_required identification_required"
            " authorization_required authorization_handler bearer_handler"
            " csrf_verification_required rate_limit"
        ),
        _names(
            "authenticate access_control_allow_origin access_control_allow_headers"
            " access_control_allow_credentials access_control_expose_headers"
            " access_control_max_age"
        ),
        _names("session mbox JWT"),
        _names("generate_otp"),
    ),
    "render": _Known(
        "atila-render",
        _names("render API Fault render_or_API"),
        _names("template_global template_filter add_jinja_ext jinja_env"),
        frozenset(),
    ),
    "ws": _Known(
        "atila-ws",
        _names("websocket"),
        _names("websocket websocket_send websocket_broadcast"),
        frozenset(),
    ),
}


def find(choice: LayerChoice) -> dict[str, Layer]:
    """The layers of an app: those installed, as the app's choice has it.

    Raises:
        SetupError: two distributions have a layer of one name and none is chosen; a chosen one is
            not installed; a layer is written for another protocol.
    """
    choice = {**_preferred.get(), **choice}
    offers: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        offers.setdefault(entry.name, []).append(entry)
    layers = {}
    for name in sorted({*offers, *choice}):
        chosen = choice.get(name, ...)
        if isinstance(chosen, Layer):
            layers[name] = _checked(chosen, f"Atila(..., layers={{{name!r}: ...}})")
        elif chosen is not None:
            layers[name] = _load(_pick(name, offers.get(name, []), chosen))
    return layers


def _pick(name: str, offers: Sequence[EntryPoint], chosen: object) -> EntryPoint:
    # A distribution may be found twice: where it is installed and where it is developed.
    by_distribution = {_distribution(entry): entry for entry in reversed(offers)}
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


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value


def _load(entry: EntryPoint) -> Layer:
    origin = f"{_distribution(entry)} (entry point {entry.name} = {entry.value})"
    try:
        layer = entry.load()
    except ImportError as error:
        raise SetupError(f"the layer {entry.name!r} of {origin} cannot be imported: {error}") from (
            error
        )
    if not isinstance(layer, Layer):
        raise SetupError(f"{origin} is no atila.Layer but {type(layer).__name__}")
    if layer.name != entry.name:
        raise SetupError(f"{origin} calls itself {layer.name!r}; the two names must agree")
    return _checked(layer, origin)


def _checked(layer: Layer, origin: str) -> Layer:
    if layer.protocol != PROTOCOL:
        older = "atila-core" if layer.protocol > PROTOCOL else origin.partition(" ")[0]
        raise SetupError(
            f"the layer {layer.name!r} of {origin} is written for layer protocol {layer.protocol},"
            f" this atila-core speaks {PROTOCOL}. Mend: pip install -U {older}"
        )
    return layer


def missing(kind: str, name: str, present: Mapping[str, Layer]) -> str:
    """What to tell somebody who used a name that none of an app's layers has.

    Args:
        kind: where the name was looked for: "was", "app", "options", "request" or "exports".
        name: the name.
        present: the app's layers.
    """
    owner = next((n for n, known in KNOWN.items() if name in getattr(known, kind)), None)
    spelling = {
        "was": f"was.{name}",
        "app": f"app.{name}",
        "options": f"option {name!r}",
        "request": f"was.request.{name}",
        "exports": f"atila.was.{name}",
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


def merged_names(layers: Mapping[str, Layer], part: str) -> dict[str, Any]:
    """The names that all layers add to one part: "was", "methods", "app", "config", "request".

    Raises:
        SetupError: two layers add the same name.
    """
    names: dict[str, Any] = {}
    owners: dict[str, str] = {}
    for layer in layers.values():
        for name, value in getattr(layer, part).items():
            if name in names:
                raise SetupError(
                    f"the layers {owners[name]!r} and {layer.name!r} both add {name!r} to {part};"
                    f' leave one out: Atila(__name__, layers={{"{layer.name}": None}})'
                )
            names[name] = value
            owners[name] = layer.name
    return names


def launch_names() -> dict[str, Any]:
    """The names that the installed layers add to the `skitai` module.

    What is wrong with a layer is told where an app uses it, not here.
    """
    names: dict[str, Any] = {}
    for layer in _installed():
        names.update(layer.launch)
    return names


def exported(name: str) -> Any:
    """What an installed layer has for programs that are no app.

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
    for entry in entry_points(group=GROUP):
        try:
            yield _load(entry)
        except (SetupError, AttributeError):
            # The latter of one that is just being imported, and has imported us.
            continue


__all__ = ["PROTOCOL", "Layer", "LayerChoice", "MissingLayer", "Steps", "find", "names_of"]
