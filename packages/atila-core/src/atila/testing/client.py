"""The in-process client: `app.test_client()` calls an app without a server or a socket."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode, urlsplit

from atila.errors import HTTPError, reason_phrase
from atila.http.close_codes import NORMAL
from atila.http.exchange import Address, ClientGone, Exchange, Header, Headers
from atila.testing.cookies import ClientCookies
from atila.testing.waits import patience
from atila.values import json as exact

if TYPE_CHECKING:
    from atila import Atila

WAIT = 30.0
"""Seconds that the client waits for an answer before it gives up with TimeoutError; more on a
machine that is busy, see `patience`.
"""


class TestResponse:
    """The answer of an app.

    Attributes:
        status_code: the status code.
        header_list: the headers in the order sent.
        content: the whole body.
        complete: whether the body ended regularly.
        trailers: the fields after the body, as gRPC has them.
    """

    __test__ = False

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

    def json(self) -> Any:
        """The value of a JSON body."""
        return exact.loads(self.content)

    def __repr__(self) -> str:
        return f"<TestResponse {self.status_code} {self.reason}, {len(self.content)} bytes>"


class _TestExchange(Exchange):
    __slots__ = ("_headers", "_pieces", "answers", "client_address", "is_websocket", "socket")

    def __init__(
        self, method: str, url: str, headers: Headers, body: bytes, pieces: Iterator[bytes] | None
    ) -> None:
        parts = urlsplit(url)
        self.method = method
        self.path = unquote(parts.path) or "/"
        self.query = parts.query
        self.body = body
        self.is_websocket = False
        self._headers = headers
        self._pieces = pieces
        self.answers: SimpleQueue[Any] = SimpleQueue()
        self.socket: SimpleQueue[Any] = SimpleQueue()

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

    async def respond_stream(self, status: int, headers: Sequence[Header]) -> _TestStream:
        return _TestStream(self, status, headers)

    @property
    def can_trail(self) -> bool:
        return True

    async def respond_trailing(self, status: int, headers: Sequence[Header]) -> _TestStream:
        return _TestStream(self, status, headers)

    async def accept(
        self, headers: Sequence[Header] = (), protocol: str | None = None
    ) -> TestWebSocket:
        socket = TestWebSocket(asyncio.get_running_loop(), protocol)
        self.socket.put(socket)
        return socket

    async def disconnected(self) -> None:
        await asyncio.Event().wait()


class _TestStream:
    def __init__(self, exchange: _TestExchange, status: int, headers: Sequence[Header]) -> None:
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


class TestWebSocket:
    """Both ends of a WebSocket in this process: the app's is its methods with `async`.

    Attributes:
        protocol: the subprotocol that the app has chosen; None for none.
        close_code: the code of the end; None while it is open.
        close_reason: the app's reason for it.
    """

    __test__ = False

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: str | None = None) -> None:
        self.protocol = protocol
        self._loop = loop
        self._to_app: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._to_client: SimpleQueue[str | bytes | None] = SimpleQueue()
        self.close_code: int | None = None
        self.close_reason = ""

    # The app's end.

    async def receive(self) -> str | bytes | None:
        if self.close_code is not None:
            return None
        return await self._to_app.get()

    async def send(self, message: str | bytes) -> None:
        if self.close_code is not None:
            raise ClientGone
        self._to_client.put(message)

    async def flushed(self) -> None:
        """Return at once: a sent message is there."""

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
            self._to_client.put(None)

    # The client's end.

    def send_message(self, message: str | bytes) -> None:
        """Send a message to the app."""
        self._loop.call_soon_threadsafe(self._to_app.put_nowait, message)

    def receive_message(self) -> str | bytes | None:
        """The next message of the app; None if it has closed the connection."""
        return self._to_client.get(timeout=patience(WAIT))

    def disconnect(self, code: int = NORMAL) -> None:
        """Close the connection from the client's end."""

        def close() -> None:
            self.close_code = code
            self._to_app.put_nowait(None)

        self._loop.call_soon_threadsafe(close)

    def __enter__(self) -> TestWebSocket:
        return self

    def __exit__(self, *error: object) -> None:
        self.disconnect()


class TestClient:
    """Calls an app in this process, through its whole site: threads, task loop and all.

    Args:
        app: the app.

    Attributes:
        app: the app.
        cookies: the cookies that the app has set, by name; they are sent back, unless a request has
            a Cookie header of its own.
    """

    __test__ = False

    def __init__(self, app: Atila) -> None:
        self.app = app
        self.cookies = ClientCookies()

    @classmethod
    def of(cls, target: str | os.PathLike[str]) -> TestClient:
        """A client for all that a launch script mounts.

        Args:
            target: "serve.py", or an app in a module, "package.module:app".

        Raises:
            SetupError: see `atila.site_of`.
        """
        from atila import site_of

        with _main_restored():
            return cls(site_of(os.fspath(target)).mounts[-1].app)

    def close(self) -> None:
        """Unmount the app, with its whole site; nothing if it was never asked anything."""
        if self.app.mounting.is_done:
            self.app.site.shutdown()

    def __enter__(self) -> TestClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | bytes | str | Iterator[bytes] | None = None,
        json: Any = None,
    ) -> TestResponse:
        """Send a request and wait for its answer.

        Args:
            method: "GET".
            url: path and query.
            params: more fields of the query.
            headers: request headers.
            data: the body: fields of a form, or as it is; an iterator is a streamed body.
            json: the body as a value to be sent as JSON.

        Raises:
            TimeoutError: no answer came within `WAIT` seconds.
        """
        exchange = self._exchange(method, url, params, self._with_cookies(url, headers), data, json)
        # As on a server, whose threads know nothing of the test's context variables.
        Context().run(self._start, exchange)
        answer: TestResponse = _get(exchange.answers)
        self.cookies.take(url, answer.header_list)
        return answer

    def _with_cookies(self, url: str, headers: Mapping[str, str] | None) -> Mapping[str, str]:
        given = dict(headers or {})
        if "cookie" not in map(str.lower, given) and (cookies := self.cookies.header(url)):
            given["cookie"] = cookies
        return given

    def _exchange(
        self, method: str, url: str, params: Any, headers: Any, data: Any, json: Any
    ) -> _TestExchange:
        kind = self.app.site.exchange_class(_TestExchange)
        return _exchange(method, url, params, headers, data, json, kind)

    def _start(self, exchange: _TestExchange) -> None:
        site = self.app.site
        if not site.has_started:
            site.start_up()
        was = site.open(exchange)
        if exchange.has_body() and site.wants_body(was):
            try:
                sink = site.body_collector(was)
                sink.write(bytes(exchange.body))
                site.set_body(was, sink)
            except HTTPError as fault:
                was = site.refusal(exchange, self.app, fault)
        site.start(was)

    def websocket(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        protocols: Sequence[str] | None = None,
    ) -> TestWebSocket:
        """Open a WebSocket.

        Args:
            url: path and query.
            headers: request headers.
            protocols: the subprotocols that the client speaks, the best first.

        Raises:
            ConnectionRefusedError: the app answered the handshake with an error.
        """
        given = self._with_cookies(url, headers)
        if protocols is not None:
            given = {**given, "sec-websocket-protocol": ", ".join(protocols)}
        exchange = self._exchange("GET", url, None, given, None, None)
        exchange.is_websocket = True
        # One queue, for the connection or its refusal.
        exchange.socket = exchange.answers
        Context().run(self._start, exchange)
        answer: TestResponse | TestWebSocket = _get(exchange.socket)
        if isinstance(answer, TestResponse):
            raise ConnectionRefusedError(f"{answer.status_code} {answer.reason}: {answer.text}")
        return answer

    def get(self, url: str, **options: Any) -> TestResponse:
        """GET; see `request`."""
        return self.request("GET", url, **options)

    def post(self, url: str, data: Any = None, **options: Any) -> TestResponse:
        """POST; see `request`."""
        return self.request("POST", url, data=data, **options)

    def put(self, url: str, data: Any = None, **options: Any) -> TestResponse:
        """PUT; see `request`."""
        return self.request("PUT", url, data=data, **options)

    def patch(self, url: str, data: Any = None, **options: Any) -> TestResponse:
        """PATCH; see `request`."""
        return self.request("PATCH", url, data=data, **options)

    def delete(self, url: str, **options: Any) -> TestResponse:
        """DELETE; see `request`."""
        return self.request("DELETE", url, **options)

    def head(self, url: str, **options: Any) -> TestResponse:
        """HEAD; see `request`."""
        return self.request("HEAD", url, **options)

    def options(self, url: str, **options: Any) -> TestResponse:
        """OPTIONS; see `request`."""
        return self.request("OPTIONS", url, **options)


@contextmanager
def _main_restored() -> Iterator[None]:
    """Undo what a launch script changes as the main program, but for its entry in sys.path.

    Relies on `skitai.SWD`, the folder that `skitai.abspath` starts from, found out once.
    """
    import skitai

    before = sys.modules["__main__"], sys.argv, skitai.SWD
    skitai.SWD = None
    try:
        yield
    finally:
        sys.modules["__main__"], sys.argv, skitai.SWD = before


def _get(queue: SimpleQueue[Any]) -> Any:
    seconds = patience(WAIT)
    try:
        return queue.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:.0f} s") from None


def _exchange(
    method: str,
    url: str,
    params: Mapping[str, Any] | None,
    headers: Mapping[str, str] | None,
    data: Any,
    json: Any,
    kind: type[_TestExchange] = _TestExchange,
) -> _TestExchange:
    if params:
        url += ("&" if "?" in url else "?") + urlencode(params, doseq=True)
    pairs = [(name.lower(), value) for name, value in (headers or {}).items()]
    body, pieces, media = b"", None, ""
    if json is not None:
        body, media = exact.dumps(json), "application/json"
    elif isinstance(data, Mapping):
        body, media = urlencode(data, doseq=True).encode(), "application/x-www-form-urlencoded"
    elif isinstance(data, str):
        body = data.encode()
    elif isinstance(data, bytes):
        body = data
    elif data is not None:
        pieces = data
    if media and not any(name == "content-type" for name, _ in pairs):
        pairs.append(("content-type", media))
    if body:
        pairs.append(("content-length", str(len(body))))
    return kind(method, url, pairs, body, pieces)
