"""HTTP/1.x requests: one at a time on a connection."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from atila.errors import HTTPError
from atila.http.exchange import ClientGone, Header, ResponseStream, WebSocketTransport
from atila.skitai.base import SkitaiExchange, Worker, split_headers
from atila.skitai.deflate import agree
from atila.skitai.framing import BodyReader, body_reader, lowered, too_large
from atila.skitai.heads import Head, is_bodiless
from atila.skitai.websocket import WebSocket, handshake_fault, handshake_head
from atila.skitai.writer import PIECE, BytesSource, FileSource, Outlet

if TYPE_CHECKING:
    from atila.skitai.channel import Mended

MAX_AHEAD = 65536
"""Bytes of following requests that are read from a client that does not wait for the answer."""
MAX_DISCARD = 262144
"""Bytes of an unread body that are read and dropped in order to keep the connection."""


class Http1Exchange(SkitaiExchange):
    """An HTTP/1.0 or 1.1 request. It stands in for Skitai's request in the channel.

    Relied on, of `http_channel`: `current_request` (which gets the bytes after the head through
    `collect_incoming_data`, and whose `collector` and `producer` are closed with the channel),
    `set_terminator(None)` (all bytes go there), `find_terminator(bytes)` (parse the next head),
    `push`, `push_with_producer`, `close`.
    """

    __slots__ = (
        "_ahead",
        "_channel",
        "_close_after",
        "_continue",
        "_ending",
        "_phrase",
        "_reader",
        "_responding",
        "_size",
        "_socket",
        "_source",
        "_status",
        "channel",
        "is_websocket",
    )

    collector = None
    producer = None

    def __init__(self, worker: Worker, request: Any, path: str, query: str) -> None:
        super().__init__(worker, request, path, query)
        self._headers = split_headers(request.header)
        self._channel: Mended = request.channel
        self.channel: Any = request.channel
        self._ahead = b""
        self._close_after = False
        self._continue = False
        self._ending = False
        self._phrase: tuple[int, str] | None = None
        self._reader: BodyReader | None = None
        self._responding = False
        self._size = 0
        self._socket: WebSocket | None = None
        self._source: BytesSource | FileSource | Outlet | None = None
        self._status = 0
        self.is_websocket = False

    @property
    def scheme(self) -> str:
        """See `Exchange`."""
        return self._worker.scheme

    def has_body(self) -> bool:
        """See `Exchange`."""
        return self._reader is not None or self._received > 0

    # From the head to the end of the body.

    def begin(self) -> None:
        """Take the request over from Skitai."""
        channel = self._channel
        channel.current_request = self
        channel.tenant = self
        channel.set_terminator(None)  # type: ignore[attr-defined]
        self._worker.active.add(self)
        fault = self._examine()
        self._was = self._worker.site.open(self)
        endpoint = self._was.endpoint
        self._limit = endpoint.max_body
        if fault is not None:
            self._break_off(fault)
        elif self._reader is None or self._was.refusal is not None:
            self._run()
        elif endpoint.streams_body:
            self._stream_body()
            self._run()
        elif getattr(self._reader, "left", 0) > self._open_sink().limit:
            self._break_off(too_large(self._open_sink().limit))
        else:
            self._allow_body()

    def _examine(self) -> HTTPError | None:
        """Read the framing and the connection's options in the head; gives its fault, if any."""
        lengths, codings, connection, expect, upgrade = [], [], "", "", ""
        for name, value in self._headers:
            match name:
                case "content-length":
                    lengths.append(value)
                case "transfer-encoding":
                    codings.append(value)
                case "connection":
                    connection += "," + value
                case "expect":
                    expect = lowered(value)
                case "upgrade":
                    upgrade = lowered(value)
        tokens = {lowered(token) for token in connection.split(",")} if connection else set()
        is_old = self._request.version == "1.0"
        self._close_after = "close" in tokens or (is_old and "keep-alive" not in tokens)
        try:
            self._reader = body_reader(self._request.version, lengths, codings)
        except HTTPError as fault:
            return fault
        if expect and not is_old:
            if expect != "100-continue":
                return HTTPError(417, "only 100-continue can be expected")
            self._continue = self._reader is not None
        if upgrade == "websocket" and "upgrade" in tokens:
            self.is_websocket = True
            return handshake_fault(self.method, self.header)
        return None

    def _allow_body(self) -> None:
        if self._continue:
            self._continue = False
            self._channel.push(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def read(self, size: int) -> bytes:
        """See `Exchange`."""
        if self._continue:
            self._worker.pump.call(self._allow_body)
        return await super().read(size)

    def _pause(self, stop: bool) -> None:
        self._channel.paused = stop

    def collect_incoming_data(self, data: bytes) -> None:
        """Bytes after the head, from the channel."""
        if self._socket is not None:
            self._socket.feed(data)
        elif self._reader is None:
            self._keep_ahead(data)
        else:
            self._feed(self._reader, data)

    def _keep_ahead(self, data: bytes) -> None:
        # Skitai would drop the requests of a client that does not wait for answers.
        self._ahead += data
        if len(self._ahead) > MAX_AHEAD:
            self._channel.paused = True

    def _feed(self, reader: BodyReader, data: bytes) -> None:
        # A refusal is on its way, from another thread: nobody takes the body.
        is_refused = self._was is None and self._inbox is None
        try:
            piece, rest = reader.feed(data)
            if piece and not self._ending and not is_refused:
                self._take(piece)
        except HTTPError as fault:
            self._break_off(fault)
            return
        if self._ending:
            self._discard(len(data), rest)
        elif rest is not None:
            self._reader = None
            if rest:
                self._keep_ahead(rest)
            if not is_refused:
                self._complete()

    def _break_off(self, fault: HTTPError) -> None:
        """The body cannot or will not be read: answer, and close, as nothing after it counts."""
        self._close_after = True
        self._continue = False
        self._reader = None
        self._channel.paused = True
        if self._ending:
            self._channel.close_gently()
        elif self._was is not None:
            self._refuse(fault)
        elif self._inbox is not None:
            self._inbox.fail(fault)

    def _discard(self, size: int, rest: bytes | None) -> None:
        """Drop the unread rest of a body; the answer is out already."""
        self._received += size
        if rest is not None:
            self._reader = None
            self._ahead += rest
            self._next()
        elif self._received > MAX_DISCARD:
            self._channel.close_gently()

    def found_terminator(self) -> None:
        """For the channel; never called, as there is no terminator."""

    # What the channel tells (see channel.Mended.tenant).

    def ended(self) -> bool:
        """The client sends no more. A body cut short is answered; else it counts as having left."""
        if self._reader is None or self._was is None:
            return False
        self._break_off(HTTPError(400, "the body of the request was cut short"))
        return True

    def timed_out(self) -> None:
        """Nothing moved on the connection for long."""
        channel = self._channel
        if self._socket is not None:
            self._socket.timed_out()
        elif self._ending or channel.is_stuck():
            channel.close()
        elif self._reader is not None and not self._responding and not channel.paused:
            self._break_off(HTTPError(408, "the body of the request did not come"))
        else:
            # The handler takes its time. Skitai would answer 503 in its place.
            channel.moved = time.monotonic()

    def lost(self) -> None:
        """The connection is closed."""
        if isinstance(self._source, FileSource):
            self._source.close()
        if self._socket is not None:
            self._socket.lost()
        self._leave(self._source if isinstance(self._source, Outlet) else None)

    def go_away(self) -> None:
        """See `SkitaiExchange`."""
        if self._socket is not None:
            self._socket.go_away()

    def drop(self) -> None:
        """See `SkitaiExchange`."""
        self._channel.close()

    # The answer; from any thread.

    def set_reason(self, status: int, reason: str) -> None:
        """See `Exchange`."""
        self._phrase = status, f"HTTP/1.1 {status} {reason}\r\n"

    async def respond_stream(self, status: int, headers: Sequence[Header]) -> ResponseStream:
        """See `Exchange`."""
        worker = self._worker
        call = worker.pump.call
        outlet = Outlet(worker.loop, call, self._flush, lambda: call(self._sent))
        outlet.gone = self._gone
        head = Head(status, headers)
        if self.method == "HEAD" or is_bodiless(status):
            framing = SILENT
        elif head.has_length:
            framing = PLAIN
        elif self._request.version == "1.0":
            framing = PLAIN
            self._close_after = True
        else:
            framing = CHUNKED
            head.add("Transfer-Encoding: chunked")
        call(self._respond_stream, head, outlet)
        return Http1Stream(self, outlet, framing)

    async def accept(
        self, headers: Sequence[Header] = (), protocol: str | None = None
    ) -> WebSocketTransport:
        """See `Exchange`."""
        if self._gone:
            raise ClientGone("the client has left")
        deflate = None
        agreed = agree(self.header("sec-websocket-extensions"))
        if agreed is not None:
            deflate, answer = agreed
            headers = [*headers, ("Sec-WebSocket-Extensions", answer)]
        if protocol is not None:
            headers = [*headers, ("Sec-WebSocket-Protocol", protocol)]
        self._socket = websocket = WebSocket(
            self._worker, self._channel, self._limit, self._hang_up, deflate
        )
        head = handshake_head(self.header("sec-websocket-key") or "", headers)
        self._worker.pump.call(self._accept, head, websocket)
        return websocket

    # The answer; on the main thread.

    def _start(self, head: Head) -> Any:
        """Finish the head; the channel to send it on, None if it has gone."""
        channel = self._channel
        if channel.closed:
            return None
        self._responding = True
        self._status = head.status
        if self._phrase is not None and self._phrase[0] == head.status:
            head.lines[0] = self._phrase[1]
        reader = self._reader
        if reader is not None and (self._continue or getattr(reader, "left", 0) > MAX_DISCARD):
            self._close_after = True  # More of a body may come than is worth reading.
        if head.wants_close or self._worker.draining:
            self._close_after = True
        if self._close_after:
            head.add("Connection: close")
        elif self._request.version == "1.0":
            head.add("Connection: keep-alive")
        return channel

    def _respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        head = Head(status, headers)
        if not head.has_length and self.method != "HEAD" and not is_bodiless(status):
            head.add(f"Content-Length: {len(body)}")
        channel = self._start(head)
        if channel is None:
            return
        data = head.encode()
        self._size = len(data) + len(body)
        if len(body) <= PIECE:
            channel.push(data + body if body else data)
            if channel.is_flushed():
                self._sent()
                return
            data, body = b"", b""  # A source without content tells when it is all out.
        self._push(BytesSource(data, body, self._sent_later))

    def _respond_file(
        self, status: int, headers: Sequence[Header], file: BinaryIO, size: int
    ) -> None:
        head = Head(status, headers)
        channel = self._start(head)
        if channel is None:
            file.close()
            return
        if self.method == "HEAD" or is_bodiless(status):
            size = 0
        data = head.encode()
        self._size = len(data) + size
        cut = self._channel.close
        self._push(
            FileSource(data, file, size, self._sent_later, lambda: self._worker.pump.call(cut))
        )

    def _respond_stream(self, head: Head, outlet: Outlet) -> None:
        channel = self._start(head)
        if channel is None:
            self._worker.loop.call(outlet.fail)
            return
        channel.push(head.encode())
        self._push(outlet)

    def _push(self, source: BytesSource | FileSource | Outlet) -> None:
        self._source = source
        self._channel.push_with_producer(source)

    def _flush(self) -> None:
        if not self._channel.closed:
            self._channel.handle_write()

    def _accept(self, head: bytes, websocket: WebSocket) -> None:
        channel = self._channel
        if channel.closed:
            websocket.lost()
            return
        self._responding = True
        self._worker.log(self._request, 101, 0)
        channel.push(head)
        self._push(websocket.outlet)
        ahead, self._ahead = self._ahead, b""
        channel.paused = False
        if ahead:
            websocket.feed(ahead)

    def _hang_up(self) -> None:
        """The WebSocket is closed in order."""
        self._worker.active.discard(self)
        self._channel.close_gently()

    # After the answer; on the main thread.

    def _sent_later(self) -> None:
        # Sources are asked for more under a lock of the channel, which pushing takes again.
        self._worker.pump.call(self._sent)

    def _sent(self) -> None:
        """The answer is out."""
        channel = self._channel
        if channel.closed or self._ending:
            return
        self._ending = True
        self._source = None
        self._worker.active.discard(self)
        self._worker.log(self._request, self._status, self._size)
        if self._close_after:
            channel.close_gently()
        elif self._reader is None:
            self._next()
        else:
            self._received = 0
            channel.paused = False

    def _next(self) -> None:
        """Let the channel read the next request."""
        if self._ahead:
            # Not from here: the channel may be in the middle of handing over these very bytes.
            self._worker.pump.call(self._release)
        else:
            self._release()

    def _release(self) -> None:
        channel: Any = self._channel
        if channel.closed:
            return
        ahead, self._ahead = self._ahead, b""
        channel.tenant = channel.current_request = None
        channel.paused = False
        channel.set_terminator(b"\r\n\r\n")
        if ahead:
            channel.find_terminator(ahead)

    def abort(self) -> None:
        """Break the connection so that the client sees it. From any thread."""
        self._worker.pump.call(self._abort)

    def _abort(self) -> None:
        channel: Any = self._channel
        if channel.closed:
            return
        if self._request.version == "1.0":
            # Without chunks a plain close would look like the end: send a reset.
            linger = struct.pack("ii", 1, 0)
            channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        channel.close()


PLAIN, CHUNKED, SILENT = range(3)
"""How the pieces of a streamed body go out."""


class Http1Stream:
    """A streamed answer. On the task loop only."""

    def __init__(self, exchange: Http1Exchange, outlet: Outlet, framing: int) -> None:
        self._exchange = exchange
        self._outlet = outlet
        self._framing = framing
        self._closed = False

    async def send(self, chunk: bytes) -> None:
        """See `ResponseStream`."""
        if self._framing == CHUNKED:
            # An empty chunk would end the body.
            data = b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunk else b""
        else:
            data = b"" if self._framing == SILENT else chunk
        if data or self._outlet.gone:
            await self._outlet.send(data)

    async def close(self) -> None:
        """See `ResponseStream`."""
        if not self._closed:
            self._closed = True
            self._outlet.end(b"0\r\n\r\n" if self._framing == CHUNKED else b"")

    def abort(self) -> None:
        """See `ResponseStream`."""
        if not self._closed:
            self._closed = True
            self._exchange.abort()
