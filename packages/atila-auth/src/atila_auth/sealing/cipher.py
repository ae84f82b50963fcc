"""AES-256-GCM-SIV (RFC 8452). Imported when a secret is first used: cryptography takes 20 ms of a
start.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from atila import SetupError


class Cipher:
    """Encrypts and decrypts with one key.

    Args:
        key: 32 bytes.

    Raises:
        SetupError: the library of this machine does not have the algorithm.
    """

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        try:
            self._aead = AESGCMSIV(key)
        except UnsupportedAlgorithm as error:
            raise SetupError(
                "the cryptography library of this machine is built with an OpenSSL before 3.2,"
                " which has no AES-GCM-SIV. Mend: pip install --only-binary :all: cryptography"
            ) from error

    def encrypt(self, nonce: bytes, content: bytes, bound: bytes) -> bytes:
        """The bytes that `decrypt` takes, with the same nonce and bound text."""
        return self._aead.encrypt(nonce, content, bound)

    def decrypt(self, nonce: bytes, sealed: bytes, bound: bytes) -> bytes | None:
        """The content; None if it was not encrypted with this key, nonce and bound text."""
        try:
            return self._aead.decrypt(nonce, sealed, bound)
        except InvalidTag:
            return None
