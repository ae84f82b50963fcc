"""The server of an outgoing call, by alias or by URL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from atila_tasks.core.group import Tasks
from atila_tasks.upstream.access import balanced, mapped
from atila_tasks.upstream.aliases import resolve
from atila_tasks.upstream.balancing import seats_of
from atila_tasks.upstream.calls import call
from atila_tasks.upstream.interfaces import find
from atila_tasks.web import targets
from atila_tasks.web.http import Http, prepare_web, web_of
from atila_tasks.web.outgoing import basic, checked_headers

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import Header, Headers
    from atila_tasks.core.waitable import Waitable

Auth = str | tuple[str, str]
"""A token, sent as Bearer (RFC 6750), or user and password (RFC 7617)."""


OF_STUBS = frozenset({"auth", "filter", "headers", "meta", "timeout"})
OF_REQUESTS = OF_STUBS | {"params"}


def refuse_unknown(options: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse unknown options.

    Raises:
        TypeError: an option is unknown; the message names the known ones.
    """
    if not known.issuperset(options):
        unknown = sorted(set(options) - known)[0]
        raise TypeError(f"there is no option {unknown!r}, only {', '.join(sorted(known))}")


class UpstreamTarget:
    """One server, or the members of an alias, for the calls of a request.

    Args:
        was: the request.
        way: `one`, `balanced` or `mapped`, of `atila_tasks.upstream.access`.
        address: "@myapi/api" or "http://example.com".

    Attributes:
        root: the alias, or the origin of an URL; without user and password.
        base: the path below it.
        prefix: the beginning of each target.
        server: the name of the server in errors; "" to leave it to the alias.

    Raises:
        LookupError: there is no such alias.
        TypeError: it is no alias of servers of HTTP.
        ValueError: the address is malformed.
    """

    def __init__(self, was: Was, way: Callable[..., Waitable], address: str) -> None:
        root, self.base = targets.split(address)
        self._was = was
        self._way = way
        self._headers: tuple[Header, ...] = ()
        self.prefix = self.server = ""
        self.start: Callable[..., Waitable]
        if root.startswith("@"):
            alias = resolve(was, root)
            if not issubclass(find(alias.kind, root), Http):
                raise TypeError(f"the alias {root!r} is no server of HTTP: write was.db({root!r})")
            self.root = root
            self.start = partial(way, was, alias)
            return
        prepare_web()
        scheme, _, rest = root.partition("://")
        credentials, _, netloc = rest.rpartition("@")
        self.root = self.prefix = self.server = f"{scheme.lower()}://{netloc}"
        if credentials:
            user, _, password = credentials.partition(":")
            self._headers = (("authorization", basic(unquote(user), unquote(password))),)
        self.start = self._map_web if way is mapped else self._at_web

    async def open(self, request: Any) -> Any:
        """Carry out a request at one member of the alias, without a task. On the task loop."""
        upstreams = seats_of(self._was.site, resolve(self._was, self.root))
        return await (upstreams.balance if self._way is balanced else upstreams.perform)(request)

    def _at_web(self, request: Any, **options: Any) -> Waitable:
        was = self._was
        return call(was, lambda: web_of(was.site).perform(request), **options)

    def _map_web(self, request: Any, **options: Any) -> Waitable:
        return Tasks(self._was, self._at_web(request, **options))

    def headers(self, given: Any, auth: Auth | None) -> Headers:
        """The headers of a request: those given, and those of every request.

        Raises:
            ValueError: one cannot be sent.
        """
        headers = checked_headers(given)
        names = {name for name, _ in headers}
        if "x-request-id" not in names:
            headers.append(("x-request-id", self._was.request_id))
        if auth is not None:
            value = f"Bearer {auth}" if isinstance(auth, str) else basic(*auth)
            headers += checked_headers([("authorization", value)])
        elif "authorization" not in names:
            headers += self._headers
        return headers
