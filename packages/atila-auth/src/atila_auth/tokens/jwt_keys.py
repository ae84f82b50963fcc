"""The settings of JSON Web Tokens and their keys."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Any

from atila import SetupError
from atila.app import settings
from atila.runtime.keeping import kept
from atila_auth.sealing import keys
from atila_auth.tokens.jwt_signer import Signer

if TYPE_CHECKING:
    from atila import Atila

log = logging.getLogger("atila.auth")

_SYMMETRIC = ("HS256", "HS384", "HS512")
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_ASYMMETRIC = (*_RSA, "ES256", "ES384", "ES512", "ES256K", "EdDSA")

SETTINGS = {
    "JWT_ALGORITHM": settings.choice("HS256", *_SYMMETRIC, *_ASYMMETRIC),
    # These two are checked with the algorithm, and shown in no error.
    "JWT_KEY": settings.Setting(None, is_secret=True),
    "JWT_PUBLIC_KEY": settings.Setting(None, is_secret=True),
    "JWT_LEEWAY": settings.seconds(0),
    "JWT_ISSUER": settings.Setting(None),
    "JWT_AUDIENCE": settings.Setting(None),
    "JWT_REQUIRED": settings.names(()),
}
"""Settings:

- JWT_ALGORITHM: the algorithm of new tokens, and the only one accepted: HS256, HS384, HS512; or one
  with a pair of keys: RS256, PS256, ES256, EdDSA, …
- JWT_KEY: the secret of an HS algorithm, None for `app.securekey`; or a list with old ones after
  it, which are still accepted. For the other algorithms the private key, PEM; None to make no
  tokens.
- JWT_PUBLIC_KEY: the public key, PEM, or a list with old ones after it.
- JWT_LEEWAY: seconds by which the clocks of issuers may differ from ours.
- JWT_ISSUER, JWT_AUDIENCE: the required claims iss and aud; None for any, but then tokens with an
  audience are refused.
- JWT_REQUIRED: names of claims that a token must have.
"""

_BLOCK = 64
"""Bytes that the shortest keys of HMAC are filled up to with zeros (RFC 2104, section 2)."""


def signer_of(app: Atila) -> Signer:
    """The signer, which makes and reads the tokens of an app.

    Raises:
        SetupError: a setting is wrong, or there is no key.
    """
    config = app.config
    values = [config[name] for name in SETTINGS]
    given = [tuple(v) if isinstance(v, list) else v for v in (*values, _securekey(app))]
    return kept(app, Signer, lambda: _made(app), of=given)


def _securekey(app: Atila) -> Any:
    return app.__dict__.get("securekey")


def _made(app: Atila) -> Signer:
    config = app.config
    algorithm, key = config.JWT_ALGORITHM, config.JWT_KEY
    leeway, required = config.JWT_LEEWAY, config.JWT_REQUIRED or ()
    if algorithm in _SYMMETRIC:
        pair = _secrets(algorithm, keys.secrets_of(app, "a JWT") if key is None else key)
    else:
        pair = _pair(algorithm, key, config.JWT_PUBLIC_KEY)
    return Signer(algorithm, *pair, leeway, config.JWT_ISSUER, config.JWT_AUDIENCE, tuple(required))


def _secrets(algorithm: str, key: Any) -> tuple[Any, tuple[Any, ...]]:
    secrets = keys.checked(key, "app.config.JWT_KEY")
    if len(secrets[0].encode()) < hashlib.new(algorithm.replace("HS", "sha")).digest_size:
        log.warning(
            "the key of tokens is shorter than RFC 7518, section 3.2, wants for %s", algorithm
        )
    # A short key and the same one with zeros at its end are one to HMAC, and PyJWT warns of short
    # ones for each token.
    padded = [secret.encode().ljust(_BLOCK, b"\0") for secret in secrets]
    prepared = tuple(_prepared(algorithm, secret, "JWT_KEY") for secret in padded)
    return prepared[0], prepared


def _pair(algorithm: str, key: Any, public: Any) -> tuple[Any, tuple[Any, ...]]:
    if not public:
        raise SetupError(f"{algorithm} needs app.config.JWT_PUBLIC_KEY, the text of a PEM file")
    texts = public if isinstance(public, list | tuple) else (public,)
    prepared = tuple(_prepared(algorithm, text, "JWT_PUBLIC_KEY") for text in texts)
    if any(not hasattr(each, "verify") for each in prepared):
        raise SetupError("app.config.JWT_PUBLIC_KEY has a private key in it")
    if key is None:
        return None, prepared
    private = _prepared(algorithm, key, "JWT_KEY")
    if not hasattr(private, "sign"):
        raise SetupError("app.config.JWT_KEY is a public key, which cannot sign")
    return private, prepared


def _prepared(algorithm: str, key: Any, name: str) -> Any:
    import jwt

    try:
        return jwt.get_algorithm_by_name(algorithm).prepare_key(key)
    except NotImplementedError:
        raise SetupError(
            f"{algorithm} needs the library cryptography. Mend: pip install cryptography"
        ) from None
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        # Without what it says, and where it came from: it may show the key.
        raise SetupError(f"app.config.{name} is no key for {algorithm}") from None
