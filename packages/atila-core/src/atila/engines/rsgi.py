"""RSGI, the interface of granian (its specification, version 1.5).

A worker thread answers by itself; only the ends of requests are signalled to granian by the loop,
in batches.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Coroutine, Sequence
from threading import get_ident
from typing import TYPE_CHECKING, Any

from atila.engines import peer
from atila.engines.peer import AHEAD, Peer
from atila.engines.rsgi_body import Incoming
from atila.engines.rsgi_websocket import WebSocket
from atila.errors import HTTPError
from atila.http.exchange import (
    Address,
    ClientGone,
    Exchange,
    Header,
    Headers,
    WebSocketTransport,
    length_of,
)
from atila.http.fields import join_fields, unreadable
from atila.http.methods import SAFE
from atila.runtime.awaitables import DONE

if TYPE_CHECKING:
    from atila import Site, Was
    from atila.runtime.loop import TaskLoop

_SECURE = frozenset({"https", "wss"})
_CUT = "the body is malformed or ended too soon"
_SWITCHING = "HTTP/1.1 101 Switching Protocols"
_STATUS_LINE = "x-granian"
"""A header whose value is the status line that granian sends."""

log = logging.getLogger("atila.engines.granian")


class RSGIExchange(Exchange):
    """A request of granian."""

    accepts_headers = False

    __slots__ = (
        "_completion",
        "_fields",
        "_incoming",
        "_loop",
        "_protocol",
        "_scope",
        "content_length",
        "content_type",
        "has_odd_headers",
        "is_websocket",
        "may_have_body",
    )

    content_length: int
    content_type: str | None

    def __init__(self, scope: Any, protocol: Any, loop: TaskLoop) -> None:
        self.method: str = scope.method
        self.path: str = scope.path
        self.query: str = scope.query_string
        self.body = b""
        self.is_websocket = scope.proto == "ws"
        self._scope = scope
        self._protocol = protocol
        self._loop = loop
        self._incoming: Incoming | None = None
        self._completion: Awaitable[None] | None = None
        headers = scope.headers
        items: Headers = headers.items()
        fields = dict(items)
        # granian leaves out values that are not ASCII; their names it counts.
        self.has_odd_headers = not len(items) == len(fields) == len(headers) or "host" not in fields
        if self.has_odd_headers:
            fields = self._join(items)
        self._fields = fields
        length = fields.get("content-length")
        self.may_have_body = (
            length is not None or "transfer-encoding" in fields or self.method not in SAFE
        )
        if self.may_have_body:
            self.content_length = length_of(length)
            self.content_type = fields.get("content-type")
        else:
            self.content_length = 0
            self.content_type = None

    @property
    def scheme(self) -> str:
        return "https" if self._scope.scheme in _SECURE else "http"

    @property
    def version(self) -> str:
        version: str = self._scope.http_version
        return version if "." in version else version + ".0"

    @property
    def client(self) -> Address:
        return _address(self._scope.client)

    @property
    def server(self) -> Address:
        return _address(self._scope.server)

    def _join(self, items: Headers) -> dict[str, str]:
        """Headers by name, of a request that may have some twice, and no Host."""
        fields = join_fields(items)
        authority: str | None = self._scope.authority
        if authority is not None:
            # HTTP/2 has it in place of Host (RFC 9113, section 8.3.1).
            fields.setdefault("host", authority)
        return fields

    def header(self, name: str) -> str | None:
        return self._fields.get(name)

    def headers(self) -> Headers:
        return list(self._scope.headers.items())

    def hosts(self) -> int:
        """How many Host headers there are."""
        return sum(1 for name, _ in self._scope.headers.items() if name == "host")

    def unreadable(self) -> HTTPError | None:
        """The refusal of a request that has headers which granian does not show; None for none."""
        hidden = set(self._scope.headers.keys()) - self._fields.keys()
        return unreadable(hidden) if hidden else None

    def has_body(self) -> bool:
        return (
            self.content_length != 0
            or "transfer-encoding" in self._fields
            # HTTP/2 tells the end of a body by a frame, not by a header.
            or (self.method not in SAFE and self._scope.http_version[0] != "1")
        )

    def respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        if self.is_websocket:
            self._protocol.close(status)
        elif body:
            self._protocol.response_bytes(status, headers, body)
        else:
            self._protocol.response_empty(status, headers)
        if get_ident() != self._loop.thread_id:
            self._loop.call(self._finish)
        elif self._completion is None and self._incoming is None:
            self._completion = DONE  # As `_finish` has it, which most need not enter.
        else:
            self._finish()

    def respond_file(
        self, status: int, headers: Sequence[Header], path: str, offset: int, size: int
    ) -> None:
        if size:
            self._protocol.response_file_range(status, headers, path, offset, offset + size)
        else:
            self._protocol.response_empty(status, headers)
        self._finish_soon()

    async def respond_stream(self, status: int, headers: Sequence[Header]) -> _Stream:
        return _Stream(self, self._protocol.response_stream(status, headers))

    async def read(self, size: int) -> bytes:
        return await self._body().read(size)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, piece by piece.

        Raises:
            ClientGone: the body is malformed, or the client left before its end.
        """
        incoming = self._body()
        while piece := await incoming.next():
            yield piece

    def _body(self) -> Incoming:
        if self._incoming is None:
            self._incoming = Incoming(self._scope, self._protocol)
        return self._incoming

    async def accept(
        self, headers: Sequence[Header] = (), protocol: str | None = None
    ) -> WebSocketTransport:
        if protocol is not None:
            await self._announce(protocol)
        try:
            return WebSocket(self, await self._protocol.accept())
        except RuntimeError as error:
            self._finish()
            raise ClientGone from error

    async def _announce(self, protocol: str) -> None:
        """Send the head of the answer to a handshake up to where granian's own becomes a part of
        it: its `accept` takes neither a protocol nor headers.

        Raises:
            HTTPError: 501, the connection cannot be written to: it is TLS, or no TCP.
        """
        head = f"{_SWITCHING}\r\nsec-websocket-protocol: {protocol}\r\n{_STATUS_LINE}: ".encode()
        if self.is_bare() and await asyncio.to_thread(
            peer.tell, self.peer, self.server, head, insist=True
        ):
            return
        log.error(
            "a WebSocket was refused: granian cannot send Sec-WebSocket-Protocol over TLS or a Unix"
            " socket. Mend: --engine skitai, or TLS at a proxy"
        )
        raise HTTPError(501, "this server cannot agree on a WebSocket subprotocol here")

    def is_bare(self) -> bool:
        """Whether the bytes of the connection are those of HTTP/1.1 itself."""
        return self._scope.scheme not in _SECURE and self.version == "1.1"

    def departure(self) -> asyncio.Future[None]:
        # granian's is a future, and stays as it is.
        departure: Awaitable[None] = self._protocol.client_disconnect()
        return asyncio.ensure_future(departure)

    def over(self) -> Awaitable[None]:
        """An awaitable that ends when the request does; granian waits for it. On the loop."""
        if self._completion is None:
            self._completion = self._loop.loop.create_future()
        return self._completion

    def _finish(self) -> None:
        if self._completion is None:
            self._completion = DONE
        elif isinstance(self._completion, asyncio.Future) and not self._completion.done():
            self._completion.set_result(None)
        if self._incoming is not None:
            self._incoming.close()

    def _finish_soon(self) -> None:
        if get_ident() == self._loop.thread_id:
            self._finish()
        else:
            self._loop.call(self._finish)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdecimal() else (text, 0)


class _Stream:
    __slots__ = ("_exchange", "_peer", "_sent", "_transport")

    def __init__(self, exchange: RSGIExchange, transport: Any) -> None:
        self._exchange = exchange
        self._transport = transport
        self._peer: Peer | None = None
        self._sent = 0

    async def send(self, chunk: bytes) -> None:
        # granian keeps what the client has not taken yet, however much it is.
        self._sent += len(chunk)
        if self._peer is None and self._sent > AHEAD:
            self._peer = self._find_peer()
        try:
            if self._peer is not None:
                await self._peer.take(len(chunk))
            await self._transport.send_bytes(chunk)
        except (RuntimeError, ClientGone) as error:
            self._end()
            raise ClientGone from error

    async def close(self) -> None:
        self._end()

    def abort(self) -> None:
        # However the application ends, granian ends the body in order.
        found = self._peer or self._find_peer()
        if found is not None:
            found.break_off()
            found.close()
        self._end()

    def _find_peer(self) -> Peer | None:
        try:
            return Peer(self._exchange.peer, self._exchange.server)
        except LookupError:
            return None

    def _end(self) -> None:
        # granian ends the body when nobody holds the transport any more.
        self._transport = None
        if self._peer is not None:
            self._peer.close()
        self._exchange._finish()


class Engine:
    """Answers the requests of granian for a site.

    Args:
        site: the site.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._exchange = site.exchange_class(RSGIExchange)
        self._loop: TaskLoop | None = None

    def serve(self, scope: Any, protocol: Any) -> Awaitable[None]:
        """Answer a request; called on granian's loop.

        Returns:
            An awaitable that ends when the request is over.
        """
        site, loop = self._site, self._loop
        # A worker of granian has one loop. To ask for the running one is a system call on 3.11.
        if loop is None or not loop.loop.is_running():
            loop = site.use_loop(asyncio.get_running_loop())
            if not site.has_started:
                return self._started(scope, protocol)
            self._loop = loop
        exchange = self._exchange(scope, protocol, loop)
        was = site.open(exchange)
        if exchange.has_odd_headers:
            was = self._unless_faulty(was, exchange)
        if exchange.may_have_body:
            if size := site.short_body(was):
                return self._take(was, exchange, size)
            if exchange.has_body() and site.wants_body(was):
                return self._collect(was, exchange)
        rest = was.endpoint.start_in_task(was)
        if rest is None:
            # As `over` has it, which most need not be asked.
            return exchange._completion or exchange.over()
        if exchange.is_websocket:
            # In a task of ours: in granian's, a connection that has failed would not end.
            loop.begin(rest)
            return exchange.over()
        return _complete(rest, exchange, loop)

    def _unless_faulty(self, was: Was, exchange: RSGIExchange) -> Was:
        """The context of a request, or its refusal for its headers."""
        refusal = exchange.unreadable()
        if refusal is not None:
            return self._site.refusal(exchange, was.app, refusal)
        hosts = exchange.hosts()
        if hosts != 1 and exchange.version[0] == "1":
            return self._site.without_host(was, hosts)
        return was

    async def _started(self, scope: Any, protocol: Any) -> None:
        """Start the site, where the server has not said that it begins; then serve a request."""
        await asyncio.to_thread(self._site.start_up)
        await self.serve(scope, protocol)

    async def _take(self, was: Was, exchange: RSGIExchange, size: int) -> None:
        """Wait for a body of so many bytes at once."""
        try:
            body: bytes = await exchange._protocol()
        except RuntimeError:
            body = b""
        # What was sent before a stream of HTTP/2 was reset is given like a whole body.
        rest = None
        if len(body) == size:
            exchange.body = body
            rest = was.endpoint.start_in_task(was)
        else:
            self._site.refuse(was, HTTPError(400, _CUT))
        if rest is not None:
            await _complete(rest, exchange, exchange._loop)
        elif exchange._completion is None:
            await exchange.over()

    async def _collect(self, was: Was, exchange: RSGIExchange) -> None:
        rest = None
        if await self._site.collect(was, exchange.pieces(), _CUT):
            rest = was.endpoint.start_in_task(was)
        if rest is not None:
            await _complete(rest, exchange, exchange._loop)
        else:
            await exchange.over()


async def _complete(
    rest: Coroutine[Any, Any, None], exchange: RSGIExchange, loop: TaskLoop
) -> None:
    """Do the rest of the work for a request in the task that granian has made for it."""
    task = loop.hold()
    try:
        await rest
    finally:
        loop.let_go(task)
    if exchange._completion is None:
        await exchange.over()
