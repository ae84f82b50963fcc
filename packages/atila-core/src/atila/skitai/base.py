"""The common part of HTTP/1.x and HTTP/2 requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol
from urllib.parse import unquote

from atila.errors import HTTPError
from atila.http.exchange import Address, ClientGone, Exchange, Header, Headers
from atila.http.fields import join_fields
from atila.skitai.framing import WHITE
from atila.skitai.reader import Inbox
from atila.skitai.writer import Outlet, open_at

if TYPE_CHECKING:
    from atila import Site
    from atila.http.bodies import BodySink
    from atila.runtime.loop import TaskLoop
    from atila.skitai.loop_bridge import Pump


class Worker(Protocol):
    """The parts of a worker process that a connection uses; see `worker`."""

    site: Site
    loop: TaskLoop
    active: set[SkitaiExchange]
    draining: bool
    scheme: str
    address: Address

    @property
    def pump(self) -> Pump:
        """The way to the main thread."""

    def log(self, request: Any, status: int, size: int) -> None:
        """Write Skitai's own line into its request log."""

    def later(self, seconds: float, func: Callable[[], object]) -> None:
        """Have func() called on the main thread after a while."""


class SkitaiExchange(Exchange):
    """A request that came through Skitai, up to the point where its body is complete.

    Methods are for the main thread, unless they say otherwise.

    Args:
        worker: the worker.
        request: Skitai's request object. Relied on: `channel`, `command`, `uri`, `version`,
            `header` (a list of "Name: value"), `rbytes`, `response`.
        path: see `Exchange`.
        query: likewise.
    """

    connections_are_ours = True

    __slots__ = (
        "_client",
        "_departure",
        "_fields",
        "_gone",
        "_headers",
        "_inbox",
        "_limit",
        "_received",
        "_request",
        "_sink",
        "_was",
        "_worker",
    )

    def __init__(self, worker: Worker, request: Any, path: str, query: str) -> None:
        self.method = request.command.upper()
        self.path = path
        self.query = query
        self.body = b""
        self._worker = worker
        self._request = request
        self._client: Address = request.channel.addr[:2]
        self._headers: Headers = []
        self._fields: dict[str, str] | None = None
        self._was: Any = None
        self._inbox: Inbox | None = None
        self._sink: BodySink | None = None
        self._received = 0
        self._limit = 0
        self._gone = False
        self._departure: asyncio.Future[None] | None = None

    # What the framework asks; from any thread.

    @property
    def version(self) -> str:
        """See `Exchange`."""
        version: str = self._request.version
        return version

    @property
    def client(self) -> Address:
        """See `Exchange`."""
        return self._client

    @property
    def server(self) -> Address:
        """See `Exchange`."""
        channel = self._request.channel
        try:
            name = getattr(channel, "_channel", channel).socket.getsockname()
        except OSError:
            return self._worker.address  # The connection is closed.
        return name[:2] if isinstance(name, tuple) else ("", 0)

    def header(self, name: str) -> str | None:
        """See `Exchange`."""
        fields = self._fields
        if fields is None:
            fields = self._fields = join_fields(self._headers)
        return fields.get(name)

    def headers(self) -> Headers:
        """See `Exchange`."""
        return list(self._headers)

    async def read(self, size: int) -> bytes:
        """See `Exchange`."""
        if self._inbox is None:
            return b""
        return await self._inbox.get_bytes(size)

    def departure(self) -> asyncio.Future[None]:
        """See `Exchange`."""
        if self._departure is None:
            self._departure = self._worker.loop.loop.create_future()
            if self._gone:
                self._departure.set_result(None)
        return asyncio.shield(self._departure)

    # The answer; from any thread.

    def respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """See `Exchange`."""
        self._worker.pump.run(self._respond, status, headers, body)

    def respond_file(
        self, status: int, headers: Sequence[Header], path: str, offset: int, size: int
    ) -> None:
        """See `Exchange`.

        Raises:
            OSError: the file cannot be read; nothing has been sent.
        """
        file = open_at(path, offset)
        self._worker.pump.run(self._respond_file, status, headers, file, size)

    def _respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        raise NotImplementedError

    def _respond_file(
        self, status: int, headers: Sequence[Header], file: BinaryIO, size: int
    ) -> None:
        """Send a file that is open at the right place, and close it."""
        raise NotImplementedError

    # The body.

    def _stream_body(self) -> None:
        self._inbox = Inbox(self._worker.loop, self._worker.pump.call, self._pause)

    def _pause(self, stop: bool) -> None:
        raise NotImplementedError

    def _take(self, data: bytes) -> None:
        """Take a piece of the body.

        Raises:
            HTTPError: it is more than allowed, or cannot be stored.
        """
        if not data:
            return  # To a reader an empty piece is the end.
        self._received += len(data)
        self._request.rbytes = self._received
        if self._inbox is not None:
            self._inbox.put(data)
            return
        self._open_sink().write(data)

    def _drop_body(self) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.close()

    def _open_sink(self) -> BodySink:
        if self._sink is None:
            self._sink = self._worker.site.body_collector(self._was)
        return self._sink

    def _complete(self) -> None:
        """The body has ended."""
        if self._inbox is not None:
            self._inbox.finish()
        else:
            self._store()

    def _store(self) -> None:
        sink, self._sink = self._sink, None
        try:
            if sink is not None:
                self._worker.site.set_body(self._was, sink)
        except HTTPError as fault:
            self._refuse(fault)
        else:
            self._run()

    def _run(self) -> None:
        """Hand the request to the framework."""
        # `was` knows the exchange: kept here longer, the two would keep each other.
        was, self._was = self._was, None
        self._worker.site.start_on_loop(was)

    # The end.

    def _leave(self, outlet: Outlet | None) -> None:
        """The client has left: wake all waiters."""
        self._worker.active.discard(self)
        self._drop_body()
        if self._inbox is not None:
            self._inbox.fail(ClientGone("the client has left"))
        self._worker.loop.call(self._departed, outlet)

    def _departed(self, outlet: Outlet | None) -> None:
        self._gone = True
        if outlet is not None:
            outlet.fail()
        if self._departure is not None and not self._departure.done():
            self._departure.set_result(None)

    def _refuse(self, fault: HTTPError) -> None:
        """Have the framework answer with an error."""
        was, self._was = self._was, None
        self._drop_body()
        self._worker.site.refuse(was, fault)

    def go_away(self) -> None:
        """The worker shuts down: end a request that would go on for ever."""

    def drop(self) -> None:
        """The worker shuts down and waits no longer: end the connection."""
        raise NotImplementedError


def split_target(uri: str) -> tuple[str, str] | None:
    """Decoded path and raw query of a request target; None if it is not for an application.

    "http://host/path", which proxies are sent, is taken for its path (RFC 9112, section 3.2.2).
    """
    if not uri.startswith("/"):
        _, scheme, rest = uri.partition("://")
        if not scheme:
            return None
        uri = "/" + rest.partition("/")[2]
    path, _, query = uri.partition("#")[0].partition("?")
    return (unquote(path) if "%" in path else path), query


def split_headers(lines: list[str]) -> Headers:
    """Skitai's header lines as pairs, names in lower case."""
    headers = []
    for line in lines:
        name, _, value = line.partition(":")
        headers.append((name.lower(), value.strip(WHITE)))
    return headers
