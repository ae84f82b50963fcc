"""`was.absolute`: absolute URLs, with the authority that the client asked for (RFC 3986, 3.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from atila.errors import HTTPError
from atila.http import prefixes

if TYPE_CHECKING:
    from atila import Was

HOST = re.compile(r"(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
"""A host, maybe with a port (RFC 9110, section 7.2)."""


def absolute(was: Was, url: str = "") -> str:
    """The absolute URL of one of this site, for e-mails and other servers:
    was.absolute(was.urlfor("reset", token=token)).

    The host is that which the client asked for; the server's address if it named none. Everybody
    can ask for any, unless a proxy, or the option `host` of `mount`, lets only yours through.

    Args:
        was: the context.
        url: path and query, as `urlfor` and `static` give them; "" for those of this request. An
            absolute one stays as it is.

    Raises:
        HTTPError: 400, what the client named is no host.
    """
    exchange = was.exchange
    if not url:
        url = prefixes.quoted(exchange.full_path) or "/"
        url += f"?{exchange.query}" if exchange.query else ""
    host = exchange.host or _authority(*exchange.server)
    if not HOST.fullmatch(host):
        raise HTTPError(400, "the Host header names no host")
    return urljoin(f"{exchange.scheme}://{host}/", url)


def _authority(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port in (0, 80) else f"{name}:{port}"
