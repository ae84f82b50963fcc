"""Bearer tokens (RFC 6750): JSON Web Tokens, or tokens that the app's bearer handler checks."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila import HTTPError
from atila_auth import authorization_header
from atila_auth.declarations import state_of
from atila_auth.login import challenges
from atila_auth.login.challenges import challenge_with
from atila_auth.login.verdict import asked
from atila_auth.tokens.jwt import claims_of
from atila_auth.tokens.jwt_keys import signer_of

if TYPE_CHECKING:
    from atila import Atila, Was

_TOKEN = frozenset(string.ascii_letters + string.digits + "-._~+/=")
"""RFC 6750, section 2.1."""


class Bearer:
    """The step of routes that require a bearer token.

    Args:
        realm: the realm of the tokens.
        handler: (was, token), sets `was.request.user`; None for JSON Web Tokens.

    Attributes:
        loop_safe: it never blocks.
    """

    def __init__(self, realm: str, handler: Callable[..., Any] | None) -> None:
        self._realm = realm
        self._handler = handler
        self.loop_safe = handler is None

    def __call__(self, was: Was) -> Any:
        """Set `was.request.user`.

        Raises:
            HTTPError: 401, the token is missing or not accepted.
        """
        try:
            given = authorization_header.read(was.exchange)
        except authorization_header.Malformed as error:
            raise self._refusal(str(error), "invalid_request") from None
        if given.scheme != "bearer":
            raise self._refusal("log in first")
        if not given.value or not _TOKEN.issuperset(given.value):
            raise self._refusal("malformed token", "invalid_request")
        if self._handler is None:
            return self._take_claims(was)
        try:
            return asked(was, self._handler, given.value)
        except HTTPError as error:
            challenge_with(error, self._challenge(error.detail, "invalid_token"))
            raise

    def _take_claims(self, was: Was) -> None:
        claims = claims_of(was)
        if "err" in claims:
            raise self._refusal(claims["err"], "invalid_token")
        was.request.user = claims

    def _refusal(self, why: str, code: str = "") -> HTTPError:
        return HTTPError(401, why, 0, [("www-authenticate", self._challenge(why, code))])

    def _challenge(self, why: str, code: str) -> str:
        text = challenges.bearer(self._realm)
        if not code:
            return text
        # The characters that RFC 6750, section 3, has for it.
        plain = "".join(c if " " <= c <= "~" and c not in '"\\' else " " for c in why)
        return f'{text}, error="{code}", error_description="{plain}"'


def compiled(app: Atila, realm: str, source: str) -> Bearer:
    """The step for an app.

    Raises:
        SetupError: there is no bearer handler, and no key for tokens or a wrong one.
    """
    handler = state_of(app).bearer
    if handler is None:
        signer_of(app)
    return Bearer(realm, handler)
