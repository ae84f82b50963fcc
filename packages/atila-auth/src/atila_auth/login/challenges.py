"""Challenges to log in, of answers that refuse a client (RFC 9110, section 11.6.1)."""

from __future__ import annotations

from atila import HTTPError
from atila_auth import authorization_header


def bearer(realm: str) -> str:
    """The challenge to send a bearer token."""
    return f"Bearer realm={authorization_header.quoted(realm)}"


def challenge_with(error: HTTPError, text: str) -> None:
    """Add a challenge to an error, if it is a 401 without one."""
    has_one = any(name.lower() == "www-authenticate" for name, _ in error.headers)
    if error.code == 401 and not has_one:
        error.headers = [*error.headers, ("www-authenticate", text)]
