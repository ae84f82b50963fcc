"""Connections of HTTP/1.1, by aiohttp."""

from __future__ import annotations

import asyncio
import io
import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from atila.runtime.context import outside
from atila_tasks.core.errors import Unreachable, UpstreamError
from atila_tasks.upstream.response_head import Head
from atila_tasks.web.incoming import broken, reason
from atila_tasks.web.payloads import BINARY_TYPE, Multipart, Stream

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from atila.http.exchange import Headers
    from atila_tasks.web.payloads import Body

_ALL = frozenset({"Accept", "Accept-Encoding", "Content-Type", "User-Agent"})
_LARGE = 1024 * 1024
"""Bytes above which aiohttp wants a body as a file, so as not to write all of it at once."""


class _Connector(aiohttp.TCPConnector):
    """Its connections are of no request; an event loop keeps the variables that they are opened
    with.
    """

    async def _create_connection(self, *args: Any) -> Any:
        return await outside(super()._create_connection(*args))


class Http1:
    """Connections to any server. Made on the task loop.

    Args:
        options: the options of the alias.
        tls: the verification of https servers.
        per_host: the most connections to one server; 0 for no limit but that of all.
    """

    def __init__(
        self, options: Mapping[str, Any], tls: ssl.SSLContext | None, per_host: int = 0
    ) -> None:
        connector = _Connector(
            limit=options["max_conns"],
            limit_per_host=per_host,
            keepalive_timeout=options["idle_timeout"],
            ssl=tls or True,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            # What one request has to remember is not for the next one's eyes.
            cookie_jar=aiohttp.DummyCookieJar(),
            # The task has its own; only a server that does not even connect is given up earlier.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=options["connect_timeout"]),
            headers={"user-agent": "atila"},
        )

    def open(
        self, name: str, method: str, url: str, headers: Headers, body: Body, *, raw: bool = False
    ) -> Coroutine[Any, Any, _Incoming]:
        if body is None or isinstance(body, bytes):
            data = io.BytesIO(body) if body is not None and len(body) > _LARGE else body
            return self._open(name, method, url, headers, data, raw)
        if isinstance(body, Stream):
            return self._open(name, method, url, headers, body.pieces(), raw)
        return self._open_files(name, method, url, headers, body, raw)

    async def _open_files(
        self,
        name: str,
        method: str,
        url: str,
        headers: Headers,
        body: Path | Multipart,
        raw: bool,
    ) -> _Incoming:
        async with AsyncExitStack() as stack:
            data = await _opened(body, stack)
            return await self._open(name, method, url, headers, data, raw)

    async def _open(
        self, name: str, method: str, url: str, headers: Headers, data: Any, raw: bool
    ) -> _Incoming:
        try:
            response = await self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=data,
                allow_redirects=False,
                skip_auto_headers=_ALL if raw else None,
                auto_decompress=not raw,
            )
        except (
            aiohttp.ClientError,
            OSError,
            ValueError,
            aiohttp.http.HttpProcessingError,
        ) as error:
            # Without its cause, which knows our headers.
            raise _translated(name, error) from None
        return _Incoming(name, response, raw)

    async def close(self) -> None:
        await self._session.close()


class _Incoming:
    __slots__ = ("_content", "_name", "_response", "head", "length")

    def __init__(self, name: str, response: aiohttp.ClientResponse, raw: bool) -> None:
        self._name = name
        self._response = response
        self._content = response.content
        self.head = Head(response.status, response.reason or "", response.headers)
        coded = not raw and "content-encoding" in response.headers
        self.length = None if coded else response.content_length

    async def read(self) -> bytes:
        try:
            return await self._content.readany()
        except (aiohttp.ClientError, OSError, aiohttp.http.HttpProcessingError) as error:
            raise _translated(self._name, error) from None

    def raw_headers(self) -> Headers:
        return [
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in self._response.raw_headers
        ]

    async def close(self) -> None:
        self._response.close()


async def _opened(body: Path | Multipart, stack: AsyncExitStack) -> Any:
    """A body of files, opened; the stack closes them."""

    async def opened(path: Path) -> IO[bytes]:
        file = await asyncio.to_thread(path.open, "rb")
        stack.callback(file.close)
        return file

    if isinstance(body, Path):
        return await opened(body)
    form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for part in body.parts:
        content: Any = part.content
        if isinstance(content, Path):
            content = await opened(content)
        kind = part.content_type or (None if part.filename is None else BINARY_TYPE)
        form.add_field(part.name, content, filename=part.filename, content_type=kind)
    return form


def _translated(name: str, error: BaseException) -> Exception:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return Unreachable(f"{name}: its certificate is not valid")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Unreachable(f"{name}: {reason(error.os_error)}")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Unreachable(f"{name}: it could not be connected to in time")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return broken(name, "the connection was closed before an answer")
    if isinstance(error, aiohttp.ClientPayloadError):
        return broken(name, "the answer broke off, or is malformed")
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.http.HttpProcessingError):
        return broken(name, "the answer is no HTTP")
    if isinstance(error, aiohttp.ClientError | OSError):
        return broken(name, f"the connection failed: {reason(error)}")
    if isinstance(error, ValueError):
        return UpstreamError(f"{name}: the answer is no HTTP")
    return error if isinstance(error, Exception) else RuntimeError(type(error).__name__)
