"""Compiles access control into the steps of a route; a route that asks for nothing gets none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atila import Steps
from atila_auth.declarations import check_declared, state_of
from atila_auth.login import authentication, login_page, permissions, schemes
from atila_auth.protection import cors, csrf, rate_limit
from atila_auth.sealing import keys, revocations

if TYPE_CHECKING:
    from atila import Atila
    from atila.layers import Before
    from atila.routing.router import Route


_FIELDS = frozenset({csrf.FIELD})


def compile_route(route: Route, app: Atila) -> Steps:
    """The steps of a route, in this order: preflights, which carry no credentials; rate limits,
    against the guessing of passwords; authentication; limits of users; permissions; CSRF tokens.

    Raises:
        SetupError: a declaration of the route or a setting of the app is invalid.
    """
    keys.check(app)
    keys.check_use(route, app)
    revocations.check(app)
    check_declared(app)
    opening = cors.compile_route(route, app) or Steps()
    scheme = authentication.scheme_of(route, app)
    asking = _asking(route, app, scheme)
    made = _schemes(route, app, scheme)
    return Steps(
        before=[*opening.before, *asking],
        headers=opening.headers,
        loop_safe=all(getattr(step, "loop_safe", False) for step in asking),
        fields=_fields(route, app, scheme),
        security=scheme,
        schemes=made,
        scopes=schemes.scopes_of(made, permissions.of_method(route)) if made else None,
        parameters=[login_page.PARAMETER] if login_page.is_login_page(app, route) else (),
        form_token=csrf.form_token(route, app),
    )


def _fields(route: Route, app: Atila, scheme: str) -> frozenset[str]:
    """Parameters that the handler need not take."""
    fields = _FIELDS
    if login_page.is_login_page(app, route):
        fields |= {login_page.FIELD}
    api_key = state_of(app).api_key
    if scheme == "api_key" and api_key is not None and api_key.place.where == "query":
        fields |= {api_key.place.name}
    return fields


def _schemes(route: Route, app: Atila, scheme: str) -> schemes.Schemes:
    if scheme or not permissions.is_required(route):
        return schemes.of_scheme(app, scheme)
    return schemes.of_permissions(app)


def _asking(route: Route, app: Atila, scheme: str) -> list[Before]:
    """The steps that may refuse a request; one with a true `loop_safe` never blocks."""
    first, last = rate_limit.compile_route(route, app)
    steps = [
        *first,
        authentication.step_of(route, app, scheme),
        *last,
        permissions.compile_route(route, app),
        csrf.compile_route(route, app),
    ]
    return [step for step in steps if step is not None]
