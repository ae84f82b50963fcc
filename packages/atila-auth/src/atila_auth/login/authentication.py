"""Decides which routes authenticate the client: by basic, digest, bearer or an API key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atila import SetupError
from atila.app import settings
from atila.routing import notes
from atila.typevars import Function
from atila_auth.declarations import declare, state_of
from atila_auth.login import api_key, basic, bearer, digest

if TYPE_CHECKING:
    from atila import Atila
    from atila.layers import Before
    from atila.routing.router import Route

OPTION = "authenticate"
SETTINGS = {"DIGEST_NONCE_SECONDS": settings.seconds(300, is_positive=True)}
"""Settings:

- DIGEST_NONCE_SECONDS: how long a nonce of digest authentication is good; a client asks for another
  one by itself.
"""
REALM = "App"
"""Of an app that has no `app.realm`."""

_SCHEMES: dict[str, Callable[[Atila, str, str], Before]] = {
    "basic": basic.compiled,
    "digest": digest.compiled,
    "bearer": bearer.compiled,
    "api_key": api_key.compiled,
}


@dataclass(frozen=True, slots=True)
class _Declaration:
    scheme: Any


def authorization_required(app: Atila, scheme: str) -> Callable[[Function], Function]:
    """Refuse clients that have not logged in by a scheme; the same as @app.route(authenticate=…).

    Args:
        app: the app.
        scheme: "basic", "digest", "bearer" or "api_key".

    Raises:
        SetupError: it comes too late for the handler's route. Faults of the scheme are raised when
            the app is mounted.
    """
    if callable(scheme):
        raise SetupError('write @app.authorization_required("digest"), with the scheme')
    name = "authorization_required"
    return lambda function: declare(app, function, name, _Declaration(scheme))


def realm_of(app: Atila) -> str:
    """The realm of an app's users: `app.realm`.

    Raises:
        SetupError: it cannot be sent in a header.
    """
    realm = getattr(app, "realm", REALM)
    if not isinstance(realm, str) or not realm.isascii() or not realm.isprintable():
        raise SetupError(f"app.realm is {realm!r}; it must be a text of printable ASCII characters")
    return realm


def scheme_of(route: Route, app: Atila) -> str:
    """The scheme by which clients of a route log in; "" for a route that does not ask.

    Raises:
        SetupError: the scheme is unknown, or there are several.
    """
    # OPTIONS that no developer wrote tells the methods of a path and no more.
    if route.automatic:
        return ""
    scheme = _declared(route, app)
    if scheme is None:
        return ""
    if not isinstance(scheme, str) or scheme not in _SCHEMES:
        raise SetupError(
            f"authenticate is {scheme!r}; it must be one of {', '.join(_SCHEMES)}", route.source
        )
    return scheme


def step_of(route: Route, app: Atila, scheme: str) -> Before | None:
    """The step that sets `was.request.user`; None for no scheme.

    Raises:
        SetupError: a setting of the scheme is missing.
    """
    if not scheme:
        return None
    make = _SCHEMES[scheme]
    try:
        return state_of(app).shared_step(
            app.router, scheme, lambda: make(app, realm_of(app), route.source)
        )
    except SetupError as error:
        # Of the app's settings it is not known where they are; of who needs them it is.
        raise SetupError(error.problem, error.source or route.source) from None


def _declared(route: Route, app: Atila) -> Any:
    declared = [each.scheme for each in notes.of(route.handler, _Declaration)]
    if OPTION in route.options:
        declared.append(route.options[OPTION] or None)
    if any(scheme != declared[0] for scheme in declared):
        raise SetupError(
            f"the route asks for more than one way to log in: {declared}", route.source
        )
    if declared:
        return declared[0]
    return getattr(app, OPTION, None) or getattr(app, "authorization", None) or None
