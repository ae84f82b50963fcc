"""RSGI, the interface of granian (its specification, version 1.5).

A worker thread answers by itself; only the ends of requests are signalled to granian by the loop,
in batches.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

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
)
from atila.http.fields import join_fields, unreadable
from atila.http.methods import SAFE
from atila.runtime import server_tasks
from atila.runtime.context import HERE

if TYPE_CHECKING:
    from atila import Site, Was
    from atila.runtime.loop import TaskLoop

_SECURE = frozenset({"https", "wss"})
_CUT = "the body is malformed or ended too soon"
_SWITCHING = "HTTP/1.1 101 Switching Protocols"
_STATUS_LINE = "x-granian"
"""A header whose value is the status line that granian sends."""

log = logging.getLogger("atila.engines.granian")


_USUAL, _WITH_BODY, _ODD = range(3)
"""Kinds of heads: nothing to see to, a body maybe, or headers that need a closer look too."""


@types.coroutine
def _nothing() -> Generator[Any, None, None]:
    return
    yield


_OVER = _nothing()
"""The awaitable of a request that is over, as soon as this has ended; may be awaited any number of
times. Of all awaitables, such a generator takes the fewest steps. None but granian sees it: where a
handler's value may be one, a generator is something else than an awaitable."""
next(_OVER, None)


class RSGIExchange(Exchange):
    """A request of granian; `read_head` gives it one."""

    accepts_headers = False

    __slots__ = (
        "_completion",
        "_fields",
        "_incoming",
        "_protocol",
        "_scope",
    )

    loop: ClassVar[TaskLoop]
    """Of the class, since an engine has one: `on`."""
    _protocol: Any
    """The way to answer it, of granian; None when it is over."""

    @classmethod
    def on(cls, loop: TaskLoop) -> type[Self]:
        """The class of the requests of a loop."""
        return type(cls.__name__, (cls,), {"__slots__": (), "loop": loop})

    def read_head(self, scope: Any, protocol: Any) -> int:
        """Take the head of a request. To be called once, first.

        Not the constructor, which CPython enters by way of its C code.

        Args:
            scope: the request, of granian.
            protocol: the way to answer it, of granian.

        Returns:
            Its kind: _USUAL, _WITH_BODY or _ODD.
        """
        self.method = method = scope.method
        self.path = scope.path
        self.body = b""
        self._scope = scope
        self._protocol = protocol
        self._incoming: Incoming | None = None
        self._completion: asyncio.Future[None] | None = None
        headers = scope.headers
        items: Headers = headers.items()
        self._fields = fields = dict(items)
        count = len(fields)
        # granian leaves out values that are not ASCII; their names it counts.
        if len(items) != count or len(headers) != count or "host" not in fields:
            self._fields = self._join(items)
            return _ODD
        if (
            "content-length" in fields
            or "transfer-encoding" in fields
            or (method != "GET" and method not in SAFE)
        ):
            return _WITH_BODY
        return _USUAL

    @property
    def query(self) -> str:  # type: ignore[override]  # Made when it is asked for.
        text: str = self._scope.query_string
        return text

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
        if body:
            self._protocol.response_bytes(status, headers, body)
        else:
            self._protocol.response_empty(status, headers)
        # As `_note_end` has it, which most need not enter.
        self._protocol = None
        if self._completion is not None:
            self.loop.call(self._finish)

    def respond_text(self, status: int, headers: Sequence[Header], text: str) -> None:
        if text:
            self._protocol.response_str(status, headers, text)
        else:
            self._protocol.response_empty(status, headers)
        self._protocol = None
        if self._completion is not None:
            self.loop.call(self._finish)

    def respond_file(
        self, status: int, headers: Sequence[Header], path: str, offset: int, size: int
    ) -> None:
        if size:
            self._protocol.response_file_range(status, headers, path, offset, offset + size)
        else:
            self._protocol.response_empty(status, headers)
        self._note_end()

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
            protocol = self._protocol
            if protocol is None:
                raise ClientGone
            self._incoming = Incoming(self._scope, protocol)
            # So that its end closes this.
            _ = self.over()
        return self._incoming

    def is_bare(self) -> bool:
        """Whether the bytes of the connection are those of HTTP/1.1 itself."""
        return self._scope.scheme not in _SECURE and self.version == "1.1"

    def departure(self) -> asyncio.Future[None]:
        protocol = self._protocol
        if protocol is None:
            # A thread has just answered.
            return self.loop.loop.create_future()
        # granian's is a future, and stays as it is.
        departure: Awaitable[None] = protocol.client_disconnect()
        return asyncio.ensure_future(departure)

    def over(self) -> Awaitable[None]:
        """An awaitable that ends when the request does; granian waits for it. On the loop."""
        if self._completion is None:
            self._completion = self.loop.loop.create_future()
        # Asked when that is there, as `_note_end` asks for that when this is set: none is missed.
        return _OVER if self._protocol is None else self._completion

    def _note_end(self) -> None:
        """Note that the request is over. From any thread."""
        self._protocol = None
        if self._completion is not None:
            self.loop.call(self._finish)

    def _finish(self) -> None:
        if self._completion is not None and not self._completion.done():
            self._completion.set_result(None)
        if self._incoming is not None:
            self._incoming.close()


class RSGIHandshake(RSGIExchange):
    """A request of granian for a WebSocket."""

    __slots__ = ()

    is_websocket = True

    def respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        self._protocol.close(status)
        self._note_end()

    respond_text = Exchange.respond_text

    async def accept(
        self, headers: Sequence[Header] = (), protocol: str | None = None
    ) -> WebSocketTransport:
        if protocol is not None:
            await self._announce(protocol)
        try:
            return WebSocket(self, await self._protocol.accept())
        except RuntimeError as error:
            self._note_end()
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
        self._exchange._note_end()


class Engine:
    """Answers the requests of granian for a site.

    Args:
        site: the site.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._open = site.open
        self._classes = site.exchange_class(RSGIExchange), site.exchange_class(RSGIHandshake)
        self._exchange, self._handshake = self._classes
        # In the process of another server, as in tests, nothing is a WebSocket.
        granian = sys.modules.get("granian.rsgi")
        self._websocket: type | None = getattr(granian, "WebsocketProtocol", None)
        self._loop: TaskLoop | None = None
        self._has_begun = self._is_ready = False

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serve on this loop alone from now on; need not be called, and makes requests cheaper."""
        self._use(loop)
        self._has_begun = True

    def _use(self, loop: asyncio.AbstractEventLoop) -> None:
        tasks = self._site.use_loop(loop)
        if self._loop is not tasks:
            exchange, handshake = self._classes
            self._exchange, self._handshake = exchange.on(tasks), handshake.on(tasks)
            self._loop = tasks

    def _prepare(self) -> None:
        """See what the server has for the requests: the loop, and whether each has a task."""
        self._use(asyncio.get_running_loop())
        opened, task = self._site.open, asyncio.current_task()
        # granian's own tasks (`--task-impl rust`) are none of asyncio's, and share a context.
        self._open = opened if task is not None else _detached(opened)
        if self._has_begun and task is not None:
            server_tasks.begin_at_once(task)
        self._is_ready = self._has_begun

    def serve(self, scope: Any, protocol: Any) -> Awaitable[None]:
        """Answer a request; called on granian's loop, in the task that it has for the request.

        Returns:
            An awaitable that ends when the request is over.
        """
        if not self._is_ready:
            self._prepare()
            if not self._site.has_started:
                return self._started(scope, protocol)
        # Its type, since each attribute of a scope is made when it is read.
        if type(protocol) is self._websocket:
            return self._converse(scope, protocol)
        exchange = self._exchange()
        kind = exchange.read_head(scope, protocol)
        was = self._open(exchange)
        if kind:
            if kind is _ODD:
                was = self._unless_faulty(was, exchange)
            if size := self._site.short_body(was):
                return self._take(was, exchange, size)
            if exchange.has_body() and self._site.wants_body(was):
                return self._collect(was, exchange)
        endpoint = was.endpoint
        if endpoint.stays_in_task and was.variables is HERE:
            # As `start_in_task` has it, which most need not enter.
            rest = endpoint.process(was, True)
        else:
            rest = endpoint.start_in_task(was)
        if rest is None:
            # As `over` has it, which most need not be asked.
            return _OVER if exchange._protocol is None else exchange.over()
        return _complete(rest, exchange)

    def _converse(self, scope: Any, protocol: Any) -> Awaitable[None]:
        """The same for a WebSocket."""
        exchange = self._handshake()
        kind = exchange.read_head(scope, protocol)
        was = self._open(exchange)
        if kind is _ODD:
            was = self._unless_faulty(was, exchange)
        rest = was.endpoint.start_websocket(was)
        if rest is not None:
            # In a task of ours: in granian's, a connection that has failed would not end.
            exchange.loop.begin(rest)
        return exchange.over()

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
            await _complete(rest, exchange)
        elif exchange._protocol is not None:
            await exchange.over()

    async def _collect(self, was: Was, exchange: RSGIExchange) -> None:
        rest = None
        if await self._site.collect(was, exchange.pieces(), _CUT):
            rest = was.endpoint.start_in_task(was)
        if rest is not None:
            await _complete(rest, exchange)
        else:
            await exchange.over()


def _detached(opened: Callable[[Exchange], Was]) -> Callable[[Exchange], Was]:
    """`Site.open`, for requests that share a context."""

    def open_detached(exchange: Exchange) -> Was:
        was = opened(exchange)
        was.detach()
        return was

    return open_detached


async def _complete(rest: Coroutine[Any, Any, None], exchange: RSGIExchange) -> None:
    """Do the rest of the work for a request in the task that granian has made for it."""
    loop = exchange.loop
    task = loop.hold()
    try:
        await rest
    finally:
        loop.let_go(task)
    if exchange._protocol is not None:
        await exchange.over()
