"""`Exchange`: one request as the engine received it, and the methods that answer it.

Everything above this line of the framework is engine-free. An engine subclasses `Exchange`, makes
one for each request and gives it to `Site`; docs/architecture.md draws the way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from atila.http.close_codes import NORMAL
from atila.http.prefixes import quoted

if TYPE_CHECKING:
    import asyncio

    from atila.http.bodies import Body

Header = tuple[str, str]
Headers = list[Header]
Address = tuple[str, int]

_DIGITS = 18
"""Of a Content-Length: more of them are beyond every limit, and so are the first ones."""


class ClientGone(ConnectionError):
    """The client went away while its answer was still being sent."""


class ResponseStream(Protocol):
    """An answer whose head has been sent and whose body follows. Used on the task loop only."""

    async def send(self, chunk: bytes) -> None:
        """Send a piece of the body; return when the engine can take more.

        Raises:
            ClientGone: nobody reads any more; the sender should stop.
        """

    async def close(self) -> None:
        """End the body regularly."""

    def abort(self) -> None:
        """End the connection so that the client sees the body is incomplete."""


class TrailingStream(Protocol):
    """An answer that ends with trailers (RFC 9110, section 6.5). Used on the task loop only."""

    async def send(self, chunk: bytes) -> None:
        """See `ResponseStream`."""

    async def close(self, trailers: Sequence[Header] = ()) -> None:
        """End the body regularly, with these fields after it."""

    def abort(self) -> None:
        """See `ResponseStream`."""


class WebSocketTransport(Protocol):
    """An accepted WebSocket (RFC 6455). Used on the task loop only."""

    close_code: int | None
    """The code of the closing handshake; 1006 if there was none, None while it is open."""

    async def receive(self) -> str | bytes | None:
        """The next message; None once the connection is closed, and ever after."""

    def send(self, message: str | bytes) -> Awaitable[None]:
        """Send one message.

        Returns:
            An awaitable that ends when the next one may be sent; it must be awaited, but for
            `atila.runtime.awaitables.DONE`.

        Raises:
            ClientGone: the connection is closed; from this call or from the awaitable.
        """

    async def flushed(self) -> None:
        """Return when the operating system has all sent messages.

        Raises:
            ClientGone: the connection is closed.
        """

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Start the closing handshake. Closing twice does nothing."""


def length_of(content_length: str | None) -> int:
    """The number in a Content-Length; see `Exchange.content_length`."""
    if content_length is None:
        return 0
    return int(content_length[:_DIGITS]) if content_length.isdecimal() else -1


class Exchange:
    """One HTTP request or WebSocket handshake, and its answer.

    Exactly one of `respond`, `respond_file`, `respond_stream`, `respond_trailing` and `accept` is
    called, once.
    """

    connections_are_ours: ClassVar[bool] = False
    """Whether the engine has the connections in hand, and so can limit them."""

    __slots__ = ("body", "method", "path", "query")

    method: str
    """Upper case: "GET"; also for a WebSocket handshake over HTTP/2."""
    path: str
    """Below the prefix, percent-decoded; begins with a slash, or is "" for the prefix alone."""
    prefix: str = ""
    """The path under which a proxy or an outer application serves the site, percent-decoded: "" or
    "/shop"."""
    query: str
    """As sent, without the question mark; "" if there is none."""
    body: Body
    """The whole request body, put here by `Site.set_body` before `Site.start`; b"" until then. A
    long one is a `Spool`: `bytes(body)` reads it."""

    can_upgrade: bool = True
    """Whether the engine has WebSockets at all."""
    is_websocket: bool = False
    """Whether this is a WebSocket handshake (then `accept`, or `respond` to refuse it)."""
    hides_end: bool = False
    """Whether the server waits for answers when it stops, and does not say that it does."""
    accepts_headers: bool = True
    """Whether the answer to a WebSocket handshake can have headers of ours."""

    @property
    def can_trail(self) -> bool:
        """Whether this answer may end with trailers, see `respond_trailing`."""
        return False

    @property
    def scheme(self) -> str:
        """ "http" or "https" (also for a WebSocket)."""
        raise NotImplementedError

    @property
    def version(self) -> str:
        """HTTP version: "1.0", "1.1", "2.0" or "3.0"."""
        raise NotImplementedError

    @property
    def client(self) -> Address:
        """Address of the client: host and port; ("", 0) if there is none, as on a Unix socket."""
        raise NotImplementedError

    @property
    def peer(self) -> Address:
        """Address at the other end of the connection: the client's, or that of a trusted proxy."""
        return self.client

    @property
    def server(self) -> Address:
        """Address that the client connected to: host and port."""
        raise NotImplementedError

    @property
    def full_path(self) -> str:
        """The path that the client asked for: prefix and path."""
        return self.prefix + self.path

    @property
    def prefix_quoted(self) -> str:
        """The prefix as it stands in a URL."""
        return quoted(self.prefix) if self.prefix else ""

    @property
    def host(self) -> str | None:
        """The host that the client asked for, maybe with a port; None if it named none."""
        return self.header("host")

    def header(self, name: str) -> str | None:
        """A request header by its lower-case name; repeated ones are joined by ", "."""
        raise NotImplementedError

    def headers(self) -> Headers:
        """All request headers in the order sent, names in lower case, repetitions kept."""
        raise NotImplementedError

    @property
    def content_length(self) -> int:
        """Bytes of the body, as the request head has them (RFC 9110, section 8.6): 0 if it does not
        say, -1 if that is no number.
        """
        return length_of(self.header("content-length"))

    @property
    def content_type(self) -> str | None:
        """Content-Type of the body; an engine need not look for that of a request without one."""
        return self.header("content-type")

    def has_body(self) -> bool:
        """Whether the request head announces a body (RFC 9112, section 6)."""
        length = self.header("content-length")
        return (length is not None and length != "0") or self.header(
            "transfer-encoding"
        ) is not None

    async def read(self, size: int) -> bytes:
        """The next piece of a body that the route streams; b"" at its end. On the task loop only.

        At most `size` bytes, at least one. The engine stops reading from the client while nobody
        calls this.

        Raises:
            ClientGone: the client left before the body was complete.
        """
        raise NotImplementedError

    def respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """Answer, whole. From any thread; never waits for the client.

        The engine adds Content-Length if it is missing. For HEAD, 204 and 304 `body` is b"". The
        `headers` may be shared between requests: an engine never changes them.
        """
        raise NotImplementedError

    def respond_text(self, status: int, headers: Sequence[Header], text: str) -> None:
        """The same with a text, in UTF-8. For engines that take one as it is.

        Raises:
            UnicodeEncodeError: it has a lone surrogate; nothing has been answered.
        """
        self.respond(status, headers, text.encode())

    def respond_file(
        self, status: int, headers: Sequence[Header], path: str, offset: int, size: int
    ) -> None:
        """Answer with `size` bytes of a file, from `offset`. From any thread.

        `headers` hold Content-Length already.
        """
        raise NotImplementedError

    def set_reason(self, status: int, reason: str) -> None:
        """Have an answer of this status sent with a reason phrase, before it is begun. Does nothing
        where the protocol has no place for one.

        Args:
            status: the code that it belongs to; other answers have the usual phrase.
            reason: printable ASCII.
        """

    async def respond_stream(self, status: int, headers: Sequence[Header]) -> ResponseStream:
        """Send the head of an answer whose body follows in pieces. On the task loop only."""
        raise NotImplementedError

    async def respond_trailing(self, status: int, headers: Sequence[Header]) -> TrailingStream:
        """Like `respond_stream`, for an answer that ends with trailers. Only where `can_trail`."""
        raise NotImplementedError

    async def accept(
        self, headers: Sequence[Header] = (), protocol: str | None = None
    ) -> WebSocketTransport:
        """Complete the WebSocket handshake. On the task loop only. Handlers call `was.accept`.

        Args:
            headers: of the answer; only where `accepts_headers`.
            protocol: the subprotocol that was chosen of those that the client offers (RFC 6455,
                section 4.2.2); None for none.

        Raises:
            ClientGone: the client left before that.
            HTTPError: 501, the server cannot send the protocol; nothing has been answered.
        """
        raise NotImplementedError

    def departure(self) -> asyncio.Future[None]:
        """A future that ends when the client has left; never, where an engine cannot know. To be
        cancelled when that does not matter any more. On the task loop.
        """
        raise NotImplementedError


class Input:
    """The next piece of a streamed body, for coroutines to yield: `yield was.Input(4096)`.

    Args:
        exchange: the request.
        size: bytes that the piece has at most.
    """

    __slots__ = ("_exchange", "_size")

    def __init__(self, exchange: Exchange, size: int = 65536) -> None:
        self._exchange = exchange
        self._size = size

    def __await__(self) -> Generator[Any, None, bytes]:
        return self._exchange.read(self._size).__await__()
