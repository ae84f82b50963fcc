"""Recognises XML-RPC and JSON-RPC requests by the media type of their body."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila import HTTPError, SetupError
from atila.routing.router import Match, Route
from atila_render.rpc import jsonrpc, xmlrpc

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.exchange import Exchange
    from atila.layers import Finder
    from atila.serving.endpoint import Endpoint

DEFAULTS: dict[str, Any] = {
    "RPC": ("xmlrpc", "jsonrpc", "grpc"),
    "RPC_PATHS": ("/RPC2", "/rpc2", "/jsonrpc", "/xmlrpc"),
    "RPC_INTROSPECTION": True,
    "RPC_MAX_BATCH": 1000,
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

_PROTOCOLS: dict[str, Any] = {"xmlrpc": xmlrpc, "jsonrpc": jsonrpc}


def finders(app: Atila) -> dict[str, Finder]:
    """What finds the endpoints of calls, by media type, for the protocols that an app takes.

    Raises:
        SetupError: the setting RPC names an unknown protocol.
    """
    wanted = app.config.RPC or ()
    if strange := set(wanted) - set(DEFAULTS["RPC"]):
        raise SetupError(
            f"the setting RPC names {min(strange)!r}; there are {', '.join(DEFAULTS['RPC'])}"
        )
    paths = frozenset(app.config.RPC_PATHS)
    found: dict[str, Finder] = {}
    for name, types in TYPES.items():
        if name in wanted:
            endpoint = _endpoint(app, name)
            for media, is_plain in types.items():
                found[media] = _everywhere(endpoint, media) if is_plain else _at(endpoint, paths)
    return found


def _endpoint(app: Atila, name: str) -> Endpoint:
    protocol = _PROTOCOLS[name]
    answer: Callable[[Was], Any] = protocol.answer

    def dispatch(was: Was) -> Any:
        return answer(was)

    route = Route("", dispatch, ("POST",), name=name, automatic=True)
    return app.endpoint_for(route).for_calls(dispatch, protocol.answer_error)


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

    return find


def refuse_other_types(app: Atila) -> Finder:
    """What answers bodies of types that are no calls, where nothing but calls is answered."""
    paths = frozenset(app.config.RPC_PATHS)
    types = [media for name in TYPES if name in app.config.RPC for media in TYPES[name]]

    def find(exchange: Exchange, path: str, match: Match | None) -> Endpoint | None:
        if path in paths and types:
            raise HTTPError(415, f"a call is of the type {', '.join(types)}")
        return None

    return find
