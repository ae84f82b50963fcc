"""Stored passwords: hashed with scrypt, as the A1 hash of digest, or in plain text."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

from atila import HTTPError
from atila.runtime.spare_threads import Gate

SCHEME = "$scrypt$"

_COST, _BLOCK, _PARALLEL = 15, 8, 3
"""OWASP's Password Storage Cheat Sheet: 2**15 blocks of 1 KiB, three times: 32 MiB of memory."""
_MOST_MEMORY = 256 * 1024 * 1024
_SALT, _HASH = 16, 32
_HASHED = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})"
)

_NUL = "\0"
"""HMAC, and so scrypt, fills a short key with it (RFC 2104): "x" and "x\\0" have one hash."""

_at_once = Gate(os.cpu_count() or 1)
"""More hashes at a time would be no faster, and need their memory each."""


@dataclass(frozen=True, slots=True)
class _Hash:
    cost: int
    block: int
    parallel: int
    salt: bytes
    digest: bytes

    def of(self, password: str) -> bytes:
        with _at_once:
            return hashlib.scrypt(
                password.encode("utf-8", "surrogatepass"),
                salt=self.salt,
                n=1 << self.cost,
                r=self.block,
                p=self.parallel,
                maxmem=_MOST_MEMORY,
                dklen=len(self.digest),
            )


class UnfitPassword(HTTPError, ValueError):
    """A password that cannot be stored: 400, for it is a client that has chosen it."""


def hash_password(
    password: str, *, cost: int = _COST, block: int = _BLOCK, parallel: int = _PARALLEL
) -> str:
    """A password as it may be stored: hashed with scrypt (RFC 7914) and a salt of its own.

    Args:
        password: the password, of any length.
        cost: binary logarithm of the work; one more takes twice the time and the memory.
        block: the block size r; memory is 128 * r * 2**cost bytes.
        parallel: how often scrypt runs; twice takes twice the time.

    Returns:
        "$scrypt$ln=15,r=8,p=3$SALT$HASH", for `verify_password`.

    Raises:
        UnfitPassword: the password has a NUL character, which would not count at its end.
    """
    if password.count(_NUL):
        raise UnfitPassword(400, "a password cannot have a NUL character")
    hashed = _Hash(cost, block, parallel, secrets.token_bytes(_SALT), bytes(_HASH))
    digest = hashed.of(password)
    return f"{SCHEME}ln={cost},r={block},p={parallel}${_b64(hashed.salt)}${_b64(digest)}"


def verify_password(password: str, hashed: str | None) -> bool:
    """Whether a password is the one that was hashed.

    Takes as long for a wrong one as for the right one, some tenths of a second; for a user that
    there is not, too, so that the time does not show which names exist.

    Args:
        password: the password to check.
        hashed: a hash of `hash_password`; None for a user that there is not.

    Raises:
        ValueError: `hashed` is no hash of `hash_password`; the message does not show it.
    """
    # Of a digest that is random, so it fits no password.
    stored = _usual() if hashed is None else _parsed(hashed)
    is_right = hmac.compare_digest(stored.of(password), stored.digest)
    return is_right and not password.count(_NUL)


def _usual() -> _Hash:
    salt, digest = secrets.token_bytes(_SALT), secrets.token_bytes(_HASH)
    return _Hash(_COST, _BLOCK, _PARALLEL, salt, digest)


def is_hashed(text: str) -> bool:
    """Whether a text claims to be from `hash_password`."""
    return text.startswith(SCHEME)


def is_alike(hashed: str, other: str) -> bool:
    """Whether two hashes take the same work."""
    costs, others = hashed.split("$")[:3], other.split("$")[:3]
    return costs == others


def decoy(hashed: str) -> str:
    """A hash that takes as long to verify as another, and that no password is known for."""
    stored = _parsed(hashed)
    head = f"{SCHEME}ln={stored.cost},r={stored.block},p={stored.parallel}"
    return f"{head}${_b64(secrets.token_bytes(_SALT))}${_b64(secrets.token_bytes(_HASH))}"


class Memory:
    """Remembers correct passwords, since checking a hash at each request with basic authentication
    takes some tenths of a second.

    It keeps a MAC of hash and password, under a key of this process, which reveals neither; after a
    change of the hash the password is checked anew. Wrong passwords are not kept.

    Args:
        size: the most passwords.
    """

    def __init__(self, size: int = 1000) -> None:
        self._size = size
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def verify(self, password: str, hashed: str) -> bool:
        """See `verify_password`."""
        said = password.encode("utf-8", "surrogatepass")
        message = len(said).to_bytes(8) + said + hashed.encode()
        entry = hmac.digest(self._key, message, "sha256")
        with self._lock:
            if entry in self._known:
                self._known.move_to_end(entry)
                return True
        if not verify_password(password, hashed):
            return False
        with self._lock:
            self._known[entry] = None
            if len(self._known) > self._size:
                self._known.popitem(last=False)
        return True


def equal(one: str, other: str) -> bool:
    """Whether two texts are the same; the time does not depend on the place of a difference."""
    # Of digests, so that not even the length is revealed.
    return hmac.compare_digest(_fixed(one), _fixed(other))


def _fixed(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _parsed(hashed: str) -> _Hash:
    match = _HASHED.fullmatch(hashed)
    if match is None:
        raise ValueError("this is no hash of hash_password: $scrypt$ln=…,r=…,p=…$SALT$HASH")
    cost, block, parallel = map(int, match.groups()[:3])
    try:
        salt, digest = map(_unb64, match.groups()[3:])
    except binascii.Error:
        raise ValueError("a hash of hash_password is damaged") from None
    return _Hash(cost, block, parallel, salt, digest)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
