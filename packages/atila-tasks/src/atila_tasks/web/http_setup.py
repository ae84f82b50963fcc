"""Checks the options of HTTP aliases, and prepares objects from them."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from atila import SetupError
from atila.errors import caller
from atila_tasks.web.outgoing import checked_headers

if TYPE_CHECKING:
    from atila_tasks.upstream.aliases import Alias, Member
    from atila_tasks.web.incoming import Connections

OPTIONS: Mapping[str, Any] = {
    "max_conns": 1000,
    "idle_timeout": 15.0,
    "connect_timeout": 5.0,
    "answer_timeout": None,
    "max_response": 64 * 1024 * 1024,
    "max_redirects": 5,
    "headers": {},
    "ca": None,
    "http2": False,
}
"""Of aliases of HTTP, each for one member in one process of the server:

- max_conns: the most connections; more requests wait for one.
- idle_timeout: seconds that an unused connection is kept.
- connect_timeout: seconds in which it must be made, else the member is unreachable.
- answer_timeout: seconds in which an answer must begin, else the member has failed, and `.lb` goes
  on to the next; None to leave it to the time that the task has.
- max_response: bytes that an answer may have.
- max_redirects: how many are followed in a row; 0 for none, then they are answers.
- headers: sent with each request.
- ca: path of a file of certificates (PEM) that verify the servers, instead of the system's.
- http2: whether the servers speak HTTP/2; needs `pip install "atila-tasks[http2]"`.
"""

_NUMBERS = (
    "max_conns",
    "idle_timeout",
    "connect_timeout",
    "answer_timeout",
    "max_response",
    "max_redirects",
)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def check(alias: Alias, scheme: str) -> None:
    """Refuse an alias with a mistake, and do slow first steps in advance.

    Raises:
        SetupError: the alias has a mistake.
    """
    for member in alias.members:
        _check_member(scheme, alias, member)
    _check_options(alias)
    prepare(alias, scheme)


def prepare(alias: Alias, scheme: str) -> None:
    """Take slow first steps now, and not on the task loop."""
    if scheme == "https":
        _tls(ca_of(alias), alias.options["http2"])
    _import(alias.options["http2"])


def ca_of(alias: Alias) -> str | None:
    """The path of the certificates of an alias, relative to the file in which it was named; None
    for the system's.
    """
    ca = alias.options["ca"]
    return None if ca is None else os.path.join(alias.folder, ca)


def connect(alias: Alias, scheme: str, per_host: int = 0) -> Connections:
    """Connections to the servers of an alias. On the task loop.

    Args:
        alias: the alias.
        scheme: the scheme of their URLs.
        per_host: the most connections to one of several servers; 0 for one server.
    """
    options = alias.options
    tls = _tls(ca_of(alias), options["http2"]) if scheme == "https" else None
    if options["http2"]:
        from atila_tasks.web.http2 import Http2

        return Http2(options, tls)
    from atila_tasks.web.http1 import Http1

    return Http1(options, tls, per_host)


@lru_cache(2)
def _import(http2: bool) -> None:
    """Import the libraries."""
    from atila_tasks.web import http1  # noqa: F401 - for its import

    if http2:
        try:
            import h2  # noqa: F401 - httpx imports it on demand only

            from atila_tasks.web import http2 as _  # noqa: F401 - for its import
        except ImportError:
            raise SetupError(
                'HTTP/2 needs httpx and h2: pip install "atila-tasks[http2]"', caller(__name__)
            ) from None


@lru_cache(64)
def _tls(ca: str | None, http2: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise SetupError(
            f"the file of certificates {ca!r} cannot be used: {error.strerror or error}",
            caller(__name__),
        ) from None
    # For one version only: a server that offers both must not choose the other.
    context.set_alpn_protocols(["http/1.1", "h2"] if http2 else ["http/1.1"])
    return context


def _check_member(scheme: str, alias: Alias, member: Member) -> None:
    problem = ""
    given, rest = _SCHEME.match(member.address), member.location
    credentials = member.address.removesuffix(rest)
    if given is not None:
        credentials = credentials[given.end() :]
    if given is not None and given[1].lower() != scheme:
        problem = f"begins with {given[1]}://, while its kind is {scheme}"
    elif "/" in credentials:
        problem = 'has a slash in its user or password, or an "@" in its path; percent-encode it'
    elif not member.host or any(ord(c) <= 32 or ord(c) >= 127 or c in '\\"<>{}' for c in rest):
        problem = "has no host, or a character that no address has"
    elif "?" in rest or "#" in rest:
        problem = "has a query or a fragment"
    elif ":" in rest.partition("/")[0].rpartition("]")[2] and (
        member.port is None or not 0 < member.port < 65536
    ):
        problem = "has a port that is no number from 1 to 65535"
    if problem:
        # Without the text, which may hold a password.
        number = alias.members.index(member) + 1
        raise SetupError(
            f"the member {number} of the alias {alias.name!r} {problem}", caller(__name__)
        )


def _check_options(alias: Alias) -> None:
    for name in _NUMBERS:
        value, least = alias.options[name], 0 if name == "max_redirects" else 1e-3
        if name == "answer_timeout" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
            raise SetupError(
                f"the alias {alias.name!r} has the option {name}={value!r}, which must be a number"
                f" {'from 0' if least == 0 else 'above 0'}",
                caller(__name__),
            )
    try:
        checked_headers(alias.options["headers"])
    except (TypeError, ValueError) as error:
        raise SetupError(f"the alias {alias.name!r}: {error}", caller(__name__)) from None
