"""The secrets of an app, and one derived key for each purpose."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from atila import SetupError
from atila.routing.handler_source import names_used

if TYPE_CHECKING:
    from atila import Atila
    from atila.routing.router import Route

SHORTEST = 16
"""Characters of a secret. Shorter ones are words that somebody thought of."""

Secrets = tuple[str, ...]
"""The secret in use, and after it the old ones, which are still accepted."""


def _advice(name: str) -> str:
    given = f'pref.{name} = os.environ["{name.upper()}"]' if name.isidentifier() else name
    return (
        f"write {given}, a random string made once by: python -c"
        ' "import secrets; print(secrets.token_urlsafe(32))"'
    )


def secrets_of(app: Atila, purpose: str, source: str = "") -> Secrets:
    """The secrets of an app: `pref.securekey`, a string, or a list with old ones after it.

    Args:
        app: the app.
        purpose: its purpose, for the error: "was.session".
        source: "file:line" of the code that needs it.

    Raises:
        SetupError: there is none, or it is invalid.
    """
    given = getattr(app, "securekey", None)
    if given is None:
        advice = _advice("securekey")
        raise SetupError(f"{purpose} needs a secret of the app: {advice}", source)
    return checked(given, "securekey")


def check(app: Atila) -> None:
    """Check the secrets of an app, if it has any, when it is mounted.

    Raises:
        SetupError: one of them is invalid.
    """
    given = getattr(app, "securekey", None)
    if given is not None:
        checked(given, "securekey")


_JWT = frozenset({"encode_jwt", "decode_jwt", "dejwt", "request.JWT"})
_OTP = frozenset({"generate_otp", "verify_otp"})
_SEALED = frozenset(
    {"session", "request.session", "mbox", "request.mbox", "csrf_token", "csrf_token_input"}
    | {"verify_csrf", "encode_ott", "decode_ott", "revoke_ott"}
)


def check_use(route: Route, app: Atila) -> None:
    """Find handlers that need a secret, as their source has it, where the app has none.

    Raises:
        SetupError: there is one.
    """
    if getattr(app, "securekey", None) is not None:
        return
    config, wanted = app.config, _SEALED
    if config.JWT_KEY is None and config.JWT_PUBLIC_KEY is None:
        wanted |= _JWT
    if getattr(app, "otp_key", None) is None:
        wanted |= _OTP
    for name in names_used(route.handler, wanted)[:1]:
        secrets_of(app, f"was.{name}", route.source)


def checked(given: Any, name: str) -> Secrets:
    """The secrets in a setting.

    Args:
        given: a string, or a list of strings, the one in use first.
        name: the name of the setting.

    Raises:
        SetupError: one of them is no string, or is too short.
    """
    secrets = (given,) if isinstance(given, str) else given
    if not isinstance(secrets, list | tuple) or not secrets:
        raise SetupError(
            f"{name} must be a string, or a list of strings, the one in use first;"
            f" it is {type(given).__name__}. Mend: {_advice(name)}"
        )
    return _checked(tuple(secrets), name)


@lru_cache(64)
def _checked(secrets: tuple[Any, ...], name: str) -> Secrets:
    for secret in secrets:
        if not isinstance(secret, str):
            raise SetupError(
                f"{name} has {type(secret).__name__} in it, where strings belong."
                f" Mend: {_advice(name)}"
            )
        if len(secret) < SHORTEST:
            raise SetupError(
                f"{name} has a secret of {len(secret)} characters, which can be guessed; at least"
                f" {SHORTEST} are wanted. Mend: {_advice(name)}"
            )
    return secrets


def derive(secret: str, purpose: str, size: int = 32) -> bytes:
    """The key of a purpose (HKDF with SHA-256, RFC 5869). From one no other can be found out.

    Args:
        secret: the secret of the app.
        purpose: the purpose of the key: "session".
        size: the size of the key, in bytes.
    """
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = b"atila-auth 1 " + purpose.encode()
    raw = secret.encode("utf-8", "surrogatepass")
    return HKDF(SHA256(), size, salt=None, info=info).derive(raw)


def is_time(value: object) -> bool:
    """Whether a value is a number of seconds: more than 0, and not infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
