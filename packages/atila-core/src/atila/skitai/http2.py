"""HTTP/2 requests: many at a time on a connection, framed by Skitai and h2."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, BinaryIO

from h2.errors import ErrorCodes
from h2.events import StreamReset
from h2.exceptions import ProtocolError
from skitai.handlers.http2.vchannel import fake_channel
from skitai.handlers.http2_handler import http2_producer

from atila.errors import HTTPError
from atila.http.exchange import Header
from atila.http.methods import SAFE
from atila.skitai.base import SkitaiExchange, Worker, split_headers
from atila.skitai.framing import too_large
from atila.skitai.heads import SERVER, http_date, is_bodiless
from atila.skitai.writer import BytesSource, FileSource, Outlet

log = logging.getLogger("atila.engines.skitai")

MIN_WINDOW = 65535
WINDOW = 1048576
"""As Skitai: below the first, a flow control window is opened by the second."""
RESETS = 200
"""Requests that a client may cancel on one connection at once: twice as many as may be open."""
RESETS_PER_SECOND = 50.0
"""How fast it gets these back."""
_CONNECTION_HEADERS = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)


class Http2Exchange(SkitaiExchange):
    """An HTTP/2 request.

    Relied on, of Skitai's request: `stream_id`; `protocol` (the connection's handler, None once it
    has forgotten the request); `collector.stream_has_been_reset()`, called when it forgets the
    request; `channel`, which gets the body; `response.maybe_log`, called with the size of the
    body when the answer is out. Of the handler: `handle_response`, `reset_stream`, `flush`,
    `producer_class`, `_adjust_flow_control_window`, `conn` (h2), `request` (its first).
    """

    __slots__ = (
        "_bridge",
        "_ended",
        "_expected",
        "_outlet",
        "_protocol",
        "_sized",
        "_stream_id",
        "_unwanted",
    )

    def __init__(self, worker: Worker, request: Any, path: str, query: str) -> None:
        super().__init__(worker, request, path, query)
        # Skitai invents a length of -1 where the client gave none.
        self._headers = [
            (name, value)
            for name, value in split_headers(request.header)
            if name != "content-length" or value != "-1"
        ]
        self._protocol: Any = request.protocol
        self._stream_id: int = request.stream_id
        self._bridge = Bridge.of(request.protocol)
        self._outlet: Outlet | FileSource | BytesSource | None = None
        length = self.header("content-length")
        self._sized = length is not None
        self._expected = int(length) if length is not None else 0
        self._ended = False
        self._unwanted = False

    @property
    def scheme(self) -> str:
        """See `Exchange`."""
        return self._worker.scheme

    @property
    def version(self) -> str:
        """See `Exchange`."""
        # Skitai calls the first request of an upgraded connection 1.1, as it came.
        return "3.0" if self._request.version == "3.0" else "2.0"

    def has_body(self) -> bool:
        """See `Exchange`."""
        return self._expected > 0 or (not self._sized and self.method not in SAFE)

    # From the head to the end of the body.

    def begin(self) -> None:
        """Take the request over from Skitai."""
        self._request.collector = self
        self._request.channel = BodyChannel(self, self._request.channel)
        self._bridge.exchanges[self._stream_id] = self
        self._worker.active.add(self)
        self._was = was = self._worker.site.open(self)
        if was.refusal is not None and self.has_body():
            self._decline()
            self._run()
        elif was.endpoint.streams_body:
            self._stream_body()
            self._run()
        elif self._expected and self._expected > self._open_sink().limit:
            self._break_off(too_large(self._open_sink().limit))

    def take_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self._ended or self._unwanted:
            return
        try:
            self._take(data)
        except HTTPError as fault:
            self._break_off(fault)
            return
        if self._sized and self._received >= self._expected:
            self.end_body()

    def end_body(self) -> None:
        """The end of the body."""
        if not self._ended:
            self._ended = True
            if not self._unwanted:
                self._complete()

    @property
    def body_ended(self) -> bool:
        """Whether the whole body came."""
        return self._ended

    def _break_off(self, fault: HTTPError) -> None:
        self._decline()
        self._refuse(fault)

    def _decline(self) -> None:
        """Take no more of the body."""
        self._unwanted = True
        self._bridge.held.add(self._stream_id)

    def _pause(self, stop: bool) -> None:
        if stop:
            self._bridge.held.add(self._stream_id)
        else:
            self._bridge.held.discard(self._stream_id)
            self._bridge.open_window(self._stream_id)
            self._flush()

    # What Skitai's handler of the connection tells.

    def stream_has_been_reset(self) -> None:
        """The request is forgotten: after its answer, or because the client cancelled it."""
        if self._bridge.exchanges.pop(self._stream_id, None) is None:
            return
        self._bridge.held.discard(self._stream_id)
        if isinstance(self._outlet, FileSource):
            self._outlet.close()
        self._leave(self._outlet if isinstance(self._outlet, Outlet) else None)

    def _logged(self, size: int) -> None:
        """The answer is out (http2_producer.log)."""
        self._bridge.exchanges.pop(self._stream_id, None)
        self._bridge.held.discard(self._stream_id)
        self._worker.active.discard(self)
        self._worker.log(self._request, self._request.response.reply_code, size)

    def drop(self) -> None:
        """See `SkitaiExchange`."""
        self._abort()

    # The answer; from any thread.

    async def respond_stream(self, status: int, headers: Sequence[Header]) -> Http2Stream:
        """See `Exchange`."""
        worker = self._worker
        outlet = Outlet(worker.loop, worker.pump.call, self._flush, _nothing)
        outlet.gone = self._gone
        # Skitai looks whether there are any when it has sent the last of the body.
        trailers: list[tuple[bytes, bytes]] = []
        worker.pump.call(self._answer, status, headers, outlet, None, trailers)
        silent = self.method == "HEAD" or is_bodiless(status)
        return Http2Stream(self, outlet, trailers, silent)

    @property
    def can_trail(self) -> bool:
        """See `Exchange`."""
        return True

    async def respond_trailing(self, status: int, headers: Sequence[Header]) -> Http2Stream:
        """See `Exchange`."""
        return await self.respond_stream(status, headers)

    # The answer; on the main thread.

    def _respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        size = None if self.method == "HEAD" or is_bodiless(status) else len(body)
        self._answer(status, headers, BytesSource(b"", body, _nothing), size)

    def _respond_file(
        self, status: int, headers: Sequence[Header], file: BinaryIO, size: int
    ) -> None:
        if self.method == "HEAD" or is_bodiless(status):
            size = 0
        cut = self._abort_later
        if not self._answer(status, headers, FileSource(b"", file, size, _nothing, cut), None):
            file.close()

    def _answer(
        self,
        status: int,
        headers: Sequence[Header],
        source: BytesSource | FileSource | Outlet,
        size: int | None,
        trailers: list[tuple[bytes, bytes]] | None = None,
    ) -> bool:
        """Send the head, and then the data of the source; False if the client has left."""
        if self._request.protocol is None:
            if isinstance(source, Outlet):
                self._worker.loop.call(source.fail)
            return False
        self._outlet = source
        response = self._request.response
        response.reply_code = status
        response.maybe_log = self._logged
        self._protocol.handle_response(
            self._stream_id,
            encode_head(status, headers, size),
            [] if trailers is None else trailers,
            source,
            False,
        )
        return True

    def _flush(self) -> None:
        if self._request.protocol is not None:
            self._protocol.flush()

    def abort(self) -> None:
        """Reset the stream so that the client sees it. From any thread."""
        self._worker.pump.call(self._abort)

    def _abort_later(self) -> None:
        # Sources are asked for more under a lock of the handler, which resetting takes again.
        self._worker.pump.call(self._abort)

    def _abort(self) -> None:
        if self._request.protocol is not None:
            self._protocol.reset_stream(self._stream_id, ErrorCodes.INTERNAL_ERROR)


class Http2Stream:
    """A streamed answer. On the task loop only."""

    def __init__(
        self,
        exchange: Http2Exchange,
        outlet: Outlet,
        trailers: list[tuple[bytes, bytes]],
        is_silent: bool,
    ) -> None:
        self._exchange = exchange
        self._outlet = outlet
        self._trailers = trailers
        self._is_silent = is_silent
        self._closed = False

    async def send(self, chunk: bytes) -> None:
        """See `ResponseStream`."""
        data = b"" if self._is_silent else chunk
        if data or self._outlet.gone:
            await self._outlet.send(data)

    async def close(self, trailers: Sequence[Header] = ()) -> None:
        """See `TrailingStream`."""
        if not self._closed:
            self._closed = True
            # Before the end is announced, so that it is seen with it.
            self._trailers.extend((name.encode(), value.encode()) for name, value in trailers)
            self._outlet.end(b"")

    def abort(self) -> None:
        """See `ResponseStream`."""
        if not self._closed:
            self._closed = True
            self._exchange.abort()


class Bridge:
    """Our state of one HTTP/2 connection; it is the tenant of its channel.

    Attributes:
        exchanges: the running requests, by stream.
        held: the streams whose senders have to wait.
    """

    def __init__(self, protocol: Any) -> None:
        self.exchanges: dict[int, Http2Exchange] = {}
        self.held: set[int] = set()
        self._protocol = protocol
        self._channel = channel = protocol.channel
        self._pinged_at = 0.0
        self._resets_left = float(RESETS)
        self._counted_at = time.monotonic()
        channel.tenant = self
        protocol.producer_class = Http2Producer
        self._handle_events = protocol._handle_events
        protocol._handle_events = self.handle_events
        self._open_windows = protocol._adjust_flow_control_window
        protocol._adjust_flow_control_window = self.open_window

    @classmethod
    def of(cls, protocol: Any) -> Bridge:
        """The one of a connection, made at its first request."""
        tenant = protocol.channel.tenant
        return tenant if isinstance(tenant, cls) else cls(protocol)

    def handle_events(self, events: list[Any]) -> None:
        """Handle h2's events of a frame (http2_connection_handler._handle_events).

        Streams may be reset by the client, or by h2 for a client's fault, which Skitai does not
        notice.
        """
        for event in events:
            if isinstance(event, StreamReset):
                if event.stream_id in self.exchanges and not self._may_reset():
                    self._calm()
                    return
                if not event.remote_reset:
                    self._protocol.remove_stream(event.stream_id)
        self._handle_events(events)

    def _may_reset(self) -> bool:
        """Count a request that was begun for nothing; whether the client may go on like that."""
        now = time.monotonic()
        regained = (now - self._counted_at) * RESETS_PER_SECOND
        self._counted_at = now
        self._resets_left = min(float(RESETS), self._resets_left + regained) - 1
        return self._resets_left >= 0

    def _calm(self) -> None:
        """End the connection of a client that opens streams only to reset them (CVE-2023-44487)."""
        log.warning("HTTP/2: %s resets its requests too often", self._channel.addr[0])
        conn = self._protocol.conn
        conn.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
        self._channel.push(conn.data_to_send())
        for stream_id in tuple(self.exchanges):
            self._protocol.remove_stream(stream_id)
        self._channel.close_gently()

    def open_window(self, stream_id: int) -> None:
        """Let the client send more, unless it has to wait on that stream."""
        if stream_id not in self.held:
            self._open_windows(stream_id)
            return
        conn = self._protocol.conn
        if conn.inbound_flow_control_window < MIN_WINDOW:
            conn.increment_flow_control_window(WINDOW)

    def ended(self) -> bool:
        """The client sends no more: with HTTP/2, it has left."""
        return False

    def timed_out(self) -> None:
        """Nothing moved for long: fine while handlers work and the client is there."""
        channel = self._channel
        if not self.exchanges or channel.is_stuck() or self._pinged_at > channel.heard:
            channel.close()
            return
        channel.moved = time.monotonic()
        self._pinged_at = time.monotonic()
        self._protocol.conn.ping(b"\0" * 8)
        self._protocol.flush()

    def lost(self) -> None:
        """The connection is closed."""
        for exchange in tuple(self.exchanges.values()):
            exchange.stream_has_been_reset()


class BodyChannel(fake_channel):  # type: ignore[misc]
    """The connection of one request, for Skitai; hands over the body.

    Skitai has one for POST, PUT and PATCH only, and breaks on a body of any other method.
    """

    def __init__(self, exchange: Http2Exchange, channel: Any) -> None:
        real = getattr(channel, "_channel", channel)
        super().__init__(exchange._stream_id, real)
        self._exchange = exchange

    def set_data(self, data: bytes, size: int) -> None:
        """A DATA frame came."""
        self._exchange.take_body(data)

    def handle_read(self) -> None:
        """Called before the end; everything has been handed over already."""

    def found_terminator(self) -> None:
        """The stream has ended on the client's side."""
        self._exchange.end_body()

    def set_terminator(self, terminator: Any) -> None:
        """Ignored: HTTP/2 marks the end of the body."""


class Http2Producer(http2_producer):  # type: ignore[misc]
    """Sends one answer; in Skitai's, a stalled or resetting client can end the whole worker."""

    def produce(self) -> int:
        """Send some; whether anything was done."""
        if self.is_stream_ended():
            # Zero would have Skitai rotate a list that it has just emptied.
            return 1
        try:
            done: int = super().produce()
        except ProtocolError:
            self.set_stream_ended()  # Closed by the client meanwhile.
            return 1
        return done

    def local_flow_control_window(self) -> int:
        """Bytes that the client takes now. A client that takes none is waited for."""
        with self.lock:
            window: int = self.conn.local_flow_control_window(self.stream_id)
        return window

    def log(self) -> None:
        """The answer is out. If the request is not, stop the client from sending the rest."""
        exchange = getattr(self._log_hook, "__self__", None)
        if isinstance(exchange, Http2Exchange) and not exchange.body_ended:
            with self.lock:
                try:
                    self.conn.reset_stream(self.stream_id, ErrorCodes.NO_ERROR)
                except ProtocolError:
                    pass  # It did so itself.
        super().log()


def encode_head(
    status: int, headers: Sequence[Header], size: int | None
) -> list[tuple[bytes, bytes]]:
    """Status and headers for h2; with a Content-Length of `size` if there is none."""
    head = [(b":status", b"%d" % status), (b"server", SERVER.encode()), (b"date", http_date())]
    for name, value in headers:
        name = name.lower()
        if name in _CONNECTION_HEADERS or name in ("date", "server"):
            continue
        if name == "content-length":
            size = None
        head.append((name.encode(), value.encode()))
    if size is not None:
        head.append((b"content-length", b"%d" % size))
    return head


def _nothing() -> None:
    """For sources whose end Skitai's handler finds by itself."""
