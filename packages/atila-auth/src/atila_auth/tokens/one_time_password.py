"""Time-based one-time passwords (TOTP, RFC 6238): `was.verify_otp`, and `generate_otp` for clients.

Six digits of SHA-1, each for 30 seconds, as in authenticator apps. The key comes from a secret that
app and client have in common, by derivation: a password reveals nothing of the secret.
"""

from __future__ import annotations

import base64
import hmac
import time
from typing import TYPE_CHECKING

from atila_auth.protection.rate_limit import _address as address_of
from atila_auth.sealing import keys, revocations

if TYPE_CHECKING:
    from pyotp import TOTP

    from atila import Was

INTERVAL = 30
"""Seconds that a password is for."""
TOLERANCE = 1
"""Intervals before and after the present one whose passwords are taken: clocks differ."""
ATTEMPTS = 10
"""Wrong passwords that one address, or IPv6 network of /64, may try in an interval."""

_USED = "otp used"
_FAILED = "otp failed"


def otp_secret(secret_key: str) -> str:
    """The secret that an authenticator app is to be given (base32, RFC 4648).

    Args:
        secret_key: the secret of the app.
    """
    return base64.b32encode(keys.derive(secret_key, "otp", 20)).decode()


def _totp(secret: str) -> TOTP:
    # Imported when first needed: most processes have no use for it.
    from pyotp import TOTP

    return TOTP(otp_secret(secret), interval=INTERVAL)


def generate_otp(secret_key: str) -> str:
    """The password of this moment, for a client: `from atila.was import generate_otp`.

    Args:
        secret_key: the secret of the app: `pref.otp_key`, or if it has none, its securekey.

    Raises:
        ValueError: it is empty.
    """
    if not secret_key:
        raise ValueError("generate_otp wants the secret of the app")
    return _totp(secret_key).at(int(time.time()))


def generate(was: Was, secret_key: str | None = None) -> str:
    """The password of this moment.

    Args:
        was: the request.
        secret_key: a secret that the client has; None for `pref.otp_key`, or the securekey.
    """
    return generate_otp(_secrets(was, secret_key)[0])


def verify(was: Was, otp: str | None, secret_key: str | None = None, *, once: bool = True) -> bool:
    """Whether a password is that of this moment, or of the interval before or after it.

    Args:
        was: the request.
        otp: the password; None is a wrong one.
        secret_key: the secret of the client; None for `pref.otp_key`, or the securekey.
        once: a password that was taken is not taken again (RFC 6238, section 5.2), in whatever
            worker.

    Raises:
        HTTPError: 429, this address has tried too many wrong ones.
    """
    present = int(time.time()) // INTERVAL
    failures = f"{address_of(was)} {present}"
    shared = revocations.of(was)
    if int(shared.get(_FAILED, failures) or 0) >= ATTEMPTS:
        raise was.Error(
            429, "too many wrong one-time passwords", 0, [("retry-after", str(INTERVAL))]
        )
    for secret in _secrets(was, secret_key):
        at = _interval(otp, secret, present)
        if at is None:
            continue
        if not once:
            return True
        # A password of the next interval is valid for two more.
        kept = INTERVAL * (2 * TOLERANCE + 1) + revocations.SLACK
        return shared.add(_USED, f"{keys.derive(secret, 'otp id', 12).hex()} {at}", b"1", kept)
    shared.add(_FAILED, failures, b"0", INTERVAL)
    shared.incr(_FAILED, failures)
    return False


def _interval(otp: str | None, secret: str, present: int) -> int | None:
    """The interval that a password is of; None if it is none."""
    if not isinstance(otp, str) or len(otp) != 6 or not otp.isascii() or not otp.isdecimal():
        return None
    totp = _totp(secret)
    found = None
    for at in range(present - TOLERANCE, present + TOLERANCE + 1):
        # All of them, so that the time it takes does not tell which.
        if hmac.compare_digest(totp.generate_otp(at), otp):
            found = at
    return found


def _secrets(was: Was, given: str | None) -> keys.Secrets:
    if given is not None:
        return (given,)
    own = getattr(was.app, "otp_key", None)
    if own is not None:
        return keys.checked(own, "otp_key")
    return keys.secrets_of(was.app, "a one-time password")
