"""Logs: a last resort for what nobody has set up, and the access log.

All that the framework and its apps write goes to loggers below "atila" of the standard library.
Whoever configures logging gets it there, and nothing here interferes.

The access log is one line for each request, on the logger "atila.access"; on stdout, unless that
logger has a handler of its own. It is compiled in or out: a site without one runs no line of this
module for a request.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote, unquote_plus

import orjson

from atila.errors import SetupError
from atila.exchange import (
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

FORMAT = "%(asctime)s %(levelname)s %(name)s [%(request_id)s] %(message)s"

_log = logging.getLogger("atila.access")


class _LastResort(logging.StreamHandler[TextIO]):
    """Writes what no other handler does: silent as soon as the root logger has one."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:
            super().emit(record)


def configure() -> None:
    """Write what anybody logs from the level INFO on to stderr, where a server is ours."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _formatter() -> logging.Formatter:
    return logging.Formatter(FORMAT, defaults={"request_id": "-"})


def ensure(*, debug: bool = False) -> None:
    """See to it that what an app logs is written to stderr, if nobody has configured logging.

    Args:
        debug: messages of the level DEBUG too.
    """
    logger = logging.getLogger("atila")
    if logger.handlers or logging.getLogger().handlers:
        return
    handler = _LastResort(sys.stderr)
    handler.setFormatter(_formatter())
    logger.addHandler(handler)
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.DEBUG if debug else logging.INFO)


Opener = Callable[[Exchange], "Was"]
Line = Callable[["_Logged", int, int], str]


def access_logged(opened: Opener, form: str | bool) -> Opener:
    """`Site.open` for a site with an access log.

    Args:
        opened: the `open` without one.
        form: "combined", the format of Apache and nginx followed by milliseconds and the request
            id; or "json", an object. True is the former.

    Raises:
        SetupError: there is no such form.
    """
    line = _LINES.get("combined" if form is True else str(form))
    if line is None:
        raise SetupError(f'ACCESS_LOG is "combined" or "json", not {form!r}')
    if not _log.handlers:
        # Its lines are whole: nobody else's format is put around them.
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        _log.addHandler(handler)
        _log.propagate = False
    if _log.level == logging.NOTSET:
        _log.setLevel(logging.INFO)

    def open_logged(exchange: Exchange) -> Was:
        logged = _Logged(exchange, line)
        logged.was = was = opened(logged)
        return was

    return open_logged


class _Logged(Exchange):
    """An exchange that writes a line when it is answered; all else is the engine's.

    Attributes:
        inner: the engine's exchange.
        was: the context that was opened for it.
        arrived: seconds since the epoch.
        took: milliseconds from the head of the request to the answer.
    """

    __slots__ = (
        "_begun",
        "_line",
        "arrived",
        "can_upgrade",
        "inner",
        "is_websocket",
        "took",
        "was",
    )

    was: Was

    def __init__(self, inner: Exchange, line: Line) -> None:
        self.method, self.path, self.query = inner.method, inner.path, inner.query
        self.body = inner.body
        self.can_upgrade, self.is_websocket = inner.can_upgrade, inner.is_websocket
        self.inner = inner
        self.arrived, self._begun = time.time(), time.perf_counter()
        self.took = 0.0
        self._line = line

    def over(self, status: int, size: int) -> None:
        """It was answered, with so many bytes of body."""
        self.took = (time.perf_counter() - self._begun) * 1000
        _log.info("%s", self._line(self, status, 0 if self.method == "HEAD" else size))

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
        self.over(status, len(body))

    def respond_file(
        self, status: int, headers: Sequence[Header], path: str, offset: int, size: int
    ) -> None:
        self.inner.respond_file(status, headers, path, offset, size)
        self.over(status, size)

    async def respond_stream(self, status: int, headers: Sequence[Header]) -> _LoggedStream:
        return _LoggedStream(await self.inner.respond_stream(status, headers), self, status)

    @property
    def can_trail(self) -> bool:
        return self.inner.can_trail

    @property
    def accepts_headers(self) -> bool:  # type: ignore[override]  # read only here
        return self.inner.accepts_headers

    async def respond_trailing(self, status: int, headers: Sequence[Header]) -> _LoggedStream:
        return _LoggedStream(await self.inner.respond_trailing(status, headers), self, status)

    async def accept(self, headers: Sequence[Header] = ()) -> WebSocketTransport:
        transport = await self.inner.accept(headers)
        # At the handshake: a WebSocket may go on for days.
        self.over(101, 0)
        return transport

    async def disconnected(self) -> None:
        await self.inner.disconnected()

    def __getattr__(self, name: str) -> Any:
        # What engines have besides.
        return getattr(self.inner, name)


class _LoggedStream:
    """A streamed answer; its line is written at its end, with the bytes that were sent."""

    __slots__ = ("_exchange", "_sent", "_status", "_stream")

    def __init__(
        self, stream: ResponseStream | TrailingStream, exchange: _Logged, status: int
    ) -> None:
        self._stream: Any = stream
        self._exchange: _Logged | None = exchange
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
            exchange.over(self._status, self._sent)


# Lines --------------------------------------------------------------------------------------------

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_UNSAFE = re.compile(r'[\x00-\x1f"\\\x7f-\x9f\u2028\u2029\ud800-\udfff]')


def _combined(exchange: _Logged, status: int, size: int) -> str:
    return (
        f"{exchange.client[0] or '-'} - - [{_stamp(int(exchange.arrived))}]"
        f' "{_safe(exchange.method)} {_target(exchange)} HTTP/{exchange.version}" {status} {size}'
        f' "{_safe(_referer(exchange))}" "{_safe(exchange.header("user-agent") or "-")}"'
        f" {exchange.took:.3f} {exchange.was.request_id}"
    )


def _json(exchange: _Logged, status: int, size: int) -> str:
    line = {
        "time": f"{_iso(int(exchange.arrived))}.{int(exchange.arrived % 1 * 1000):03}Z",
        "client": exchange.client[0],
        "method": exchange.method,
        "target": _target(exchange),
        "version": exchange.version,
        "status": status,
        "bytes": size,
        "ms": round(exchange.took, 3),
        "id": exchange.was.request_id,
        "referer": _whole(_referer(exchange)),
        "agent": _whole(exchange.header("user-agent") or "-"),
    }
    return orjson.dumps(line).decode()


_LINES: dict[str, Line] = {"combined": _combined, "json": _json}


def _target(exchange: _Logged) -> str:
    path = quote(exchange.path, "/:@!$&'()*+,;=~-._", errors="replace")
    return f"{path}?{_safe(mask(exchange.query))}" if exchange.query else path


def _referer(exchange: _Logged) -> str:
    url, mark, query = (exchange.header("referer") or "-").partition("?")
    return url + mark + mask(query)


@lru_cache(2)
def _stamp(seconds: int) -> str:
    at = time.localtime(seconds)
    # Not by strftime alone, which writes months in the language of the locale.
    return f"{at.tm_mday:02}/{_MONTHS[at.tm_mon - 1]}/{time.strftime('%Y:%H:%M:%S %z', at)}"


@lru_cache(2)
def _iso(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _safe(text: str) -> str:
    """Text of a client, which cannot begin a line of its own or end a quotation."""
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


_SECRET_PARTS = (
    *("passw", "passphrase", "pwd", "secret", "token"),
    *("auth", "session", "signature", "credential", "jwt"),
)
_SECRET_ENDS = ("key", "pass", "otp")
_SECRET_NAMES = frozenset({"code", "sig", "pin"})


def mask(query: str) -> str:
    """A query string without the values of names that sound secret: "a=1&token=***".

    Secrets do not belong into a query string; but people put them there, links to reset a password
    do, and OAuth its codes.
    """
    if not query:
        return query
    return "&".join(
        f"{name}{sign}***" if sign and value and _is_secret(name) else f"{name}{sign}{value}"
        for name, sign, value in (field.partition("=") for field in query.split("&"))
    )


def _is_secret(name: str) -> bool:
    plain = unquote_plus(name).lower().replace("_", "").replace("-", "")
    return (
        plain in _SECRET_NAMES
        or plain.endswith(_SECRET_ENDS)
        or any(part in plain for part in _SECRET_PARTS)
    )
