"""The word of trusted proxies about a request: X-Forwarded-For, -Proto, -Host and -Prefix.

Anybody can send these headers. They count as far as proxies of the setting TRUSTED_PROXIES wrote
them: read from the right, each entry was added by the address after it, the last one by the peer.

It is compiled in or out: a site without trusted proxies runs no line of this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from atila.errors import SetupError
from atila.http import prefixes
from atila.http.authority import HOST
from atila.http.exchange import Address, Exchange
from atila.http.observation import Opener

if TYPE_CHECKING:
    from atila import Was

Kind = TypeVar("Kind", bound=Exchange)
Network = IPv4Network | IPv6Network

UNIX = "unix"
"""Stands for all peers that are connected through a Unix socket."""


class Proxies:
    """The proxies that are believed.

    Args:
        names: addresses and networks, "10.0.0.0/8"; "unix" for peers of a Unix socket.

    Raises:
        SetupError: one of them is neither.
    """

    def __init__(self, names: Iterable[str]) -> None:
        if isinstance(names, str):
            raise SetupError(f"TRUSTED_PROXIES = {names!r} must be a list: [{names!r}]")
        self._networks: list[Network] = []
        self._has_unix = False
        for name in names:
            if name == UNIX:
                self._has_unix = True
                continue
            try:
                self._networks.append(ip_network(name))
            except ValueError as error:
                raise SetupError(
                    f"TRUSTED_PROXIES has {name!r}: {error}. Mend: addresses, networks such as"
                    f' "10.0.0.0/8", or "{UNIX}"'
                ) from None
        # Few proxies, many requests; bounded, since clients choose what they send.
        self.trusts = lru_cache(1024)(self._trusts)

    def _trusts(self, host: str) -> bool:
        if not host:
            return self._has_unix
        try:
            address: Any = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        # What an IPv6 socket calls an IPv4 address.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)

    def client(self, peer: Address, forwarded: str | None) -> tuple[Address, int]:
        """The client, and how many entries of the header, from the right, lead to it.

        Args:
            peer: the address of the connection's other end.
            forwarded: the header X-Forwarded-For.

        Returns:
            The first address from the right that is no proxy's, the leftmost if all are; the peer
            itself, and 0, if it is no proxy, or if the header has no address.
        """
        client, depth = peer, 0
        for entry in reversed((forwarded or "").split(",")):
            found = _address(entry.strip())
            if found is None or not self.trusts(client[0]):
                break
            client, depth = found, depth + 1
        return client, depth


def _address(text: str) -> Address | None:
    """An entry of X-Forwarded-For: an address, maybe with a port."""
    host, port = text, "0"
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":") or "0"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        return str(ip_address(host)), int(port) if port.isdecimal() else 0
    except ValueError:
        return None


_SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}


class _Forwarded:
    """Mixed into an engine's exchange class."""

    __slots__: Sequence[str] = ()

    proxies: ClassVar[Proxies]

    # Of the engine's exchange, for the type checker.
    if TYPE_CHECKING:
        header: Callable[[str], str | None]
        path: str
        prefix: str

    def believe(self) -> None:
        """Take prefix and path as proxies have them."""
        # The server's own, for a site within a site.
        self.prefix = super().prefix  # type: ignore[misc]
        if values := self._believed("x-forwarded-prefix"):
            outer = "".join(map(prefixes.parse, values))
            self.path = prefixes.below(self.path, outer)  # type: ignore[misc]
            self.prefix = prefixes.joined(outer, self.prefix)  # type: ignore[misc]

    def _believed(self, name: str) -> list[str]:
        """The values of a header that believed proxies added, the outermost first."""
        announced = self.header(name)
        if not announced or not self.proxies.trusts(self.peer[0]):
            return []
        # Where each proxy adds one, those of the others are to the left.
        values = [value.strip() for value in announced.split(",")]
        _, depth = self.proxies.client(self.peer, self.header("x-forwarded-for"))
        return values[-max(depth, 1) :]

    @property
    def host(self) -> str | None:
        given: str | None = super().host  # type: ignore[misc]
        announced = self._believed("x-forwarded-host")
        return announced[0] if announced and HOST.fullmatch(announced[0]) else given

    @property
    def peer(self) -> Address:
        address: Address = super().client  # type: ignore[misc]
        return address

    @property
    def client(self) -> Address:
        return self.proxies.client(self.peer, self.header("x-forwarded-for"))[0]

    @property
    def scheme(self) -> str:
        given: str = super().scheme  # type: ignore[misc]
        announced = self._believed("x-forwarded-proto")
        return _SCHEMES.get(announced[0].lower(), given) if announced else given


def instrument(opened: Opener) -> Opener:
    """`Site.open` for a site behind proxies.

    Args:
        opened: the `open` of one without any.
    """

    def open_forwarded(exchange: Any) -> Was:
        exchange.believe()
        return opened(exchange)

    return open_forwarded


def with_trusted_proxies(kind: type[Kind], proxies: Proxies) -> type[Kind]:
    """The class of an engine's exchanges, for a site behind proxies.

    Args:
        kind: the class for a site without any.
        proxies: the trusted proxies.
    """
    # An engine that has no prefix of its own leaves it to the class.
    slots = ("prefix",) if kind.prefix == "" else ()
    members = {"__slots__": slots, "proxies": proxies}
    return type(f"Forwarded{kind.__name__}", (_Forwarded, kind), members)
