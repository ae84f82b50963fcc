"""Exchanges with observers, which are called once a request has been answered.

The access log and the metrics of a site are made of it. A site with neither runs no line of this
module for a request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from atila.http.exchange import (
    Address,
    ClientGone,
    Exchange,
    Header,
    Headers,
    ResponseStream,
    TrailingStream,
    WebSocketTransport,
)

if TYPE_CHECKING:
    from atila.was import Was

log = logging.getLogger("atila.observed")


class Observer:
    """Who wants to know of requests; each method may be called on any thread, and never blocks."""

    def opened(self, exchange: Observed) -> None:
        """A request has arrived."""

    def answered(self, exchange: Observed, status: int, size: int) -> None:
        """It has been answered, with so many bytes of body. A streamed answer: at its end."""

    def accepted(self, exchange: Observed, transport: WebSocketTransport) -> None:
        """It has become a WebSocket; `answered`, with 101, follows at once."""

    def over(self, exchange: Observed) -> None:
        """Nothing will come of it any more. Once for each; also if it never was answered."""


Opener = Callable[[Exchange], "Was"]


def instrument(opened: Opener, observers: Sequence[Observer]) -> Opener:
    """`Site.open` for a site whose requests are observed.

    Args:
        opened: the `open` of one that is not.
        observers: who is told.
    """
    observers = tuple(observers)

    def open_observed(exchange: Exchange) -> Was:
        observed = Observed(exchange, observers)
        observed.was = was = opened(observed)
        return was

    return open_observed


class Observed(Exchange):
    """An exchange of which observers are told; all else is the engine's.

    Attributes:
        inner: the engine's exchange.
        was: the context that was opened for it; None when it has been answered.
        arrived: seconds since the epoch.
        took: seconds from the head of the request to the answer.
    """

    __slots__ = (
        "_begun",
        "_is_over",
        "_observers",
        "arrived",
        "can_upgrade",
        "inner",
        "is_websocket",
        "took",
        "was",
    )

    def __init__(self, inner: Exchange, observers: tuple[Observer, ...]) -> None:
        self.inner, self._observers = inner, observers
        self.method, self.path, self.query = inner.method, inner.path, inner.query
        self.body = inner.body
        self.can_upgrade, self.is_websocket = inner.can_upgrade, inner.is_websocket
        self.was: Was | None = None
        self.arrived, self._begun = time.time(), time.perf_counter()
        self.took = 0.0
        self._is_over = False
        for observer in observers:
            observer.opened(self)

    def answered(self, status: int, size: int) -> None:
        """It was answered, with so many bytes of body."""
        self.took = time.perf_counter() - self._begun
        if self.method == "HEAD":
            size = 0
        try:
            for observer in self._observers:
                observer.answered(self, status, size)
        except Exception:
            # The client has its answer, and gets no other because of a full disk.
            log.exception("a request was answered, but not noted")
        self._end()
        # The context knows the exchange: kept longer, the two would keep each other.
        self.was = None

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            for observer in self._observers:
                observer.over(self)

    def __del__(self) -> None:
        # Engines drop what a client sent of a request and left.
        self._end()

    @property
    def scheme(self) -> str:
        return self.inner.scheme

    @property
    def version(self) -> str:
        return self.inner.version

    @property
    def client(self) -> Address:
        return self.inner.client

    @property
    def peer(self) -> Address:
        return self.inner.peer

    @property
    def server(self) -> Address:
        return self.inner.server

    def header(self, name: str) -> str | None:
        return self.inner.header(name)

    def headers(self) -> Headers:
        return self.inner.headers()

    def has_body(self) -> bool:
        return self.inner.has_body()

    async def read(self, size: int) -> bytes:
        return await self.inner.read(size)

    def respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        self.inner.respond(status, headers, body)
        self.answered(status, len(body))

    def respond_file(
        self, status: int, headers: Sequence[Header], path: str, offset: int, size: int
    ) -> None:
        self.inner.respond_file(status, headers, path, offset, size)
        self.answered(status, size)

    async def respond_stream(self, status: int, headers: Sequence[Header]) -> _ObservedStream:
        return _ObservedStream(await self.inner.respond_stream(status, headers), self, status)

    @property
    def can_trail(self) -> bool:
        return self.inner.can_trail

    @property
    def accepts_headers(self) -> bool:  # type: ignore[override]  # read only here
        return self.inner.accepts_headers

    async def respond_trailing(self, status: int, headers: Sequence[Header]) -> _ObservedStream:
        return _ObservedStream(await self.inner.respond_trailing(status, headers), self, status)

    async def accept(self, headers: Sequence[Header] = ()) -> WebSocketTransport:
        transport = await self.inner.accept(headers)
        for observer in self._observers:
            observer.accepted(self, transport)
        # At the handshake: a WebSocket may go on for days.
        self.answered(101, 0)
        return transport

    async def disconnected(self) -> None:
        await self.inner.disconnected()

    def __getattr__(self, name: str) -> Any:
        # What engines have besides.
        return getattr(self.inner, name)


class _ObservedStream:
    """A streamed answer; its observers are told at its end, with the bytes that were sent."""

    __slots__ = ("_exchange", "_sent", "_status", "_stream")

    def __init__(
        self, stream: ResponseStream | TrailingStream, exchange: Observed, status: int
    ) -> None:
        self._stream: Any = stream
        self._exchange: Observed | None = exchange
        self._status = status
        self._sent = 0

    async def send(self, chunk: bytes) -> None:
        try:
            await self._stream.send(chunk)
        except ClientGone:
            self._end()
            raise
        self._sent += len(chunk)

    async def close(self, trailers: Sequence[Header] = ()) -> None:
        await (self._stream.close(trailers) if trailers else self._stream.close())
        self._end()

    def abort(self) -> None:
        self._stream.abort()
        self._end()

    def _end(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.answered(self._status, self._sent)
