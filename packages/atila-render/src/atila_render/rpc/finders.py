"""Recognises XML-RPC and JSON-RPC requests by the media type of their body, and loads what answers
them only at the first one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from atila import HTTPError, SetupError
from atila.app.settings import Setting, flag, names, number
from atila.errors import nearest
from atila.routing.router import Match, Route

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.exchange import Exchange
    from atila.layers import Finder
    from atila.serving.endpoint import Endpoint

PROTOCOLS = ("xmlrpc", "jsonrpc", "grpc")

SETTINGS: dict[str, Setting] = {
    "RPC": names(PROTOCOLS),
    "RPC_PATHS": names(("/RPC2", "/rpc2", "/jsonrpc", "/xmlrpc")),
    "RPC_INTROSPECTION": flag(True),
    "RPC_MAX_BATCH": number(1000),
}
"""Settings:

- RPC: the protocols in which handlers can be called.
- RPC_PATHS: below the app's mount point, where bodies of application/json and application/xml are
  calls too, unless a route answers there.
- RPC_INTROSPECTION: whether system.listMethods, methodHelp and methodSignature answer.
- RPC_MAX_BATCH: calls in a batch or system.multicall.
"""

TYPES: dict[str, dict[str, bool]] = {
    "xmlrpc": {"text/xml": True, "application/xml": False},
    "jsonrpc": {
        "application/json-rpc": True,
        "application/jsonrequest": True,
        "application/json": False,
    },
}
"""Media types, and whether they make a request a call wherever it goes to."""


def finders(app: Atila) -> dict[str, Finder]:
    """The finders of calls, by media type, for the protocols that an app takes.

    Raises:
        SetupError: the setting RPC names an unknown protocol.
    """
    wanted = app.config.RPC or ()
    if strange := sorted(set(wanted) - {*PROTOCOLS}):
        raise SetupError(
            f"the setting RPC names {strange[0]!r}; there are {', '.join(PROTOCOLS)}"
            f"{nearest(strange[0], PROTOCOLS)}"
        )
    paths = frozenset(app.config.RPC_PATHS or ())
    found: dict[str, Finder] = {}
    for name, types in TYPES.items():
        if name in wanted:
            endpoint = _endpoint(app, name)
            for media, is_plain in types.items():
                found[media] = _everywhere(endpoint, media) if is_plain else _at(endpoint, paths)
    return found


def _endpoint(app: Atila, name: str) -> Endpoint:
    def dispatch(was: Was) -> Any:
        return _protocol(name).answer(was)

    def answer_error(was: Was, error: HTTPError) -> object:
        return _protocol(name).answer_error(was, error)

    route = Route("", dispatch, ("POST",), name=name, automatic=True)
    return app.endpoint_for(route).for_calls(dispatch, answer_error)


def _protocol(name: str) -> Any:
    """The module of a protocol."""
    return import_module(f"atila_render.rpc.{name}")


def _everywhere(endpoint: Endpoint, media: str) -> Finder:
    def find(exchange: Exchange, path: str, match: Match | None) -> Endpoint | None:
        # A route that names the type wants it as it is.
        if match is not None and media in match.endpoint.route.content_types:
            return None
        return endpoint

    return find


def _at(endpoint: Endpoint, paths: frozenset[str]) -> Finder:
    def find(exchange: Exchange, path: str, match: Match | None) -> Endpoint | None:
        return endpoint if match is None and path in paths else None

    find.yields_to_routes = True  # type: ignore[attr-defined]
    return find


def refuse_other_types(app: Atila) -> Finder:
    """A function that refuses bodies of other types than calls, where only calls are answered."""
    paths = frozenset(app.config.RPC_PATHS or ())
    types = [media for name in TYPES if name in app.config.RPC for media in TYPES[name]]

    def find(exchange: Exchange, path: str, match: Match | None) -> Endpoint | None:
        if path in paths and types:
            raise HTTPError(415, f"a call is of the type {', '.join(types)}")
        return None

    return find
