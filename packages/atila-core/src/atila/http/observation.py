"""Exchanges with observers, which are called once a request has been answered.

The access log and the metrics of a site are made of it. A site with neither runs no line of this
module for a request.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from atila.http.exchange import (
    ClientGone,
    Exchange,
    Header,
    ResponseStream,
    TrailingStream,
    WebSocketTransport,
)

if TYPE_CHECKING:
    from atila import Was

log = logging.getLogger("atila.observed")


class Observer:
    """An observer of requests; each method may be called on any thread, and never blocks."""

    def opened(self, exchange: Observed) -> None:
        """A request has arrived."""

    def routed(self, exchange: Observed) -> None:
        """Its endpoint is known, and its context is there: `exchange.was`."""

    def failed(self, exchange: Observed, error: BaseException) -> None:
        """Its handler raised an unexpected error; its answer follows, unless that has begun."""

    def answered(self, exchange: Observed, status: int, size: int) -> None:
        """It has been answered, with so many bytes of body. A streamed answer: at its end."""

    def accepted(self, exchange: Observed, transport: WebSocketTransport) -> None:
        """It has become a WebSocket; `answered`, with 101, follows at once."""

    def over(self, exchange: Observed) -> None:
        """Nothing will come of it any more. Once for each; also if it never was answered."""


Opener = Callable[[Exchange], "Was"]
Kind = TypeVar("Kind", bound=Exchange)


def instrument(opened: Opener) -> Opener:
    """`Site.open` for a site whose exchanges are observed.

    Args:
        opened: the `open` of one whose exchanges are not.
    """

    def open_observed(exchange: Any) -> Was:
        exchange.arrive()
        exchange.was = was = opened(exchange)
        for observer in exchange.observers:
            observer.routed(exchange)
        return was

    return open_observed


def observed(kind: type[Kind], observers: tuple[Observer, ...]) -> type[Kind]:
    """The class of an engine's exchanges, for a site whose exchanges are observed.

    Args:
        kind: the class for a site without observers.
        observers: called for each exchange.
    """
    members = {"observers": observers}
    return type(f"Observed{kind.__name__}", (Observed, kind), members)


class Observed(Exchange):
    """Mixed into an engine's exchange class, to call observers.

    Attributes:
        observers: are called.
        was: the context that was opened for it; None when it has been answered.
        arrived: seconds since the epoch.
        took: seconds from the head of the request to the answer.
        span: of its trace, if there is one.
        error: the unexpected error of its handler.
    """

    observers: ClassVar[tuple[Observer, ...]]
    was: Was | None
    arrived: float
    took: float
    span: Any = None
    error: BaseException | None = None
    _begun: float
    _is_over: bool

    def arrive(self) -> None:
        """The head of the request is there."""
        self.was = None
        self.arrived, self._begun = time.time(), time.perf_counter()
        self.took = 0.0
        self._is_over = False
        for observer in self.observers:
            observer.opened(self)

    def failed(self, error: BaseException) -> None:
        """Its handler raised an unexpected error."""
        self.error = error
        for observer in self.observers:
            observer.failed(self, error)

    def answered(self, status: int, size: int) -> None:
        """It was answered, with so many bytes of body."""
        self.took = time.perf_counter() - self._begun
        if self.method == "HEAD":
            size = 0
        try:
            for observer in self.observers:
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
            for observer in self.observers:
                observer.over(self)

    def __del__(self) -> None:
        # Engines drop what a client sent of a request and left; some of it before it arrived whole.
        if hasattr(self, "_is_over"):
            self._end()

    def respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        super().respond(status, headers, body)
        self.answered(status, len(body))

    # Not the engine's, which would pass by `respond`.
    respond_text = Exchange.respond_text

    def respond_file(
        self, status: int, headers: Sequence[Header], path: str, offset: int, size: int
    ) -> None:
        super().respond_file(status, headers, path, offset, size)
        self.answered(status, size)

    async def respond_stream(self, status: int, headers: Sequence[Header]) -> _ObservedStream:
        return _ObservedStream(await super().respond_stream(status, headers), self, status)

    async def respond_trailing(self, status: int, headers: Sequence[Header]) -> _ObservedStream:
        return _ObservedStream(await super().respond_trailing(status, headers), self, status)

    async def accept(
        self, headers: Sequence[Header] = (), protocol: str | None = None
    ) -> WebSocketTransport:
        transport = await super().accept(headers, protocol)
        for observer in self.observers:
            observer.accepted(self, transport)
        # At the handshake: a WebSocket may go on for days.
        self.answered(101, 0)
        return transport


class _ObservedStream:
    """A streamed answer; its observers are called at its end, with the number of sent bytes."""

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
