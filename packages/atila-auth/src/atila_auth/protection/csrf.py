"""CSRF tokens, which only pages of the app itself can send (cross-site request forgery).

Double submit: a secret is in a sealed cookie, and in the token that the page sends back; sealed
anew for each page, so that no two are alike and compression reveals nothing of them. The token is
bound to the session, if there is one: a cookie that a neighbouring host has planted is of no use to
it without that.
"""

from __future__ import annotations

import hmac
import inspect
import logging
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila import HTTPError, SetupError
from atila.errors import source_of
from atila.http import methods
from atila.http.form_token import FormToken
from atila.routing import notes
from atila.runtime.keeping import forget, kept
from atila.typevars import Function
from atila_auth.sealing import keys
from atila_auth.sealing.cookie import SealedCookie, on_headers
from atila_auth.sealing.seal import sealer

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.exchange import Header
    from atila.layers import Before
    from atila.routing.router import Route

COOKIE = "atila-csrf"
FIELD = "_csrf_token"
HEADER = "x-csrf-token"
_DESCRIPTION = f"The token of a page of this site, which came with the cookie {COOKIE}."

_DECLARED = "functions that want a CSRF token"

log = logging.getLogger("atila.auth")


class _Required:
    """The note of a function that wants a token."""


_REQUIRED = _Required()


class Html(str):
    """Markup, which a template prints as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


class _Csrf:
    """The CSRF tokens of a request.

    Args:
        was: the request.

    Raises:
        SetupError: the app has no securekey.
    """

    __slots__ = ("_cookie", "_is_altered", "_is_verified", "_sealer", "_secret", "_was")

    def __init__(self, was: Was) -> None:
        held = keys.secrets_of(was.app, "a CSRF token")
        self._was = was
        self._cookie = SealedCookie(was, COOKIE, "csrf", held)
        self._sealer = sealer(held, "csrf-token")
        self._secret: str | None = self._cookie.read()
        self._is_altered = False
        self._is_verified = False
        on_headers(was, self._headers)

    def token(self) -> str:
        if self._secret is None:
            if self._was.headers_sent:
                raise RuntimeError(
                    "the answer has begun: ask for was.csrf_token before, its cookie goes with it"
                )
            self._secret = secrets.token_urlsafe(16)
            self._is_altered = True
        session = self._was.session.default
        # The session may begin with this very answer: then it has this id.
        return self._sealer.seal([self._secret, session.id, session.is_known])

    def verify(self) -> bool:
        if self._is_verified:
            return True
        found = self._sealer.open(self._given())
        if found is None or self._secret is None:
            return False
        secret, session_id, had_session = found
        session = self._was.session.default
        is_bound = _same(session_id, session.id) if session.is_known else not had_session
        self._is_verified = _same(secret, self._secret) and is_bound
        if self._is_verified:
            # It is no parameter of the handler's.
            self._was.args.pop(FIELD, None)
        return self._is_verified

    def _given(self) -> Any:
        header = self._was.exchange.header(HEADER)
        return self._was.args.get(FIELD) if header is None else header

    def remove(self) -> None:
        self._secret = None
        self._is_altered, self._is_verified = True, False

    def _headers(self) -> list[Header]:
        if not self._is_altered:
            return []
        if self._secret is not None:
            return [self._cookie.header(self._secret, None)]
        return [self._cookie.removal()] if COOKIE in self._was.cookie else []


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


def _of(was: Was) -> _Csrf:
    return kept(was, _Csrf, lambda: _Csrf(was))


def token(was: Was) -> str:
    """A token for a page: to be sent back in the field _csrf_token, or the header X-CSRF-Token."""
    return _of(was).token()


def token_input(was: Was) -> Html:
    """The token as a hidden field of a form."""
    return Html(f'<input type="hidden" name="{FIELD}" value="{token(was)}">')


def verify(was: Was) -> bool:
    """Whether a request has a token that this app has given to this client."""
    return _of(was).verify()


def remove(was: Was) -> None:
    """Have all tokens of the client be worthless."""
    was.__dict__.pop("csrf_token", None)
    was.__dict__.pop("csrf_token_input", None)
    _of(was).remove()


def required(app: Atila, function: Function) -> Function:
    """Refuse requests without a CSRF token with 400.

    On a handler: all its requests, whatever their method; a page that shows the form needs a route
    of its own. On a `before_request` hook: all requests of the app but GET, HEAD and OPTIONS.

    Raises:
        SetupError: it is no function, or its route has been compiled already.
    """
    if not callable(function):
        raise SetupError(f"@app.csrf_verification_required decorates a handler, not {function!r}")
    notes.check_order(app, function, "csrf_verification_required")
    notes.add(inspect.unwrap(function), _REQUIRED, "csrf_verification_required")
    declared: list[Callable[..., Any]] = kept(app, _DECLARED, list)
    declared.append(function)
    return function


def compile_route(route: Route, app: Atila) -> Before | None:
    """The step of a route that wants tokens; None for any other.

    Raises:
        SetupError: the app has no securekey.
    """
    _check_declared(app)
    step = _step_of(route, app)
    if step is not None:
        keys.secrets_of(app, "@app.csrf_verification_required", source_of(route.handler))
    return step


def form_token(route: Route, app: Atila) -> FormToken | None:
    """The token that a route wants, for the API's document; None if it wants none."""
    step = _step_of(route, app)
    if step is None:
        return None
    readers = {"OPTIONS"} if step is _check else methods.READING
    return FormToken(FIELD, HEADER, _DESCRIPTION, lambda method: method not in readers)


def _step_of(route: Route, app: Atila) -> Before | None:
    if _is_noted(route.handler):
        return _check
    if not route.automatic and any(map(_is_noted, app.hooks.before)):
        return _check_change
    return None


def _is_noted(function: Callable[..., Any]) -> bool:
    # A hook that is `async def` is called by another function.
    return bool(notes.of(inspect.unwrap(function), _Required))


def _check_declared(app: Atila) -> None:
    """Raise an error for a decorator that protects nothing, as when another one between it and
    @app.route made a new function of the handler.
    """
    declared = forget(app, _DECLARED) or ()
    handlers = [route.handler for route in app.routes]
    known = {id(inspect.unwrap(f)) for f in (*handlers, *app.hooks.before)}
    for function in declared:
        if id(inspect.unwrap(function)) not in known:
            log.warning(
                "%s: @app.csrf_verification_required protects nothing here, for no route and no"
                " @app.before_request has this function; write it right under one of these",
                source_of(function),
            )


def _check(was: Was) -> None:
    # A preflight has no parameters, and changes nothing.
    if was.exchange.method != "OPTIONS" and not verify(was):
        raise HTTPError(
            400, f"the CSRF token is missing or wrong: the field {FIELD}, or the header {HEADER}"
        )


def _check_change(was: Was) -> None:
    if was.exchange.method not in methods.READING:
        _check(was)
