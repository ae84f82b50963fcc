"""Nonces of digest authentication: signed, short-lived, each nonce count accepted once.

Nonces are not stored when they are made; a signature, under a key that the workers share, proves
that one is ours. Only the counts of authenticated requests are kept, for as long as the nonce is
valid; so clients without a password cannot fill the shared state.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atila.runtime.shared import Shared

SPACE = "auth digest"
_TIME, _RANDOM, _MAC = 8, 8, 16


@dataclass(frozen=True, slots=True)
class Nonces:
    """The nonces of one realm.

    Args:
        scope: the app and its realm. Nonces of another scope are refused.
        seconds: how long one is valid.
    """

    scope: str
    seconds: float

    def new(self, shared: Shared) -> tuple[str, str]:
        """A new nonce, and the opaque value that belongs to it."""
        moment = int(time.time() * 1000).to_bytes(_TIME) + secrets.token_bytes(_RANDOM)
        nonce = _b64(moment + self._sign(shared, b"nonce", moment))
        return nonce, self._opaque(shared, nonce)

    def is_ours(self, shared: Shared, nonce: str, opaque: str) -> bool:
        """Whether both were given out for this realm by one of the workers, whenever it was."""
        raw = _unb64(nonce)
        moment, mac = raw[:-_MAC], raw[-_MAC:]
        # Both are looked at in any case: how long it takes tells nothing.
        is_signed = hmac.compare_digest(self._sign(shared, b"nonce", moment), mac)
        is_pair = hmac.compare_digest(self._opaque(shared, nonce).encode(), opaque.encode())
        return is_signed and is_pair

    def left(self, nonce: str) -> float:
        """For how many seconds a nonce of ours is still good; 0 or less if it is not."""
        made = int.from_bytes(_unb64(nonce)[:_TIME]) / 1000
        return made + self.seconds - time.time()

    def use(self, shared: Shared, nonce: str, count: str) -> bool:
        """Note that a count of a nonce is used; False if it had been, by whatever worker."""
        # Until the nonce itself is no good any more, and a little for what clocks differ.
        return shared.add(SPACE, f"{nonce} {count}", b"1", max(self.left(nonce), 0.0) + 5.0)

    def _opaque(self, shared: Shared, nonce: str) -> str:
        return _b64(self._sign(shared, b"opaque", nonce.encode()))

    def _sign(self, shared: Shared, purpose: bytes, message: bytes) -> bytes:
        text = b"\0".join((purpose, self.scope.encode(), message))
        return hmac.digest(_key(shared), text, "sha256")[:_MAC]


def _key(shared: Shared) -> bytes:
    """The key of all workers; the first that needs it makes it."""
    key = shared.get(SPACE, "key")
    while key is None:
        shared.add(SPACE, "key", secrets.token_bytes(32))
        key = shared.get(SPACE, "key")
    return key


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    """The bytes of a nonce; as many zeros for a malformed one."""
    size = _TIME + _RANDOM + _MAC
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=", b"-_", validate=True)
    except ValueError:
        return bytes(size)
    # Each nonce is written in one way only: another one would be a count's second chance.
    return raw if len(raw) == size and _b64(raw) == text else bytes(size)
