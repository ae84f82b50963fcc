"""`was.ProxyPass`: forwards a request to another server and its answer back."""

from __future__ import annotations

import asyncio
import logging
import string
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atila import HTTPError
from atila.http.bodies import pieces
from atila.http.exchange import ClientGone
from atila.http.response import ANSWERED, NO_BODY
from atila_tasks.core.errors import TaskTimeout, UpstreamError
from atila_tasks.upstream.aliases import resolve
from atila_tasks.upstream.balancing import seats_of
from atila_tasks.upstream.interfaces import find
from atila_tasks.web import forwarding, targets
from atila_tasks.web.http import Http
from atila_tasks.web.http_request import HttpRequest
from atila_tasks.web.payloads import Body, Stream

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import Exchange, Headers
    from atila_tasks.upstream.aliases import Alias
    from atila_tasks.web.incoming import Incoming

log = logging.getLogger("atila.tasks")

TIMEOUT = 3.0
"""Seconds that a server has to do anything, if nothing else is said."""

_PIECE = 65536


def proxy_pass(
    was: Was, alias: str, path: str | None = None, timeout: float = TIMEOUT
) -> Awaitable[Any]:
    """Answer with the answer of another server: `return was.ProxyPass("@myupstream", path)`.

    Method, query, headers and body go there, status, headers and body come back, each piece as the
    other side takes it. The request's body is collected first, unless the route says
    `input_stream=True`. A member that cannot be reached is skipped.

    Args:
        was: the request.
        alias: of the servers, "@myupstream", or "@myupstream/path" for a path below it.
        path: below the address of the server, decoded, as of a rule with `<path:path>`.
        timeout: seconds in which the server must connect, begin its answer, and send each piece.

    Returns:
        The value for the handler to return.

    Raises:
        LookupError: there is no such alias.
        TypeError: it is no alias of servers of HTTP.
        HTTPError: 400, the path leads elsewhere; 502 and 504, when awaited, the server fails.
    """
    root, base = targets.split(alias)
    found = resolve(was, root) if root.startswith("@") else None
    if found is None or not issubclass(find(found.kind, root), Http):
        raise TypeError(f"was.ProxyPass takes an alias of servers of HTTP, not {root!r}")
    path = path or ""
    try:
        target = targets.joined(base, targets.encoded(path))
    except ValueError:
        raise HTTPError(400, "the path leads elsewhere") from None
    if was.exchange.query:
        target += "?" + quote(was.exchange.query, safe=string.punctuation)
    outer = was.exchange.full_path
    place = (outer.removesuffix(path), base) if outer.endswith(path) else None
    return _Passing(was, found, timeout, place).answer(target)


@dataclass(frozen=True, slots=True)
class _Passed:
    """A request on its way to a member, for `Upstreams.balance` to carry out."""

    request: HttpRequest
    client: _ClientBody = field(repr=False)

    @property
    def idempotent(self) -> bool:
        return self.request.idempotent

    async def carry_out(self, http: Http) -> tuple[Incoming, str]:
        """Send it; gives the answer, and the beginning of the server's URLs."""
        own = {name for name, _ in http.headers}
        headers = [header for header in self.request.headers if header[0] not in own]
        try:
            incoming = await http.open(replace(self.request, headers=headers), raw=True)
        except UpstreamError:
            if self.client.is_gone:
                raise ClientGone from None
            raise
        if incoming.head.code == 101:
            await incoming.close()
            raise UpstreamError(f"{http.name}: it speaks another protocol than was asked for")
        return incoming, http.base


class _Passing:
    """One request that is passed on, and its answer.

    Args:
        was: the request.
        alias: where it goes.
        timeout: seconds.
        place: the path of ours that stands for one of the server's; None if there is none.
    """

    def __init__(
        self, was: Was, alias: Alias, timeout: float, place: tuple[str, str] | None
    ) -> None:
        self._place = place
        self._was = was
        self._alias = alias
        self._timeout = timeout

    async def answer(self, target: str) -> Any:
        was = self._was
        client = _ClientBody(was.exchange, self._timeout)
        ours, theirs = self._place or ("", "")
        headers = forwarding.request_headers(was, "" if theirs.strip("/") else ours)
        if client.length is not None:
            headers.append(("content-length", client.length))
        request = HttpRequest(was.exchange.method, target, headers, client.body)
        incoming, origin = await self._begun(_Passed(request, client), client)
        try:
            headers = forwarding.response_headers(was, incoming)
            if self._place is not None:
                headers = forwarding.relocated(headers, origin + self._place[1], self._place[0])
            await self._send(incoming, headers)
        finally:
            await incoming.close()
        return ANSWERED

    async def _begun(self, passed: _Passed, client: _ClientBody) -> tuple[Incoming, str]:
        try:
            async with asyncio.timeout(self._timeout) as client.limit:
                begun: tuple[Incoming, str]
                begun = await seats_of(self._was.site, self._alias).balance(passed)
                return begun
        except TimeoutError as error:
            if client.limit is not None and client.limit.expired():
                raise TaskTimeout(self._timeout) from None
            raise error
        finally:
            client.limit = None

    async def _send(self, incoming: Incoming, headers: Headers) -> None:
        was, exchange, status = self._was, self._was.exchange, incoming.head.code
        if exchange.method == "HEAD" or status in NO_BODY:
            exchange.respond(status, headers, b"")
            return
        # The first piece beforehand: if there is none, the client still gets a proper error.
        piece = await self._piece(incoming)
        was.headers_sent = True
        stream = await exchange.respond_stream(status, headers)
        try:
            while piece:
                await stream.send(piece)
                piece = await self._piece(incoming)
            await stream.close()
        except ClientGone:
            pass
        except BaseException as error:
            # For the client to see that something is missing.
            stream.abort()
            if not isinstance(error, HTTPError):
                raise
            log.warning("request %s: the answer of %s broke off", was.request_id, self._alias.name)

    async def _piece(self, incoming: Incoming) -> bytes:
        try:
            async with asyncio.timeout(self._timeout):
                return await incoming.read()
        except TimeoutError:
            raise TaskTimeout(self._timeout) from None


class _ClientBody:
    """The body of a request that is passed on.

    Args:
        exchange: the request.
        timeout: seconds in which the server must take each piece.

    Attributes:
        body: the body to send.
        length: its bytes, as Content-Length; None if the body has a length, or it is unknown.
        limit: the time that the server has to begin its answer, while it has to.
        is_gone: the client left before its body was complete.
    """

    def __init__(self, exchange: Exchange, timeout: float) -> None:
        self._exchange = exchange
        self._timeout = timeout
        self.limit: asyncio.Timeout | None = None
        self.is_gone = False
        self.length: str | None = None
        self.body: Body = None
        collected = exchange.body
        if isinstance(collected, bytes) and collected:
            self.body = collected
        elif collected:
            self.length = str(len(collected))
            self.body = Stream(self._of_file, replayable=True)
        elif exchange.has_body():
            self.length = exchange.header("content-length")
            self.body = Stream(self._of_client)

    async def _of_file(self) -> AsyncIterator[bytes]:
        parts = pieces(self._exchange.body)
        while piece := await asyncio.to_thread(next, parts, b""):
            self._renew(self._timeout)
            yield piece

    async def _of_client(self) -> AsyncIterator[bytes]:
        while True:
            # A client that is slow is no fault of the server.
            self._renew(None)
            try:
                piece = await self._exchange.read(_PIECE)
            except ClientGone:
                self.is_gone = True
                raise
            self._renew(self._timeout)
            if not piece:
                return
            yield piece

    def _renew(self, seconds: float | None) -> None:
        if self.limit is not None and not self.limit.expired():
            now = asyncio.get_running_loop().time()
            self.limit.reschedule(None if seconds is None else now + seconds)
