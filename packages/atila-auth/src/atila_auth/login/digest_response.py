"""The response of a client to a digest challenge (RFC 7616, section 3.4)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from atila_auth import authorization_header
from atila_auth.authorization_header import Malformed
from atila_auth.login.users import HASHES

if TYPE_CHECKING:
    from atila import Exchange

_REQUIRED = ("realm", "nonce", "uri", "response", "cnonce", "nc", "qop", "opaque")
_LONGEST_CNONCE = 256
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Response:
    """Digest credentials, well formed.

    Attributes:
        name: the name of the user.
        algorithm: one of `HASHES`.
        parameters: all of them, as sent.
    """

    name: str
    algorithm: str
    parameters: dict[str, str] = field(repr=False)

    def is_right(self, secret: str, method: str) -> bool:
        """Whether it was made with the password that a hash is of."""
        hashed, given = HASHES[self.algorithm], self.parameters
        ha2 = hashed(f"{method}:{given['uri']}".encode("utf-8", "surrogatepass")).hexdigest()
        parts = (secret, given["nonce"], given["nc"], given["cnonce"], given["qop"], ha2)
        expected = hashed(":".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
        return hmac.compare_digest(expected.encode(), given["response"].encode())


def parse(value: str, realm: str, offered: Sequence[str] = tuple(HASHES)) -> Response:
    """Digest credentials.

    Args:
        value: the header after the scheme.
        realm: the realm that they must be for.
        offered: the algorithms that they may use.

    Raises:
        Malformed: they lack something, or are of a kind that is not offered.
    """
    parameters = authorization_header.parse_parameters(value)
    if missing := [name for name in _REQUIRED if not parameters.get(name)]:
        raise Malformed(f"the digest has no {missing[0]}")
    algorithms = {name.lower(): name for name in offered}
    algorithm = algorithms.get(parameters.get("algorithm", "MD5").lower())
    if algorithm is None or parameters["qop"].lower() != "auth":
        raise Malformed("the digest is of a kind that is not offered")
    if authorization_header.utf8(parameters["realm"]) != realm:
        raise Malformed("the digest is for another realm")
    if parameters.get("userhash", "false").lower() != "false":
        raise Malformed("names are not to be hashed")
    count = parameters["nc"].lower()
    if len(count) != 8 or not _HEX.issuperset(count) or not int(count, 16):
        raise Malformed("the nonce count must be eight hexadecimal digits")
    if len(parameters["cnonce"]) > _LONGEST_CNONCE:
        raise Malformed("the cnonce is too long")
    # Each count in one spelling only; the hash is of the one that was sent.
    if parameters["nc"] != count or not _HEX.issuperset(parameters["response"]):
        raise Malformed("hexadecimal digits must be lower case")
    return Response(_name(parameters), algorithm, parameters)


def _name(parameters: dict[str, str]) -> str:
    plain, extended = parameters.get("username"), parameters.get("username*")
    if plain is not None and extended is None:
        return authorization_header.utf8(plain)
    if extended is not None and plain is None:
        return authorization_header.parse_extended(extended)
    raise Malformed("the digest must have one username")


def is_for(uri: str, exchange: Exchange) -> bool:
    """Whether the uri of a digest is the target of the request (RFC 7616, section 3.4.6)."""
    path, _, query = _origin_form(authorization_header.utf8(uri)).partition("?")
    return unquote(path) == exchange.full_path and query == exchange.query


def _origin_form(uri: str) -> str:
    """The path and query of an URI, also of an absolute one."""
    if uri.startswith("/"):
        return uri
    _, scheme, rest = uri.partition("://")
    return "/" + rest.partition("/")[2] if scheme else uri
