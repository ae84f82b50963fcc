"""The names that this layer adds to `was`, its request and the app.

Functions stand here as they are, and are the methods of `was` and of the app. A name that is only
annotated is a setting that the app may have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from atila.layers import made
from atila_auth import declarations
from atila_auth.login import api_key, authentication, login_page, permissions
from atila_auth.protection import csrf
from atila_auth.protection import rate_limit as ratelimit
from atila_auth.sessions.message_box import MessageBox
from atila_auth.sessions.session import Session
from atila_auth.tokens import jwt, one_time_password, one_time_token
from atila_auth.tokens.one_time_password import generate_otp

if TYPE_CHECKING:
    from atila import Was
    from atila.http.request import Request

Strings = list[str] | tuple[str, ...] | set[str] | frozenset[str]


class Users(Protocol):
    """A source of users and passwords: a dict, or a store of one's own."""

    def get(self, username: str, /) -> Any:
        """A password, (password, encrypted), (password, encrypted, userinfo), or None."""


class WasOfAuth:
    """Names of `was`."""

    decode_jwt = jwt.decode_jwt
    decode_ott = one_time_token.decode
    dejwt = jwt.dejwt
    encode_jwt = jwt.encode_jwt
    encode_ott = one_time_token.encode
    after_login = login_page.after_login
    generate_otp = one_time_password.generate
    remove_csrf = csrf.remove
    revoke_ott = one_time_token.revoke
    verify_csrf = csrf.verify
    verify_otp = one_time_password.verify

    session = made(Session)
    """The data that the app keeps about the client."""
    mbox = made(MessageBox)
    """Messages for the client, kept until they are shown."""
    csrf_token = made(csrf.token)
    """A token for a page: to be sent back in the field _csrf_token, or the header X-CSRF-Token."""
    csrf_token_input = made(csrf.token_input)
    """The token as a hidden field of a form."""

    # It stands on the context's class as it is, so that it is never out of date.
    @property
    def user(self) -> Any:
        """The authenticated user: the same as `was.request.user`."""
        return cast("Was", self).request.user

    @user.setter
    def user(self, user: Any) -> None:
        cast("Was", self).request.user = user


class RequestOfAuth:
    """Names of `was.request`."""

    JWT = made(jwt.of_request)
    """The claims of the Authorization header's token, or {"err": one of `ERRORS`}."""

    @property
    def session(self) -> Session:
        """The same as `was.session`."""
        return cast("Request", self).was.session

    @property
    def mbox(self) -> MessageBox:
        """The same as `was.mbox`."""
        return cast("Request", self).was.mbox


class AppOfAuth:
    """Names of the app, and attributes that are set on it, or by `pref` in a launch script."""

    api_key_handler = api_key.api_key_handler
    authorization_handler = declarations.authorization_handler
    authorization_required = authentication.authorization_required
    bearer_handler = declarations.bearer_handler
    csrf_verification_required = csrf.required
    identification_required = permissions.identification_required
    login_required = permissions.login_required
    permission_handler = declarations.permission_handler
    permission_required = permissions.permission_required
    rate_limit = ratelimit.rate_limit

    securekey: str | list[str] | tuple[str, ...]
    """The secret that sessions and tokens are sealed with; of several the first is in use."""
    otp_key: str | list[str] | tuple[str, ...]
    """The secret of one-time passwords, if it is not the securekey."""
    session_timeout: float
    """Seconds without a change after which a session ends."""
    authenticate: str | None
    """The scheme by which clients log in, unless a route has its own: "basic", "digest",
    "bearer" or "api_key".
    """
    login_page: str
    """The route, by name or path, to which visitors of pages are sent who have not logged in."""
    oauth2_flows: Mapping[str, Mapping[str, Any]]
    """The flows of OAuth 2 by which clients get bearer tokens, for the document of the API:
    {"password": {"tokenUrl": "/token"}}.
    """
    authorization: str | None
    """The same as `authenticate`."""
    realm: str
    """The realm of the app's users."""
    users: Users
    """Passwords: {"name": "password"}, or an object with `get(username)`."""
    digest_algorithms: list[str] | tuple[str, ...]
    """The algorithms that digest authentication offers: "SHA-256", "MD5"."""
    access_control_allow_origin: Strings
    """Whose pages may use the app: ["https://example.com"], or ["*"]."""
    access_control_allow_credentials: bool
    """Whether their requests may carry cookies and Authorization."""
    access_control_allow_headers: Strings
    """Headers that they may send; none for all."""
    access_control_expose_headers: Strings
    """Headers of answers that they may read."""
    access_control_max_age: int | None
    """Seconds that a browser may keep the answer to a preflight."""


# Core's stub imports all that stands here: the classes, and what Layer.exports has.
__all__ = ["AppOfAuth", "RequestOfAuth", "WasOfAuth", "generate_otp"]
