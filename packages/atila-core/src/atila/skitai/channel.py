"""Connections: Skitai's channels, hardened against peers that break rules.

Skitai's own channel closes the connection without an answer on a malformed head, buffers a head of
any size, closes when a send would block (rs4.asyncore compares the error number with a tuple),
never counts a TLS connection as active, and shakes hands for TLS while everybody else waits. Ours
is a subclass which the server makes instead: `handle_accept` is replaced on the one server object
of the worker. For well-formed requests to other apps nothing changes.
"""

from __future__ import annotations

import errno
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, ClassVar

from rs4 import asyncore
from skitai import lifetime
from skitai.backbone.http_server import http_channel, http_server
from skitai.backbone.https_server import https_channel

from atila.http.fields import decoded
from atila.skitai.connection_limit import ConnectionLimit
from atila.skitai.framing import FIELD_LINE
from atila.skitai.heads import plain_response
from atila.skitai.poller import Poller
from atila.skitai.writer import Outlet

log = logging.getLogger("atila.engines.skitai")

MAX_HEAD = 65536
"""Bytes of a request's head; a longer one is answered 431."""
MAX_UNSENT_PIECES = 1000
"""Pieces that may wait for a client to take them; while there are more, nothing is read from it."""
REST_SECONDS = 0.5
"""How long no connections are taken when the process has no descriptors left for them."""
LINGER_SECONDS = 2.0
LINGER_BYTES = 1048576
"""How long, and how much, is read after a last answer so that the client gets to see it."""

# Skitai takes methods in lower case, joins folded lines, and strips control characters; a proxy
# before us may see another request than that (RFC 9110, sections 5.5 and 9.1; RFC 9112, 5.2).
_HEAD = re.compile(
    rb"(?:\r\n)*[!#$%&'*+\-.^_`|~0-9A-Z]+ [^\x00-\x20\x7f]+ HTTP/(\d)\.(\d)"
    rb"((?:\r\n" + FIELD_LINE + rb")*)"
)
_H2C = re.compile(rb"\nupgrade:[^\r]*\bh2c\b")
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def check_head(head: bytes) -> int:
    """The status to refuse a request's head with; 0 if Skitai can parse it."""
    match = _HEAD.fullmatch(head)
    if match is None:
        # Empty lines alone are Skitai's to ignore.
        return 400 if head.strip(b"\r\n") else 0
    version = match[1] + match[2]
    if version not in (b"11", b"10") and head != b"PRI * HTTP/2.0":
        return 505
    try:
        head.decode()
    except UnicodeDecodeError:
        return 400
    names = match[3].lower()
    if names.count(b"\nhost:") != 1 and (version == b"11" or b"\nhost:" in names):
        return 400
    # To a proxy it is one request, after which the connection is of HTTP/1.1 as before; RFC 9113
    # has dropped the upgrade (section 3.1).
    if b"h2c" in names and _H2C.search(names):
        return 400
    # Skitai wants the second of its own two tracing headers where it sees the first.
    return 400 if b"\nx-gtxn-id:" in names and b"\nx-ltxn-id:" not in names else 0


def _in_utf_8(head: bytes) -> bytes:
    """A head whose header lines are all UTF-8, as Skitai decodes them; those that are not are read
    as Latin-1. The target of a request must be what it is."""
    first, *lines = head.split(b"\r\n")
    return b"\r\n".join([first, *(decoded(line).encode() for line in lines)])


def decode_http2_headers() -> None:
    """Have headers of HTTP/2 read as those of HTTP/1; Skitai loses the connection over one that is
    no UTF-8 (http2_connection_handler.handle_request)."""
    from skitai.handlers.http2_handler import http2_connection_handler

    handle = http2_connection_handler.handle_request

    def handle_request(self: Any, stream_id: int, headers: Any, *args: Any, **options: Any) -> Any:
        # The target of a request must be what it is.
        pairs = [
            (name, value if value.isascii() or name[:1] == b":" else decoded(value).encode())
            for name, value in headers
        ]
        return handle(self, stream_id, pairs, *args, **options)

    http2_connection_handler.handle_request = handle_request


class Mended:
    """The additions of our channels to Skitai's. Main thread only.

    Attributes:
        poller: of this process, see `atila.skitai.poller`; None if Skitai's own polls.
        heard: the time of the last bytes from the client (time.monotonic).
        moved: the time of the last bytes in either direction, or when waiting began anew.
        on_close: called when the connection is closed, if it is not None.
        tenant: an object whose `timed_out()`, `ended()` (True if it deals with that) and `lost()`
            are called at timeouts, at the client's end of sending, and at the close.
    """

    poller: ClassVar[Poller | None] = None
    heard = 0.0
    moved = 0.0
    tenant: Any = None
    on_close: Callable[[], object] | None = None
    _paused = False
    _lingering = 0

    # Of Skitai's channel, for the type checker.
    socket: Any
    server: Any
    current_request: Any
    in_buffer: bytes
    is_rejected: bool
    connected: bool
    closed: bool
    producer_fifo: Any
    bytes_in: Any
    bytes_out: Any
    _http_channel__is_flushable: bool
    ac_in_buffer: bytes

    @property
    def event_time(self) -> float:
        """`moved` as a time of the day, which rs4 compares with the present one: nothing has timed
        out because the clock was put forward.
        """
        return time.time() - (time.monotonic() - self.moved)

    @event_time.setter
    def event_time(self, now: float) -> None:
        self.moved = time.monotonic()

    @property
    def paused(self) -> bool:
        """Whether nothing is read from the client for now."""
        return self._paused

    @paused.setter
    def paused(self, value: bool) -> None:
        self._paused = value
        self._stir()

    # What the poll has to know.

    def add_channel(self, map: dict[int, Any] | None = None) -> None:
        """Enter the socket map."""
        super().add_channel(map)  # type: ignore[misc]
        if self.poller is not None:
            self.poller.add(self)

    def del_channel(self, map: dict[int, Any] | None = None) -> None:
        """Leave the socket map."""
        if self.poller is not None:
            self.poller.remove(self)
        super().del_channel(map)  # type: ignore[misc]

    def _stir(self) -> None:
        if self.poller is not None:
            self.poller.stir(self)

    def is_at_rest(self) -> bool:
        """Whether it waits for the client alone, or for an outlet, which begins by `handle_write`.

        Relies on `await_fifo.l`, the sources; and on `http_channel.__is_flushable`, set where
        HTTP/2 has sources of its own.
        """
        if self._http_channel__is_flushable or self.producer_fifo.has_None:
            return False
        return all(
            isinstance(source, Outlet) and not source.ready() for source in self.producer_fifo.l
        )

    def push(self, data: bytes) -> None:
        """Send some bytes."""
        super().push(data)  # type: ignore[misc]
        self._stir()

    def push_with_producer(self, source: Any) -> None:
        """Send the data of a producer."""
        super().push_with_producer(source)  # type: ignore[misc]
        self._stir()

    def handle_write(self) -> None:
        """Send on."""
        super().handle_write()  # type: ignore[misc]
        self._stir()

    def close_when_done(self) -> None:
        """Close when all is sent."""
        super().close_when_done()  # type: ignore[misc]
        self._stir()

    def reject(self) -> None:
        """Read no more."""
        super().reject()  # type: ignore[misc]
        self._stir()

    # Called by the poll (rs4.asyncore.poll and its kin, or ours).

    def readable(self) -> bool:
        """Whether to wait for bytes from the client."""
        if self.paused or self.is_rejected:
            return False
        # Each frame of HTTP/2 that is answered leaves a piece here, if nobody takes it.
        return len(self.producer_fifo.l) < MAX_UNSENT_PIECES

    def writable(self) -> bool:
        """Whether to wait for room; an error in here would end the worker, not the connection."""
        try:
            return bool(super().writable())  # type: ignore[misc]
        except Exception:
            # Not closed here: the poll is iterating over the socket map.
            self.server.trace("channel")
            self.producer_fifo.clear()
            self.producer_fifo.append(None)
            self.current_request = None
            return True

    def recv(self, size: int) -> bytes:
        """Read; b"" on its end, which is not always the end of the connection."""
        self.moved = time.monotonic()
        try:
            data: bytes = self.socket.recv(size)
        except _WOULD_BLOCK:
            # What rs4.asynchat.async_chat.handle_read takes for "nothing there".
            raise BlockingIOError from None
        except OSError:
            self.handle_close()  # type: ignore[attr-defined]
            return b""
        if not data:
            if self.tenant is None or not self.tenant.ended():
                self.handle_close()  # type: ignore[attr-defined]
            return b""
        self.heard = time.monotonic()
        self.server.bytes_in.inc(len(data))
        self.bytes_in.inc(len(data))
        return data

    def send(self, data: bytes) -> int:
        """Write as much as the socket takes; gives the number of bytes."""
        self.moved = time.monotonic()
        try:
            sent: int = self.socket.send(data)
        except _WOULD_BLOCK:
            return 0
        except OSError:
            self.handle_close()  # type: ignore[attr-defined]
            return 0
        self.server.bytes_out.inc(sent)
        self.bytes_out.inc(sent)
        return sent

    def collect_incoming_data(self, data: bytes) -> None:
        """Take bytes of a head or of its body (rs4.asynchat.async_chat.find_terminator)."""
        if self._lingering:
            self._lingering -= len(data)
            if self._lingering <= 0:
                self.close()
        elif self.current_request is None and len(self.in_buffer) + len(data) > MAX_HEAD:
            self.refuse(431, "the head of the request is too large")
        else:
            super().collect_incoming_data(data)  # type: ignore[misc]

    def found_terminator(self) -> None:
        """A head is complete."""
        if self._lingering or self.is_rejected:
            return
        if self.current_request is not None:
            super().found_terminator()  # type: ignore[misc]
            return
        if not self.in_buffer.isascii():
            self.in_buffer = _in_utf_8(self.in_buffer)
        if status := check_head(self.in_buffer):
            self.refuse(status, "malformed request")
            return
        try:
            super().found_terminator()  # type: ignore[misc]
        except Exception:
            self.server.trace("channel")
            self.refuse(400, "malformed request")

    def handle_timeout(self) -> None:
        """Nothing moved for `zombie_timeout` seconds (rs4...lifetime.maintern_zombie_channel)."""
        if self.tenant is not None:
            self.tenant.timed_out()
        elif self.current_request is None and self.in_buffer:
            self.refuse(408, "the request did not come to its end")
        else:
            super().handle_timeout()  # type: ignore[misc]

    def close(self, ignore_die_partner: bool = False) -> None:
        """Close the connection, and call the tenant's `lost()`."""
        if self.closed:
            return
        tenant, self.tenant = self.tenant, None
        super().close(ignore_die_partner)  # type: ignore[misc]
        if self.on_close is not None:
            self.on_close()
        if tenant is not None:
            tenant.lost()

    # Ours.

    def is_flushed(self) -> bool:
        """Whether the kernel has all that was pushed."""
        return not self.producer_fifo.working()

    def is_stuck(self) -> bool:
        """Whether there is something to send; on a timeout, because the client takes nothing."""
        return len(self.producer_fifo) > 0

    def refuse(self, status: int, detail: str) -> None:
        """Answer a request that no application can be asked about, and close."""
        self.in_buffer = b""
        self.push(plain_response(status, detail))
        self.close_gently()

    def close_gently(self) -> None:
        """Close after sending all pushed data; read on for a while so that the client can read it.

        A socket closed with unread bytes in it resets the connection, which may destroy an answer
        that the client has not read yet.
        """
        if self.closed:
            return
        if not self.is_flushed():
            self.close_when_done()
            return
        self.tenant = self.current_request = None
        self._lingering = LINGER_BYTES
        self.paused = False
        self.set_terminator(None)  # type: ignore[attr-defined]
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
        else:
            lifetime.tick_timer.later(LINGER_SECONDS, self.close)


class PlainChannel(Mended, http_channel):  # type: ignore[misc]
    """An unencrypted connection."""


class SecureChannel(Mended, https_channel):  # type: ignore[misc]
    """A TLS connection. The handshake happens with the first reads, without holding others up."""


class Acceptor:
    """Takes the connections of one server; replaces its `handle_accept`.

    Args:
        server: the server object. Relied on: `accepting`, by which the poll knows whether it waits
            for connections (http_server.readable).
        later: later(seconds, func) has func() called on the main thread after a while.
        limit: of the connections of one address, if there is one.
    """

    def __init__(
        self,
        server: Any,
        later: Callable[[float, Callable[[], object]], object],
        limit: ConnectionLimit | None = None,
    ) -> None:
        self._limit = limit
        self._server = server
        self._later = later
        self._context: ssl.SSLContext | None = getattr(server, "ctx", None)

    def __call__(self) -> None:
        """Accept one connection (http_server.handle_accept)."""
        server = self._server
        server.total_clients.inc()
        try:
            # Not SSLSocket.accept, which would wait for the handshake.
            connection, address = socket.socket.accept(server.socket)
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._rest(error)
            return  # Else it left already, or another worker took it.
        connection.setblocking(False)
        limit, host = self._limit, address[0] if isinstance(address, tuple) else ""
        if limit is not None and not limit.enter(host):
            limit.refuse(connection)
            return
        channel: Mended | None = None
        try:
            if server.socket.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                channel = PlainChannel(server, connection, address)
            else:
                secured = self._context.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
                channel = SecureChannel(server, secured, address)
        except OSError:
            connection.close()
        if limit is not None and (channel is None or channel.closed):
            limit.leave(host)
        elif limit is not None and channel is not None:
            channel.on_close = lambda: limit.leave(host)

    def _rest(self, error: OSError) -> None:
        """Wait until there may be descriptors again; the poll would return at once, for ever."""
        log.error("no connections are taken for %g s: %s", REST_SECONDS, error.strerror)
        self._server.accepting = False
        self._later(REST_SECONDS, self._resume)

    def _resume(self) -> None:
        if self._server.socket is not None:
            self._server.accepting = True


def find_server() -> Any:
    """The server object of this process; None if there is none yet.

    Relies on `rs4.asyncore.socket_map`, which holds it from its creation on.
    """
    for dispatcher in asyncore.socket_map.values():
        if isinstance(dispatcher, http_server):
            return dispatcher
    return None
