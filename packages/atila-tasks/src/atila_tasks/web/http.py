"""The kinds PROTO_HTTP and PROTO_HTTPS: one server and the requests to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from atila.runtime import spans
from atila.runtime.keeping import kept
from atila_tasks.core.errors import BadResponse, UpstreamStatus, UpstreamTimeout
from atila_tasks.upstream.aliases import Alias, Member
from atila_tasks.upstream.interfaces import Interface, add_database_interface
from atila_tasks.upstream.response_head import Reply
from atila_tasks.web import http_setup, redirects
from atila_tasks.web.http_request import HttpRequest
from atila_tasks.web.incoming import parse, read_all
from atila_tasks.web.outgoing import basic, checked_headers

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from atila import Site
    from atila.http.exchange import Headers
    from atila_tasks.upstream.interfaces import Start
    from atila_tasks.upstream.response_head import Head
    from atila_tasks.web.incoming import Connections, Incoming

Made = TypeVar("Made")

PROTO_HTTP = "*http"
PROTO_HTTPS = "*https"


class Http(Interface):
    """One server that speaks HTTP, and the connections to it.

    Attributes:
        name: the name of its alias.
        base: the beginning of its URLs.
        headers: that each request to it carries, if it has none of these names itself.
    """

    defaults: ClassVar[Mapping[str, Any]] = http_setup.OPTIONS
    scheme: ClassVar[str] = "http"

    def __init__(self, alias: Alias, member: Member) -> None:
        super().__init__(alias, member)
        self.name = alias.name
        self.base = f"{self.scheme}://{member.location.rstrip('/')}"
        self.headers: Headers = [*checked_headers(self.options["headers"])]
        if member.user or member.password:
            self.headers.append(("authorization", basic(member.user, member.password)))
        self._connections: Connections | None = None
        self._channel: Any = None

    @classmethod
    def check(cls, alias: Alias) -> None:
        http_setup.check(alias, cls.scheme)

    @classmethod
    def session(cls, start: Start) -> Any:
        raise TypeError("a server of HTTP is no database: write was.stub(…), not was.db(…)")

    def _connect(self) -> Connections:
        return http_setup.connect(self.alias, self.scheme)

    def channel(self, make: Any) -> Any:
        """The channel of gRPC to this server, which make(self) makes of it when first wanted."""
        if self._channel is None:
            self._channel = make(self)
        return self._channel

    def perform(self, request: Any) -> Coroutine[Any, Any, Any]:
        performed: Coroutine[Any, Any, Any] = request.carry_out(self)
        return performed

    def open(self, request: HttpRequest, *, raw: bool = False) -> Coroutine[Any, Any, Incoming]:
        """Send a request; see `Connections.open`. Redirects are answers like others."""
        return self._send(self._whole(request), raw=raw)

    def fetch(self, request: HttpRequest) -> Coroutine[Any, Any, Reply]:
        """Send a request, follow redirects, and read the data.

        Raises:
            UpstreamStatus: the status is 400 or more.
            BadResponse: the answer is too long, its body does not match its headers, or a redirect
                cannot be followed.
            UpstreamError: the connection failed.
        """
        return self._received(request, _reply)

    def receive(self, request: HttpRequest) -> Coroutine[Any, Any, tuple[Head, bytes]]:
        """The same, with the body as it is."""
        return self._received(request, _as_it_is)

    async def _received(
        self, request: HttpRequest, made: Callable[[str, Head, bytes], Made]
    ) -> Made:
        name = request.server or self.name
        request = self._whole(request)
        incoming = await self._send(request)
        if incoming.head.code in redirects.CODES:
            incoming = await self._followed(name, request, incoming)
        head = incoming.head
        try:
            body = await read_all(name, incoming, self.options["max_response"])
        except BaseException:
            await incoming.close()
            raise
        if head.code >= 400:
            status = f"{head.code} {head.reason}".rstrip()
            data = _parse_leniently(name, head, body)
            raise UpstreamStatus(f"{name} answered {status}", head, data)
        return made(name, head, body)

    def _whole(self, request: HttpRequest) -> HttpRequest:
        """A request with its whole URL and all of its headers."""
        headers = request.headers
        if self.headers:
            given = {name for name, _ in headers}
            headers = [*(header for header in self.headers if header[0] not in given), *headers]
        # As `replace` has it, which takes much longer.
        target = self.base + request.target
        return HttpRequest(request.method, target, headers, request.body, request.server)

    async def _followed(self, name: str, request: HttpRequest, incoming: Incoming) -> Incoming:
        """The answer at the end of the redirects of which this is the first."""
        for _ in range(self.options["max_redirects"]):
            if "location" not in incoming.head.headers:
                return incoming
            request = await redirects.follow(name, request, incoming)
            incoming = await self._send(request)
            if incoming.head.code not in redirects.CODES:
                return incoming
        if self.options["max_redirects"]:
            await incoming.close()
            raise BadResponse(f"{name} redirects without an end", incoming.head)
        return incoming

    def _send(self, request: HttpRequest, *, raw: bool = False) -> Coroutine[Any, Any, Incoming]:
        """Send a request that has its whole URL."""
        if spans.active is None:
            return self._sent(request, raw=raw)
        return self._sent_within_span(spans.active, request, raw=raw)

    async def _sent_within_span(
        self, tracer: spans.Spans, request: HttpRequest, *, raw: bool
    ) -> Incoming:
        method, url = request.method, request.target
        address = urlsplit(url)
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "url.full": _without_secrets(url),
            "server.address": address.hostname or "",
        }
        if address.port:
            attributes["server.port"] = address.port
        with tracer.client(method, attributes) as span:
            incoming = await self._sent(
                replace(request, headers=_joined(request.headers, span.headers())), raw=raw
            )
            span.answered(incoming.head.code)
        return incoming

    def _sent(self, request: HttpRequest, *, raw: bool) -> Coroutine[Any, Any, Incoming]:
        if self._connections is None:
            self._connections = self._connect()
        name, method, url = request.server or self.name, request.method, request.target
        sent = self._connections.open(name, method, url, request.headers, request.body, raw=raw)
        seconds = self.options["answer_timeout"]
        return sent if seconds is None else _in_time(name, sent, seconds)

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()
        if self._connections is not None:
            await self._connections.close()


class Https(Http):
    """The same over TLS, with certificates verified."""

    scheme = "https"


PER_HOST = 1000
"""Connections to one server that is called by its URL; all such servers may have twice as many."""

_WEB = Alias("the web", PROTO_HTTPS, (), {**http_setup.OPTIONS, "max_conns": 2 * PER_HOST})


class Web(Https):
    """Any server, by its URL: nothing is kept for one but idle connections, for a short time."""

    def __init__(self) -> None:
        super().__init__(_WEB, Member("-"))
        self.base = ""

    def _connect(self) -> Connections:
        return http_setup.connect(self.alias, self.scheme, PER_HOST)


def web_of(site: Site) -> Web:
    """Any server, as a site reaches it. On the task loop."""
    return kept(site, Web, lambda: _made(site))


def _made(site: Site) -> Web:
    web = Web()
    site.on_shutdown(web.close)
    return web


def prepare_web() -> None:
    """Take slow first steps in advance, and not on the task loop."""
    http_setup.prepare(_WEB, "https")


async def _in_time(name: str, sent: Coroutine[Any, Any, Incoming], seconds: float) -> Incoming:
    try:
        async with asyncio.timeout(seconds):
            return await sent
    except TimeoutError:
        raise UpstreamTimeout(f"{name}: no answer within {seconds:g} s") from None


def _joined(headers: Headers, more: Headers) -> Headers:
    """Headers with others in place of those of their names."""
    names = {name for name, _ in more}
    return [*(header for header in headers if header[0] not in names), *more]


def _without_secrets(url: str) -> str:
    """A URL for a trace: without user, password and query, which may hold tokens."""
    return urlsplit(url)._replace(query="", fragment="").geturl().replace(_login_of(url), "", 1)


def _login_of(url: str) -> str:
    login, at, _ = urlsplit(url).netloc.rpartition("@")
    return login + at


def _reply(name: str, head: Head, body: bytes) -> Reply:
    return Reply(parse(name, head, body), head)


def _as_it_is(name: str, head: Head, body: bytes) -> tuple[Head, bytes]:
    return head, body


def _parse_leniently(name: str, head: Head, body: bytes) -> Any:
    try:
        return parse(name, head, body)
    except BadResponse:
        return body


add_database_interface(PROTO_HTTP, Http)
add_database_interface(PROTO_HTTPS, Https)
