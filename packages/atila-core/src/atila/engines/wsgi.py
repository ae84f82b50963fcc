"""WSGI (PEP 3333) for any WSGI server.

The handler runs in the server's own thread, so a plain one needs no other. A deferred or streamed
answer comes from the task loop through a queue, and holds that thread until it is sent.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from queue import Empty, Full, Queue, SimpleQueue
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from atila.engines import peer
from atila.errors import HTTPError, reason_phrase
from atila.http import prefixes
from atila.http.bodies import PIECE
from atila.http.exchange import Address, ClientGone, Exchange, Header, Headers
from atila.http.fields import as_latin_1, decoded_again, unreadable
from atila.http.methods import SAFE
from atila.http.response import NO_BODY
from atila.runtime.spare_threads import ServerThreads, own

if TYPE_CHECKING:
    from atila import Site
    from atila.http.bodies import BodySink

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Answer = tuple[int, Sequence[Header], Iterable[bytes], int | None]
"""Status, headers and body, and a Content-Length for headers that lack it, if it is to be sent."""

FILE_CHUNK = 65536
"""Bytes of a file that are sent at a time, where the server has no way of its own."""

_QUEUED = 8
"""Pieces of a streamed answer that wait for the server to take them."""

PATIENCE_SECONDS = 0.1
"""How long a client may have said nothing after it has closed its half of the connection."""

WORKER_BOOT_ERROR = 3
"""gunicorn's status of a worker that cannot serve (`gunicorn.arbiter.Arbiter`)."""

_CHUNKED = "HTTP_TRANSFER_ENCODING"
_END = b""

_MAY_BE_EMPTY = frozenset(
    {"HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_ACCEPT_LANGUAGE", "HTTP_HOST", "HTTP_TE"}
)
"""Headers that say something by an empty value (RFC 9110, sections 7.2, 10.1.4 and 12.5)."""

_threads = ServerThreads()


class WSGIExchange(Exchange):
    """A request of a WSGI server.

    Attributes:
        answer: the one answer, as soon as it is there.
    """

    __slots__ = ("_environ", "_incoming", "_late", "answer", "phrase", "prefix")

    can_upgrade = False

    def __init__(self, environ: Environ) -> None:
        self.method = environ["REQUEST_METHOD"]
        path = environ.get("PATH_INFO", "")
        if not path.isascii():
            # Latin-1 is how PEP 3333 puts bytes into a str.
            path = path.encode("latin-1").decode("utf-8", "replace")
        self.prefix = ""
        if script := environ.get("SCRIPT_NAME"):
            self.prefix = prefixes.normal(script.encode("latin-1").decode("utf-8", "replace"))
        self.path = path or ("" if self.prefix else "/")
        self.query = environ.get("QUERY_STRING", "")
        self.body = b""
        self._environ = environ
        self._incoming: _Incoming | None = None
        self.answer: Answer | None = None
        self._late: SimpleQueue[Answer] | None = None
        self.phrase: tuple[int, str] | None = None
        """A status, and the status line with the reason phrase that it is to be sent with."""

    @property
    def scheme(self) -> str:
        scheme: str = self._environ["wsgi.url_scheme"]
        return scheme

    @property
    def version(self) -> str:
        version: str = self._environ.get("SERVER_PROTOCOL", "HTTP/1.1").partition("/")[2]
        return version if "." in version else version + ".0"

    @property
    def client(self) -> Address:
        port = str(self._environ.get("REMOTE_PORT", ""))
        return self._environ.get("REMOTE_ADDR", ""), int(port) if port.isdecimal() else 0

    @property
    def server(self) -> Address:
        return self._environ["SERVER_NAME"], int(self._environ["SERVER_PORT"] or 0)

    def header(self, name: str) -> str | None:
        value: str | None = self._environ.get(_environ_key(name))
        # Servers set these two, empty, even if the client sent none.
        if not value:
            return None if name in ("content-length", "content-type") else value
        return value if value.isascii() else decoded_again(value)

    def has_body(self) -> bool:
        environ = self._environ
        length = environ.get("CONTENT_LENGTH")
        if length and length != "0":
            return True
        # HTTP/2 announces a body by a frame, not by a header.
        announced = self.method not in SAFE and self.version[0] != "1"
        return announced or _CHUNKED in environ

    def headers(self) -> Headers:
        found = [
            (key[5:].replace("_", "-").lower(), decoded_again(value))
            for key, value in self._environ.items()
            if key.startswith("HTTP_")
        ]
        found.extend(
            (name, value)
            for name in ("content-type", "content-length")
            if (value := self.header(name)) is not None
        )
        return found

    def set_reason(self, status: int, reason: str) -> None:
        self.phrase = status, f"{status} {reason}"

    def respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        length = len(body) if self.method != "HEAD" and status not in NO_BODY else None
        # As `_give`, without a call.
        self.answer = answer = (status, headers, [body] if body else [], length)
        if self._late is not None:
            self._late.put(answer)

    def _give(self, answer: Answer) -> None:
        self.answer = answer
        if self._late is not None:
            self._late.put(answer)

    def wait(self) -> Answer:
        """The answer, which comes from another thread."""
        late = self._late = SimpleQueue()
        # If it comes at this very moment, it is here or there, or both: that thread looks for the
        # queue after it has put the answer here, and this one looks here after making the queue.
        return self.answer or late.get()

    def respond_file(
        self, status: int, headers: Sequence[Header], path: str, offset: int, size: int
    ) -> None:
        file = open(path, "rb")  # noqa: SIM115 - closed with the answer
        file.seek(offset)
        wrapper = self._environ.get("wsgi.file_wrapper")
        if wrapper is not None and offset + size == os.fstat(file.fileno()).st_size:
            # To the end of the file, which is what a wrapper is for: it may use sendfile.
            self._give((status, headers, wrapper(file, FILE_CHUNK), None))
        else:
            self._give((status, headers, _FileChunks(file, size), None))

    async def respond_stream(self, status: int, headers: Sequence[Header]) -> _Stream:
        pieces = _Pieces(asyncio.get_running_loop())
        self._give((status, headers, pieces, None))
        return _Stream(pieces)

    async def read(self, size: int) -> bytes:
        if self._incoming is None:
            length = int(self.header("content-length") or 0)
            self._incoming = _Incoming(self._environ["wsgi.input"], length)
        return await self._incoming.read(size)

    def departure(self) -> asyncio.Future[None]:
        # WSGI tells of it by closing a streamed answer, and not at all before that.
        return asyncio.get_running_loop().create_future()


_STATUS_LINES: dict[int, str] = {}


def _status_line(status: int) -> str:
    line = _STATUS_LINES[status] = f"{status} {reason_phrase(status)}"
    return line


@lru_cache(256)
def _environ_key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key


class _Incoming:
    """A request body as the server gives it, whose `read` blocks.

    Args:
        source: of the request.
        length: bytes that it has at least.
    """

    __slots__ = ("_has_broken", "_left", "_reading", "_rest", "_source")

    def __init__(self, source: Any, length: int) -> None:
        self._source = source
        self._left = length
        self._rest = b""
        self._has_broken = False
        self._reading: asyncio.Task[bytes] | None = None

    async def read(self, size: int) -> bytes:
        """The next piece, of `size` bytes at most; see `Exchange.read`."""
        if not self._rest:
            self._rest = await self._next(size)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    async def _next(self, size: int) -> bytes:
        if self._has_broken:
            raise ClientGone
        if self._reading is None:
            # The thread reads on if nobody waits for it any more; what it gets is for the next.
            self._reading = asyncio.create_task(asyncio.to_thread(_read_some, self._source, size))
        reading = self._reading
        await asyncio.wait({reading})
        self._reading = None
        try:
            data = reading.result()
        except Exception as error:
            # Servers have errors of their own for a body that is malformed.
            self._has_broken = True
            raise ClientGone from error
        self._left -= len(data)
        if not data and self._left > 0:
            self._has_broken = True
            raise ClientGone
        return data


def _read_some(source: Any, size: int) -> bytes:
    data: bytes = source.read1(size) if hasattr(source, "read1") else source.read(size)
    return data


def _sent(headers: Sequence[Header], length: int | None) -> list[Header]:
    """Headers as a server takes them.

    Args:
        headers: the headers.
        length: a Content-Length that is added if there is none; None for none.
    """
    sent = list(headers)
    is_plain = True
    for name, value in headers:
        if name == "content-length":
            length = None
        if not value.isascii():
            is_plain = False
    if length is not None:
        sent.append(("content-length", str(length)))
    return sent if is_plain else as_latin_1(sent)


class _FileChunks:
    """The next bytes of an open file; closed by the server (PEP 3333), even if it took none."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (chunk := self._file.read(min(self._left, FILE_CHUNK))):
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        self._file.close()


class _Pieces:
    """A streamed body as the server takes it, in its thread.

    Attributes:
        gone: nobody takes any more.
        taken: set, on the task loop, when there may be room for another piece.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.queue: Queue[bytes | None] = Queue(_QUEUED)
        self.gone = False
        self.taken = asyncio.Event()

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._next():
            yield piece

    def _next(self) -> bytes:
        piece = self.queue.get()
        self._loop.call_soon_threadsafe(self.taken.set)
        if piece is None:
            raise ConnectionAbortedError("the answer broke off")
        return piece

    def close(self) -> None:
        """Called by the server at the end, however it came (PEP 3333)."""
        self.gone = True
        self._loop.call_soon_threadsafe(self.taken.set)


class _Stream:
    """A streamed body as the task loop makes it."""

    def __init__(self, pieces: _Pieces) -> None:
        self._pieces = pieces

    async def send(self, chunk: bytes) -> None:
        pieces = self._pieces
        while not pieces.gone:
            pieces.taken.clear()
            try:
                pieces.queue.put_nowait(chunk)
                return
            except Full:
                await pieces.taken.wait()
        raise ClientGone

    async def close(self) -> None:
        await self.send(_END)

    def abort(self) -> None:
        queue = self._pieces.queue
        while True:
            try:
                queue.put_nowait(None)
                return
            except Full:
                # Nobody shall get the rest, and this makes room; unless the server has just done.
                with suppress(Empty):
                    queue.get_nowait()


class Engine:
    """Answers the requests of a WSGI server for a site.

    Args:
        site: the site.
    """

    empties_values: ClassVar[bool] = False
    """Whether the server gives an empty value where one is not ASCII."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._exchange = site.exchange_class(WSGIExchange)

    @classmethod
    def at_first_request(cls, site: Site) -> Engine:
        """The engine of a server that reports neither its start nor its end (PEP 3333)."""
        atexit.register(site.shutdown)
        site.begin()
        site.start_up()
        return cls(site)

    def serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        exchange = self._exchange(environ)
        status, headers, body, length = self.answer(environ, exchange)
        line = _STATUS_LINES.get(status) or _status_line(status)
        if exchange.phrase is not None and exchange.phrase[0] == status:
            line = exchange.phrase[1]
        start_response(line, _sent(headers, length))
        return body

    def answer(self, environ: Environ, exchange: WSGIExchange) -> Answer:
        """The answer to a request."""
        site = self._site
        was = site.open(exchange)
        host = environ.get("HTTP_HOST")
        if host is None or "," in host:
            # Servers join what comes twice; no host has a comma.
            was = site.without_host(was, 0 if host is None else 2)
        if self.empties_values and (lost := _lost(environ)):
            was = site.refusal(exchange, was.app, unreadable(lost))
        if (
            "HTTP_UPGRADE" in environ
            and was.refusal is not None
            and was.refusal.code == 426
            and exchange.header("upgrade")
        ):
            error = HTTPError(501, "WSGI servers have no WebSocket")
            was = site.refusal(was.exchange, was.app, error)
        # The usual case of `has_body`, without a call.
        if (
            (exchange.method != "GET" or "CONTENT_LENGTH" in environ or _CHUNKED in environ)
            and exchange.has_body()
            and site.wants_body(was)
        ):
            collector = site.body_collector(was)
            try:
                _collect(environ, exchange, collector)
                site.set_body(was, collector)
            except HTTPError as fault:
                collector.close()
                was = site.refusal(was.exchange, was.app, fault)
        # gunicorn's own queue is before this, and it reads what a client sent that left meanwhile.
        connection = environ.get("gunicorn.socket")
        if connection is not None and peer.has_left(connection, PATIENCE_SECONDS):
            site.abandon(was)
        else:
            if own.lender is None:
                own.lender = _threads
            was.endpoint.run(was)
        # Most were answered in this thread.
        return exchange.answer or exchange.wait()


def _lost(environ: Environ) -> list[str]:
    """The names of headers without a value, which may have had one."""
    values = iter(environ.values())
    # Most requests have all, or no query and all else: the second look goes on after the first.
    if all(values) or (not environ["QUERY_STRING"] and all(values)):
        return []
    return [
        key[5:].replace("_", "-").lower()
        for key, value in environ.items()
        if not value and key[:5] == "HTTP_" and key not in _MAY_BE_EMPTY
    ]


def _collect(environ: Environ, exchange: WSGIExchange, sink: BodySink) -> None:
    """Read the whole body.

    Raises:
        HTTPError: it is too large, malformed or incomplete.
    """
    source, length = environ["wsgi.input"], exchange.header("content-length")
    try:
        left = sys.maxsize if length is None else int(length)
        while left and (chunk := source.read(min(left, PIECE))):
            left -= len(chunk)
            sink.write(chunk)
    except HTTPError:
        raise
    except Exception:
        # Servers have errors of their own for a body that is malformed.
        raise HTTPError(400, "the body is malformed or ended too soon") from None
    if left and length is not None:
        raise HTTPError(400, "the body ended too soon")


def started(make: Callable[[], Engine]) -> Engine:
    """The result of make(). An error ends gunicorn, with a status by which its master knows that
    other workers would fail too.
    """
    try:
        return make()
    except Exception:
        if os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn/"):
            traceback.print_exc()
            os._exit(WORKER_BOOT_ERROR)
        raise
