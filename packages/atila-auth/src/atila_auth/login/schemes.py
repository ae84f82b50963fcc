"""How clients of a route log in, as the API's document has it: Security Schemes of OpenAPI."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from atila import SetupError
from atila.routing.handler_source import names_used
from atila_auth.declarations import state_of
from atila_auth.sessions.session import COOKIE

if TYPE_CHECKING:
    from atila import Atila

Schemes = dict[str, dict[str, Any]]
"""By name; a client needs one of them."""

_SESSION = frozenset({"session", "request.session"})
_JWT = frozenset({"request.JWT", "dejwt", "decode_jwt"})
_URLS = {
    "password": ("tokenUrl",),
    "clientCredentials": ("tokenUrl",),
    "authorizationCode": ("authorizationUrl", "tokenUrl"),
    "implicit": ("authorizationUrl",),
}
"""The flows of OAuth 2 (RFC 6749), and the URLs that OpenAPI wants for each."""


def of_scheme(app: Atila, scheme: str) -> Schemes:
    """Those of a scheme of `authenticate`; none for "".

    Raises:
        SetupError: `app.oauth2_flows` is malformed.
    """
    match scheme:
        case "":
            return {}
        case "api_key":
            step = state_of(app).api_key
            if step is None:
                return {}
            place = step.place
            return {place.name: {"type": "apiKey", "in": place.where, "name": place.name}}
        case "bearer":
            return _bearer(app)
    return {scheme: {"type": "http", "scheme": scheme}}


def of_permissions(app: Atila) -> Schemes:
    """Those by which the permission handler knows users, as its source has it."""
    handler = state_of(app).permission_source
    if handler is None:
        return {}
    found: Schemes = {}
    if names_used(handler, _SESSION):
        found["session"] = {"type": "apiKey", "in": "cookie", "name": COOKIE}
    if names_used(handler, _JWT):
        found.update(_bearer(app))
    return found


def scopes_of(
    made: Schemes, permissions: Callable[[str], Sequence[str]]
) -> Callable[[str], Sequence[str]] | None:
    """The scopes of OAuth 2 that a method needs: its permissions that `app.oauth2_flows` declares.

    Args:
        made: the schemes of the route.
        permissions: the permissions that a method needs.

    Returns:
        A function of the method; None where no scope is declared.
    """
    flows = made.get("oauth2", {}).get("flows", {}).values()
    declared = {scope for flow in flows for scope in flow["scopes"]}
    if not declared:
        return None
    return lambda method: [name for name in permissions(method) if name in declared]


def _bearer(app: Atila) -> Schemes:
    flows = getattr(app, "oauth2_flows", None)
    if flows is not None:
        return {"oauth2": {"type": "oauth2", "flows": _checked(flows)}}
    scheme = {"type": "http", "scheme": "bearer"}
    if state_of(app).bearer is None:
        scheme["bearerFormat"] = "JWT"
    return {"bearer": scheme}


def _checked(flows: Any) -> dict[str, Any]:
    advice = 'write app.oauth2_flows = {"password": {"tokenUrl": "/token", "scopes": {}}}'
    if not isinstance(flows, Mapping) or not flows:
        raise SetupError(f"app.oauth2_flows is {flows!r}; {advice}")
    made = {}
    for name, flow in flows.items():
        if name not in _URLS or not isinstance(flow, Mapping):
            raise SetupError(
                f"app.oauth2_flows has {name!r}: {flow!r}; the flows are {', '.join(_URLS)}."
                f" {advice}"
            )
        missing = [key for key in _URLS[name] if not isinstance(flow.get(key), str)]
        if missing:
            raise SetupError(f"the flow {name!r} of app.oauth2_flows lacks {missing[0]}; {advice}")
        made[name] = {"scopes": {}, **flow}
    return made
