"""ASGI 3 (specification 3.0; HTTP and WebSocket message format 2.4) for any ASGI server.

The server's loop is the task loop. A worker thread leaves its answer in the exchange, and the
loop, woken once for many, sends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atila.engines import asgi_start_and_end, hypercorn
from atila.engines.asgi_body import Incoming, Message, Receive, Send, has_left
from atila.engines.asgi_websocket import WebSocket
from atila.http import close_codes, prefixes
from atila.http.exchange import Address, ClientGone, Exchange, Header, Headers
from atila.http.fields import decoded
from atila.http.methods import SAFE
from atila.http.response import NO_BODY

if TYPE_CHECKING:
    from atila import Site, Was
    from atila.runtime.loop import TaskLoop

BODY_CHUNK = 1048576
"""Bytes of a body that are taken at a time, at most."""
LINGER_SECONDS = 0.1
"""How long the next piece of a body without a reader is waited for."""
MOST_LINGER_SECONDS = 2.0
"""How long all of its rest is waited for."""
FILE_CHUNK = 262144
"""Bytes of a file that are read and sent at a time."""


class ASGIExchange(Exchange):
    """A request of an ASGI server.

    Attributes:
        done: its result is the unsent rest of the answer, or None if all was sent. That of a
            WebSocket is None, when it has been accepted or refused.
        websocket: the WebSocket, if it was accepted.
    """

    __slots__ = (
        "_incoming",
        "_loop",
        "_lowered",
        "_receive",
        "_scope",
        "_send",
        "done",
        "is_websocket",
        "prefix",
        "websocket",
    )

    hides_end = True

    def __init__(self, scope: Message, receive: Receive, send: Send, loop: TaskLoop) -> None:
        self.is_websocket = scope["type"] == "websocket"
        self.method = "GET" if self.is_websocket else scope["method"]
        self.path = _origin_form(scope["path"])
        self.prefix = ""
        if root := scope.get("root_path"):
            self.prefix = prefixes.normal(root)
            self.path = prefixes.below(self.path, self.prefix)
        self.query = scope["query_string"].decode("latin-1")
        self.body = b""
        self._scope = scope
        self._receive = receive
        self._send = send
        self._loop = loop
        self._lowered: dict[str, str] | None = None
        self._incoming: Incoming | None = None
        self.websocket: WebSocket | None = None
        self.done: asyncio.Future[_Answer | None] = loop.loop.create_future()

    @property
    def scheme(self) -> str:
        return "https" if self._scope.get("scheme") in ("https", "wss") else "http"

    @property
    def version(self) -> str:
        version: str = self._scope.get("http_version", "1.1")
        return version if "." in version else version + ".0"

    @property
    def client(self) -> Address:
        host, port = self._scope.get("client") or ("", 0)
        return host, port or 0

    @property
    def server(self) -> Address:
        host, port = self._scope.get("server") or ("", 0)
        return host, port or 0

    @property
    def can_trail(self) -> bool:
        return "http.response.trailers" in (self._scope.get("extensions") or ())

    def header(self, name: str) -> str | None:
        lowered = self._lowered
        if lowered is None:
            lowered = self._lowered = {}
            for key, value in self.headers():
                if key in lowered:
                    separator = "; " if key == "cookie" else ", "
                    value = f"{lowered[key]}{separator}{value}"
                lowered[key] = value
        return lowered.get(name)

    def headers(self) -> Headers:
        # uvicorn's parser leaves the white space after a value (RFC 9110, section 5.5).
        return [
            (name.decode("latin-1"), decoded(value).rstrip(" \t"))
            for name, value in self._scope["headers"]
        ]

    def has_body(self) -> bool:
        return super().has_body() or (
            self._scope.get("http_version", "1.1")[0] != "1" and self.method not in SAFE
        )

    def respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        self._loop.call(self._finish, _Answer(status, headers, body))

    def respond_file(
        self, status: int, headers: Sequence[Header], path: str, offset: int, size: int
    ) -> None:
        self._loop.call(self._finish, _Answer(status, headers, b"", path, offset, size))

    async def respond_stream(self, status: int, headers: Sequence[Header]) -> _Stream:
        await self._tell(_start(status, headers))
        return _Stream(self)

    async def respond_trailing(self, status: int, headers: Sequence[Header]) -> _TrailingStream:
        await self._tell({**_start(status, headers), "trailers": True})
        return _TrailingStream(self)

    async def send_answer(self, answer: _Answer) -> None:
        """Send the answer that a worker thread left.

        Raises:
            ClientGone: the client has left.
        """
        sending = self._send_answer(answer)
        if self.version[0] == "1" or hypercorn.buffer_of(self._send) is None:
            await sending
            return
        # hypercorn's HTTP/2 goes on waiting for a client that has left while it was sent to.
        task = asyncio.create_task(sending)
        leaving = asyncio.create_task(self.incoming.departed())
        try:
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ClientGone
            task.result()
        finally:
            leaving.cancel()
            task.cancel()

    async def _send_answer(self, answer: _Answer) -> None:
        headers = answer.headers
        if answer.body or (answer.status >= 200 and answer.status not in NO_BODY):
            headers = _with_length(headers, len(answer.body), self.method)
        if self.version[0] == "1" and self.has_body() and not self.incoming.ended:
            # Else a client may send its next request, which hypercorn takes for the body.
            headers = [*headers, ("connection", "close")]
        await self._tell(_start(answer.status, headers))
        if answer.path:
            await self._send_file(answer)
        else:
            await self._tell({"type": "http.response.body", "body": answer.body})

    async def _tell(self, message: Message) -> None:
        """Send a message.

        Raises:
            ClientGone: the client has left; hypercorn would wait for it without end.
        """
        if self.is_gone():
            self._finish(None)
            raise ClientGone
        await self._send(message)

    def is_gone(self) -> bool:
        """Whether the client is known to have left."""
        return has_left(self._send) or (self._incoming is not None and self._incoming.gone.is_set())

    async def _refuse_handshake(self, answer: _Answer) -> None:
        kind = "websocket.http.response"
        try:
            if kind in (self._scope.get("extensions") or ()):
                headers = _with_length(answer.headers, len(answer.body), self.method)
                await self._send({**_start(answer.status, headers), "type": f"{kind}.start"})
                await self._send({"type": f"{kind}.body", "body": answer.body})
            else:
                # The server makes a 403 of it; it offers no more.
                code = close_codes.POLICY_VIOLATION
                await self._send({"type": "websocket.close", "code": code})
        except OSError:
            pass  # The client has left.
        finally:
            self._finish(None)

    async def _send_file(self, answer: _Answer) -> None:
        left = answer.size
        loop = asyncio.get_running_loop()
        with await loop.run_in_executor(None, Path(answer.path).open, "rb") as file:
            file.seek(answer.offset)
            while left:
                chunk = await loop.run_in_executor(None, file.read, min(left, FILE_CHUNK))
                if not chunk:
                    raise ConnectionAbortedError(f"{answer.path} became shorter while it was sent")
                left -= len(chunk)
                await self._tell(
                    {"type": "http.response.body", "body": chunk, "more_body": left > 0}
                )
        if not answer.size:
            await self._tell({"type": "http.response.body", "body": b""})

    @property
    def incoming(self) -> Incoming:
        """The messages that the server has for this request."""
        if self._incoming is None:
            self._incoming = Incoming(self._receive, self._send, has_body=self.has_body())
        return self._incoming

    async def read(self, size: int) -> bytes:
        return await self.incoming.read(size)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body, piece by piece."""
        while chunk := await self.read(BODY_CHUNK):
            yield chunk

    async def linger(self) -> None:
        """Wait for the end of a body that nobody reads any more, before its answer ends, as long
        as the rest keeps coming.

        hypercorn ends the whole connection when some of it comes later.
        """
        clock = asyncio.get_running_loop().time
        end = clock() + MOST_LINGER_SECONDS
        try:
            async with asyncio.timeout(LINGER_SECONDS) as limit:
                while await self.read(BODY_CHUNK):
                    limit.reschedule(min(clock() + LINGER_SECONDS, end))
        except (TimeoutError, ClientGone):
            pass

    async def accept(
        self, headers: Sequence[Header] = (), protocol: str | None = None
    ) -> WebSocket:
        if (await self._receive())["type"] != "websocket.connect":
            raise ClientGone
        message = {"type": "websocket.accept", "headers": _encoded(headers)}
        await self._send({**message, "subprotocol": protocol})
        # They are hardly asked for again, but the connection may stay for days.
        self._lowered = None
        self.websocket = WebSocket(self)
        self._finish(None)
        return self.websocket

    def departure(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_task(self.incoming.departed())

    def _finish(self, answer: _Answer | None) -> None:
        if answer is not None and self.is_websocket:
            # The server's task leads the conversation, and may have to wait for teardown hooks.
            self._loop.spawn(self._refuse_handshake(answer))
        elif not self.done.done():
            self.done.set_result(answer)


def _origin_form(target: str) -> str:
    """The path of a target, also of "http://host/path" (RFC 9112, section 3.2.2)."""
    if target.startswith("/"):
        return target
    _, scheme, rest = target.partition("://")
    return "/" + rest.partition("/")[2] if scheme else target


@dataclass(slots=True)
class _Answer:
    status: int
    headers: Sequence[Header]
    body: bytes
    path: str = ""
    offset: int = 0
    size: int = 0


def _encoded(headers: Sequence[Header]) -> list[tuple[bytes, bytes]]:
    return [(k.encode("latin-1"), v.encode("utf-8", "replace")) for k, v in headers]


def _with_length(headers: Sequence[Header], length: int, method: str) -> Sequence[Header]:
    if method == "HEAD" or any(name == "content-length" for name, _ in headers):
        return headers
    return [*headers, ("content-length", str(length))]


def _start(status: int, headers: Sequence[Header]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": _encoded(headers)}


class _Stream:
    __slots__ = ("_buffer", "_exchange")

    def __init__(self, exchange: ASGIExchange) -> None:
        self._exchange = exchange
        self._buffer = hypercorn.buffer_of(exchange._send)

    async def send(self, chunk: bytes) -> None:
        try:
            await self._exchange._tell(
                {"type": "http.response.body", "body": chunk, "more_body": True}
            )
            # uvicorn waits for nothing as long as it has room, and never once the client has left:
            # a coroutine that only yields pieces would keep the loop from everybody, and from that.
            await asyncio.sleep(0)
        except OSError as error:
            self._exchange._finish(None)
            raise ClientGone from error
        if self._buffer is not None:
            await hypercorn.wait_for_room(self._buffer)

    async def close(self) -> None:
        await self._exchange._tell({"type": "http.response.body", "body": b""})
        self._exchange._finish(None)

    def abort(self) -> None:
        exchange = self._exchange
        if exchange.is_gone():
            exchange._finish(None)
        elif not exchange.done.done():
            # What a server closes the connection for, and writes to its log.
            exchange.done.set_exception(ConnectionAbortedError("the answer broke off"))


class _TrailingStream(_Stream):
    __slots__ = ()

    async def close(self, trailers: Sequence[Header] = ()) -> None:
        send = self._exchange._tell
        await self._exchange.linger()
        await send({"type": "http.response.body", "body": b""})
        await send({"type": "http.response.trailers", "headers": _encoded(trailers)})
        self._exchange._finish(None)


class Engine:
    """Answers an ASGI server's calls of a site.

    Args:
        site: the site.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._exchange = site.exchange_class(ASGIExchange)
        self._loop: TaskLoop | None = None

    def serve(self, scope: Message, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Answer a scope: a request, a WebSocket, or the server's start and end."""
        kind = scope["type"]
        if kind == "http":
            return self._answer(scope, receive, send)
        if kind == "websocket":
            return self._converse(scope, receive, send)
        return asgi_start_and_end.live(self._site, receive, send)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        site, loop = self._site, self._loop
        if loop is None or loop.loop is not asyncio.get_running_loop():
            loop = await self._begin()
        exchange = self._exchange(scope, receive, send, loop)
        was = self._open(exchange, scope)
        if (
            not exchange.has_body()
            or not site.wants_body(was)
            or await site.collect(was, exchange.pieces(), "the body ended too soon")
        ):
            site.start(was)
        answer = await exchange.done
        if answer is not None:
            try:
                await exchange.send_answer(answer)
            except ClientGone:
                pass
        if exchange.has_body():
            await exchange.incoming.drain(LINGER_SECONDS)

    async def _converse(self, scope: Message, receive: Receive, send: Send) -> None:
        """Run the handler of a WebSocket in the server's task: one of its own would take memory for
        as long as it is open.
        """
        loop = self._loop
        if loop is None or loop.loop is not asyncio.get_running_loop():
            loop = await self._begin()
        exchange = self._exchange(scope, receive, send, loop)
        was = self._open(exchange, scope)
        rest = was.endpoint.start_websocket(was)
        if rest is not None:
            task = loop.hold()
            try:
                await rest
            finally:
                loop.let_go(task)
        if exchange.websocket is None:
            # It begins in a worker thread, or has been refused.
            await exchange.done
        # Servers close without a code when the application has returned.
        if exchange.websocket is not None:
            await exchange.websocket.ended()

    async def _begin(self) -> TaskLoop:
        """Use the running loop, and start the site where the server has not said that it begins."""
        loop = self._site.use_loop(asyncio.get_running_loop())
        if not self._site.has_started:
            await asyncio.to_thread(self._site.start_up)
        self._loop = loop
        return loop

    def _open(self, exchange: ASGIExchange, scope: Message) -> Was:
        was = self._site.open(exchange)
        hosts = [name for name, _ in scope["headers"] if name == b"host"]
        if len(hosts) != 1 and exchange.version[0] == "1":
            was = self._site.without_host(was, len(hosts))
        return was
