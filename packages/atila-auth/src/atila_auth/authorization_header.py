"""Parses the Authorization header (RFC 9110, section 11.4)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from atila import Exchange

LONGEST = 8192
"""Characters of an Authorization header; a longer one is taken for malformed, unread."""

_PARAMETER = re.compile(
    r"""[ \t]*([A-Za-z0-9!#$%&'*+.^_`|~-]+)[ \t]*=[ \t]*"""
    r"""(?:"((?:[^"\\]|\\.)*)"|([^ \t,"]+))[ \t]*(?:,|$)""",
    re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class Malformed(ValueError):
    """Malformed credentials; the text says why, and shows nothing of them."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An Authorization header.

    Attributes:
        scheme: lower case: "basic"; "" if there is no header.
        value: the rest of the header; it may be secret.
    """

    scheme: str
    value: str = field(repr=False)


def read(exchange: Exchange) -> Credentials:
    """The credentials of a request.

    Raises:
        Malformed: the header is longer than `LONGEST`.
    """
    header = exchange.header("authorization")
    if header is None:
        return Credentials("", "")
    if len(header) > LONGEST:
        raise Malformed("the Authorization header is too long")
    scheme, _, value = header.strip(" \t").partition(" ")
    return Credentials(scheme.lower(), value.strip(" \t"))


def parse_basic(value: str) -> tuple[str, str]:
    """Name and password of basic credentials (RFC 7617).

    They are UTF-8, as the challenge asks for; other bytes are read as Latin-1, as clients send it
    that do not support `charset`.

    Raises:
        Malformed: it is no Base64, there is no colon, or a control character.
    """
    try:
        # Python is content with more "=" than there should be.
        if len(value) % 4:
            raise ValueError
        raw = base64.b64decode(value.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("the credentials are no Base64") from None
    name, colon, password = _text(raw).partition(":")
    if not colon:
        raise Malformed("the credentials have no colon")
    if not _is_printable(name) or not _is_printable(password):
        raise Malformed("the credentials have a control character")
    return name, password


def parse_parameters(value: str) -> dict[str, str]:
    """The parameters of credentials: name=token or name="quoted", separated by commas.

    Names are made lower case.

    Raises:
        Malformed: they are written in another way, or one is given twice.
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(value):
        match = _PARAMETER.match(value, at)
        if match is None:
            raise Malformed("the parameters cannot be read")
        name, quoted, token = match.groups()
        name = name.lower()
        if name in found:
            raise Malformed(f"the parameter {name} is given twice")
        found[name] = _ESCAPED.sub(r"\1", quoted) if quoted is not None else token
        at = match.end()
    return found


def parse_extended(value: str) -> str:
    """A value such as UTF-8''J%C3%A4s%C3%B8n (RFC 8187, section 3.2).

    Raises:
        Malformed: it is not UTF-8, or malformed.
    """
    charset, quote, rest = value.partition("'")
    _, second, encoded = rest.partition("'")
    if not (quote and second and charset.lower() == "utf-8"):
        raise Malformed("an extended value must be UTF-8''…")
    try:
        return unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        raise Malformed("an extended value is not UTF-8") from None


def utf8(text: str) -> str:
    """Text of a header, which servers decode as Latin-1, as the UTF-8 that it may be."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def quoted(text: str) -> str:
    """Text as a quoted string of a header (RFC 9110, section 5.6.4)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _is_printable(text: str) -> bool:
    return not any(char < " " or char == "\x7f" for char in text)
