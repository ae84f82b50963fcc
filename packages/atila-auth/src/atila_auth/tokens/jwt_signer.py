"""Encodes and decodes JSON Web Tokens with one algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from atila import HTTPError, SetupError
from atila_auth import authorization_header

if TYPE_CHECKING:
    from jwt import InvalidTokenError

ERRORS = {
    "no token": None,
    "token expired": "ExpiredSignatureError",
    "token not valid yet": "ImmatureSignatureError",
    "wrong issuer": "InvalidIssuerError",
    "wrong audience": "InvalidAudienceError",
    "claim missing": "MissingRequiredClaimError",
    "algorithm not allowed": "InvalidAlgorithmError",
    "wrong signature": "InvalidSignatureError",
    "malformed token": None,
}
"""The values of "err", and which of PyJWT's errors they stand for. Both that
and cryptography are imported when first needed: they take 40 ms of each start."""


class MissingClaim(HTTPError, KeyError):
    """A claim that a handler wants and a token does not have: 401."""


class Claims(dict[str, Any]):
    """The claims of a token, by name. A missing one raises `MissingClaim`."""

    def __missing__(self, name: str) -> NoReturn:
        raise MissingClaim(401, self.get("err") or f"the token has no claim {name!r}")


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes and reads the tokens of an app.

    Attributes:
        algorithm: the only one.
        private: the key that signs tokens; None to make none.
        public: the keys that verify them: one must fit.
        leeway: seconds by which clocks may differ.
        issuer: the required iss.
        audience: the required aud.
        required: names of required claims.
    """

    algorithm: str
    private: Any = field(repr=False)
    public: tuple[Any, ...] = field(repr=False)
    leeway: float = 0
    issuer: str | None = None
    audience: str | None = None
    required: tuple[str, ...] = ()

    def encode(self, claims: Mapping[str, Any]) -> str:
        """A token; see `encode_jwt`."""
        import jwt

        if self.private is None:
            raise SetupError("tokens cannot be made without a private key: app.config.JWT_KEY")
        own = {"iss": self.issuer, "aud": self.audience}
        given = {name: value for name, value in own.items() if value is not None}
        return jwt.encode({**given, **claims}, self.private, self.algorithm)

    def decode(self, token: Any) -> Claims:
        """The claims of a token; never fails."""
        if not isinstance(token, str) or not token:
            return Claims(err="no token")
        if len(token) > authorization_header.LONGEST:
            return Claims(err="malformed token")
        found = Claims(err="no token")
        for key in self.public:
            found = self._decode(token, key)
            if found.get("err") != "wrong signature":
                break
        return found

    def _decode(self, token: str, key: Any) -> Claims:
        import jwt

        try:
            claims = jwt.decode(
                token,
                key,
                [self.algorithm],
                options={"require": list(self.required), "verify_sub": False, "verify_jti": False},
                issuer=self.issuer,
                audience=self.audience,
                leeway=self.leeway,
            )
        except jwt.InvalidTokenError as error:
            return Claims(err=_named(error))
        # What PyJWT leaves to Python: numbers without end, lists in lists in lists.
        except (ValueError, TypeError, OverflowError, RecursionError):
            return Claims(err="malformed token")
        # It would be taken for an error by whoever reads it.
        return Claims(err="malformed token") if "err" in claims else Claims(claims)


def _named(error: InvalidTokenError) -> str:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return next((name for name, kind in ERRORS.items() if kind in kinds), "malformed token")
