"""Authenticated encryption: text that only holders of the key can read or write."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson

from atila.values import json
from atila_auth.sealing.keys import Secrets, derive

_VERSION = b"\x01"
"""Of the format below; bound to the content, as the context is."""
_NONCE = 12
_TAG = 16
_OVERHEAD = len(_VERSION) + _NONCE + _TAG
LONGEST = 16384
"""Characters of a sealed text that is looked at."""

# What JSON has no type for would come back as something else.
_PLAIN = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


class Sealer:
    """Seals for one purpose: AES-256-GCM-SIV (RFC 8452) with a random nonce.

    A nonce that is used twice, by bad luck or broken random numbers, reveals no more than that two
    contents are alike; so a key never wears out.

    Args:
        secrets: the secrets of the app; the first seals, all of them open.
        purpose: a name; values sealed for one purpose are opened for no other.
    """

    __slots__ = ("_ciphers",)

    def __init__(self, secrets: Sequence[str], purpose: str) -> None:
        from atila_auth.sealing.cipher import Cipher

        self._ciphers = [Cipher(derive(secret, purpose)) for secret in secrets]

    def seal(self, value: Any, context: str = "") -> str:
        """Seal a value: letters, digits, "-" and "_" (RFC 4648, section 5).

        Args:
            value: None, a bool, number, str, or a list or dict of them.
            context: a text that must be the same when it is opened.

        Raises:
            TypeError: it is a value that JSON has no type for.
        """
        return self.seal_bytes(dump(value), context)

    def seal_bytes(self, content: bytes, context: str = "") -> str:
        """The same for a value that `dump` has made bytes of."""
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[0].encrypt(nonce, content, _VERSION + context.encode())
        return _encode(_VERSION + nonce + sealed)

    def open(self, text: object, context: str = "") -> Any:
        """The value that was sealed; None for any other text. Never fails.

        Args:
            text: a text that may be a sealed value.
            context: the one that it was sealed with.
        """
        if not isinstance(text, str) or not 0 < len(text) <= LONGEST:
            return None
        raw = _decode(text)
        if raw is None or raw[:1] != _VERSION or len(raw) < _OVERHEAD:
            return None
        nonce, sealed = raw[1 : 1 + _NONCE], raw[1 + _NONCE :]
        for cipher in self._ciphers:
            content = cipher.decrypt(nonce, sealed, _VERSION + context.encode())
            if content is not None:
                return json.loads(content)
        return None

    def __repr__(self) -> str:
        return "<Sealer>"


@lru_cache(256)
def sealer(secrets: Secrets, purpose: str) -> Sealer:
    """The sealer for a purpose; made once, since deriving keys takes time."""
    return Sealer(secrets, purpose)


def dump(value: Any) -> bytes:
    """A value as JSON.

    Raises:
        TypeError: it is a value that JSON has no type for.
    """
    return json.dumps(value, None, _PLAIN)


def length_of(size: int) -> int:
    """How long the text is that `size` bytes of JSON are sealed to."""
    return (size + _OVERHEAD) * 8 // 6 + 1


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    # One value, one text: the bits that the last character has to spare are no second spelling.
    return raw if _encode(raw) == text else None
