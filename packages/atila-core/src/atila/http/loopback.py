"""Whether a client is on this machine, as far as that is certain."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atila.http.exchange import Exchange

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def is_local(exchange: Exchange) -> bool:
    """Whether the client of a request is on this machine, and no proxy speaks for another one."""
    client, peer = exchange.client, exchange.peer
    if not (_is_loopback(client[0]) and _is_loopback(peer[0])):
        return False
    # Of a proxy that is not trusted nothing is known but itself.
    return client != peer or not any(exchange.header(name) for name in _FORWARDED)


def _is_loopback(host: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
