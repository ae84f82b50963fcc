"""The engine of the test clients: a request without a server, and its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from atila.errors import HTTPError, reason_phrase
from atila.http.exchange import Address, Exchange, Header, Headers, ResponseStream
from atila.testing.events import StreamEnd
from atila.testing.sockets import AppEnd, TestWebSocket
from atila.values import json as exact

if TYPE_CHECKING:
    from atila import Site

Pieces = Iterator[bytes] | AsyncIterator[bytes]
"""A body that is sent while it is made."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class TestResponse:
    """The answer of an app.

    Attributes:
        status_code: the status code.
        header_list: the headers in the order sent.
        content: the whole body.
        complete: whether the body ended regularly.
        trailers: the fields after the body, as gRPC has them.
        url: the URL of its request: path and query.
        history: the redirects that were followed before, in their order.
    """

    __test__ = False
    connections_are_ours = True  # There are none.

    def __init__(
        self,
        status_code: int,
        headers: Sequence[Header],
        content: bytes,
        complete: bool = True,
        trailers: Sequence[Header] = (),
    ) -> None:
        self.status_code = status_code
        self.header_list = list(headers)
        self.content = content
        self.complete = complete
        self.trailers = dict(trailers)
        self.url = ""
        self.history: list[TestResponse] = []

    @property
    def reason(self) -> str:
        """The standard reason of the code."""
        return reason_phrase(self.status_code)

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case name; repeated ones joined by ", "."""
        found: dict[str, str] = {}
        for name, value in self.header_list:
            found[name] = f"{found[name]}, {value}" if name in found else value
        return found

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.content.decode()

    @property
    def is_redirect(self) -> bool:
        """Whether it sends the client to another URL."""
        return self.status_code in _REDIRECTS and "location" in self.headers

    def json(self) -> Any:
        """The value of a JSON body."""
        return exact.loads(self.content)

    def __repr__(self) -> str:
        return f"<TestResponse {self.status_code} {self.reason}, {len(self.content)} bytes>"


class Answers(Protocol):
    """The place of an answer."""

    def put(self, item: TestResponse | AppEnd | StreamEnd, /) -> None:
        """Take it. From any thread."""


class TestExchange(Exchange):
    """A request of a test.

    Args:
        method: "GET".
        url: path and query.
        headers: names in lower case, and values.
        body: the body, whole; b"" for none.
        pieces: a body that is sent while it is made; None for none.
    """

    __test__ = False

    __slots__ = (
        "_gone",
        "_headers",
        "_pieces",
        "answers",
        "is_websocket",
        "make_socket",
        "make_stream",
    )

    def __init__(
        self, method: str, url: str, headers: Headers, body: bytes, pieces: Pieces | None
    ) -> None:
        parts = urlsplit(url)
        self.method = method
        self.path = unquote(parts.path) or "/"
        self.query = parts.query
        self.body = body
        self.is_websocket = False
        self._headers = headers
        self._pieces = pieces
        self._gone: asyncio.Event | None = None
        self.answers: Answers = SimpleQueue()
        """The answer, or the app's end of an accepted WebSocket."""
        self.make_socket: Callable[..., AppEnd] = TestWebSocket
        self.make_stream: Callable[[int, Sequence[Header]], StreamEnd] | None = None
        """Makes the app's end of an event stream; None for answers that are taken as a whole."""

    @property
    def scheme(self) -> str:
        return "http"

    @property
    def version(self) -> str:
        return "1.1"

    @property
    def client(self) -> Address:
        return "127.0.0.1", 0

    @property
    def server(self) -> Address:
        return "testserver", 80

    def header(self, name: str) -> str | None:
        separator = "; " if name == "cookie" else ", "
        return separator.join(v for k, v in self._headers if k == name) or None

    def headers(self) -> Headers:
        return self._headers

    async def read(self, size: int) -> bytes:
        if isinstance(self._pieces, AsyncIterator):
            return await anext(self._pieces, b"")
        if self._pieces is not None:
            return next(self._pieces, b"")
        body = bytes(self.body)
        self.body = body[size:]
        return body[:size]

    def respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        self.answers.put(TestResponse(status, headers, body))

    def respond_file(
        self, status: int, headers: Sequence[Header], path: str, offset: int, size: int
    ) -> None:
        with open(path, "rb") as file:
            file.seek(offset)
            self.answers.put(TestResponse(status, headers, file.read(size)))

    async def respond_stream(self, status: int, headers: Sequence[Header]) -> ResponseStream:
        if self.make_stream is not None and status == 200:
            stream = self.make_stream(status, headers)
            self.answers.put(stream)
            return stream
        return _TestStream(self, status, headers)

    @property
    def can_trail(self) -> bool:
        return True

    async def respond_trailing(self, status: int, headers: Sequence[Header]) -> _TestStream:
        return _TestStream(self, status, headers)

    async def accept(self, headers: Sequence[Header] = (), protocol: str | None = None) -> AppEnd:
        socket = self.make_socket(asyncio.get_running_loop(), headers, protocol)
        self.answers.put(socket)
        return socket

    def departure(self) -> asyncio.Future[Any]:
        if self._gone is None:
            self._gone = asyncio.Event()
        return asyncio.get_running_loop().create_task(self._gone.wait())

    def leave(self) -> None:
        """The client waits no longer. On the task loop only."""
        if self._gone is None:
            self._gone = asyncio.Event()
        self._gone.set()


class _TestStream:
    def __init__(self, exchange: TestExchange, status: int, headers: Sequence[Header]) -> None:
        self._exchange = exchange
        self._status = status
        self._headers = headers
        self._chunks: list[bytes] = []

    async def send(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    async def close(self, trailers: Sequence[Header] = ()) -> None:
        self._end(trailers, complete=True)

    def abort(self) -> None:
        self._end((), complete=False)

    def _end(self, trailers: Sequence[Header], *, complete: bool) -> None:
        body = b"".join(self._chunks)
        self._exchange.answers.put(
            TestResponse(self._status, self._headers, body, complete, trailers)
        )


def start(site: Site, exchange: TestExchange) -> None:
    """Have a site answer a request, as an engine does. Never waits."""
    was = site.open(exchange)
    if exchange.has_body() and site.wants_body(was):
        try:
            sink = site.body_collector(was)
            sink.write(bytes(exchange.body))
            site.set_body(was, sink)
        except HTTPError as fault:
            was = site.refusal(exchange, was.app, fault)
    site.start_on_loop(was)
