"""Connections of HTTP/2 (RFC 9113), by httpx; for aliases with `http2=True`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import httpx
from multidict import CIMultiDict

from atila_tasks.core.errors import Unreachable
from atila_tasks.upstream.response_head import Head
from atila_tasks.web.incoming import broken, reason
from atila_tasks.web.payloads import Multipart, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atila.http.exchange import Headers
    from atila_tasks.web.payloads import Body

_PIECE = 65536


class Http2:
    """Connections to a server that speaks HTTP/2: by ALPN under TLS, else by prior knowledge.

    Args:
        options: the options of the alias.
        tls: the verification of the server; None if it is not https.
    """

    def __init__(self, options: Mapping[str, Any], tls: ssl.SSLContext | None) -> None:
        connect = options["connect_timeout"]
        self._timeout = {"connect": connect, "read": None, "write": None, "pool": None}
        limits = httpx.Limits(
            max_connections=options["max_conns"],
            max_keepalive_connections=options["max_conns"],
            keepalive_expiry=options["idle_timeout"],
        )
        self._transport = httpx.AsyncHTTPTransport(
            verify=tls or False, http1=tls is not None, http2=True, limits=limits, trust_env=False
        )

    async def open(
        self, name: str, method: str, url: str, headers: Headers, body: Body, *, raw: bool = False
    ) -> _Incoming:
        request = await _request(method, url, headers, body)
        request.extensions = {"timeout": self._timeout}
        if not raw:
            request.headers.setdefault("accept-encoding", "gzip, deflate")
            request.headers.setdefault("user-agent", "atila")
        try:
            response = await self._transport.handle_async_request(request)
        except (httpx.TransportError, OSError) as error:
            raise _translated(name, error) from None
        response.request = request
        return _Incoming(name, response, raw)

    async def close(self) -> None:
        await self._transport.aclose()


class _Incoming:
    __slots__ = ("_name", "_pieces", "_response", "head", "length")

    def __init__(self, name: str, response: httpx.Response, raw: bool) -> None:
        self._name = name
        self._response = response
        self._pieces = response.aiter_raw() if raw else response.aiter_bytes()
        headers = CIMultiDict(response.headers.multi_items())
        self.head = Head(response.status_code, "", headers)
        length = headers.get("content-length", "")
        coded = not raw and "content-encoding" in headers
        self.length = int(length) if length.isdecimal() and not coded else None

    async def read(self) -> bytes:
        try:
            while True:
                piece = await anext(self._pieces, None)
                if piece is None:
                    return b""
                if piece:
                    return piece
        except (httpx.TransportError, httpx.DecodingError, httpx.StreamError, OSError) as error:
            raise _translated(self._name, error) from None

    def raw_headers(self) -> Headers:
        return [
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in self._response.headers.raw
        ]

    async def close(self) -> None:
        await self._response.aclose()


async def _request(method: str, url: str, headers: Headers, body: Body) -> httpx.Request:
    if body is None or isinstance(body, bytes):
        return httpx.Request(method, url, headers=headers, content=body)
    if isinstance(body, Stream):
        return httpx.Request(method, url, headers=headers, content=body.pieces())
    if isinstance(body, Path):
        size = (await asyncio.to_thread(body.stat)).st_size
        headers = [*headers, ("content-length", str(size))]
        return httpx.Request(method, url, headers=headers, content=_pieces(body))
    return await _multipart(method, url, headers, body)


async def _multipart(method: str, url: str, headers: Headers, body: Multipart) -> httpx.Request:
    """The library makes the body; we let no thread but another read the files."""
    files: list[Any] = []
    opened: list[IO[bytes]] = []
    for part in body.parts:
        content: Any = part.content
        if isinstance(content, Path):
            content = await asyncio.to_thread(content.open, "rb")
            opened.append(content)
        kind = (part.content_type,) if part.content_type else ()
        files.append((part.name, (part.filename, content, *kind)))
    made = httpx.Request(method, url, headers=headers, files=files)
    stream: Any = made.stream

    async def pieces() -> AsyncIterator[bytes]:
        iterator = iter(stream)
        try:
            while (piece := await asyncio.to_thread(next, iterator, None)) is not None:
                yield piece
        finally:
            for file in opened:
                file.close()

    return httpx.Request(method, url, headers=made.headers, content=pieces())


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece


def _translated(name: str, error: BaseException) -> Exception:
    if isinstance(error, httpx.ConnectTimeout):
        return Unreachable(f"{name}: it could not be connected to in time")
    if isinstance(error, httpx.ConnectError):
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__ or cause.__context__
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unreachable(f"{name}: its certificate is not valid")
        return Unreachable(f"{name}: {reason(cause or error)}")
    if isinstance(error, httpx.DecodingError):
        return broken(name, "the answer is not coded as it says")
    if isinstance(error, httpx.TransportError | httpx.StreamError | OSError):
        return broken(name, f"the connection failed: {reason(error)}")
    return error if isinstance(error, Exception) else RuntimeError(type(error).__name__)
