"""JSON Web Tokens: `was.encode_jwt`, `was.decode_jwt`, `was.dejwt`, `was.request.JWT`.

An invalid token raises no error but gives one claim, "err", whose value is one of `ERRORS`: the
handler decides about the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atila_auth import authorization_header
from atila_auth.tokens.jwt_keys import signer_of
from atila_auth.tokens.jwt_signer import Claims

if TYPE_CHECKING:
    from atila import Was
    from atila.http.request import Request


def encode_jwt(was: Was, claims: Mapping[str, Any]) -> str:
    """A signed token: was.encode_jwt({"iss": "example.com", "exp": time.time() + 3600}).

    Everybody can read it; making one takes the key.

    Args:
        was: the request.
        claims: values of JSON's types; exp, nbf and iat in seconds since 1970, or a datetime (RFC
            7519).

    Raises:
        SetupError: there is no key, or no private key.
        TypeError: a claim has no type of JSON.
    """
    return signer_of(was.app).encode(claims)


def decode_jwt(was: Was, token: str | None) -> Claims:
    """The claims of a token, or {"err": one of `ERRORS`}.

    Args:
        was: the request.
        token: the token; None is no token.

    Raises:
        SetupError: there is no key.
    """
    return signer_of(was.app).decode(token)


def dejwt(was: Was, *token: str | None) -> Claims:
    """The same; without an argument, of the token of the Authorization header."""
    # None is an argument: who looks for a token in a form must not get that of the header.
    return decode_jwt(was, *token) if token else claims_of(was)


def claims_of(was: Was) -> Claims:
    """`was.request.JWT`, which is read once in a request."""
    return was.request.JWT


def of_request(request: Request) -> Claims:
    """The claims of the Authorization header's token: `was.request.JWT`."""
    was = request.was
    try:
        given = authorization_header.read(was.exchange)
    except authorization_header.Malformed:
        return Claims(err="malformed token")
    return signer_of(was.app).decode(given.value if given.scheme == "bearer" else None)
