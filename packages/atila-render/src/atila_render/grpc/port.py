"""A separate gRPC port, served by grpc.aio, for servers that send no HTTP/2 trailers."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import grpc
from grpc import aio

from atila import HTTPError, SetupError
from atila.http.exchange import Address, ClientGone, Exchange, Header, Headers
from atila.launch import script, tls
from atila_render.grpc.finder import VARIABLE
from atila_render.grpc.status import OK, UNKNOWN, status_of
from atila_render.grpc.wire import HEAD

if TYPE_CHECKING:
    from atila import Was
    from atila.runtime.loop import TaskLoop
    from atila.serving.site import Site

GRACE = 1.0
"""Seconds that calls under way have when the site ends; it has waited for them already."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}

log = logging.getLogger("atila.grpc")


def address_of(site: Site) -> str:
    """Where to listen: "127.0.0.1:50051"; "" where neither command line nor settings ask for it."""
    local = "127.0.0.1"
    asked = os.environ.get(VARIABLE), os.environ.get(script.HOST) or local
    for wanted, host in (asked, *((m.app.config.GRPC_PORT, local) for m in site.mounts)):
        if wanted:
            text = str(wanted)
            host = f"[{host}]" if ":" in host else host
            return text if ":" in text else f"{host}:{text}"
    return ""


def credentials() -> grpc.ServerCredentials | None:
    """The certificate of the server, which is that of this port too; None for plain HTTP/2.

    Raises:
        SetupError: its key has a password, which grpcio does not take.
    """
    certfile = os.environ.get(tls.CERTFILE)
    if not certfile:
        return None
    if os.environ.get(tls.KEYFILE_PASSWORD):
        raise SetupError(
            "the gRPC port cannot use a key with a password. Mend: take the password off the key,"
            " and let only the server's user read it"
        )
    key = Path(os.environ[tls.KEYFILE]).read_bytes()
    return grpc.ssl_server_credentials([(key, Path(certfile).read_bytes())])


async def listen(
    site: Site, address: str, certificate: grpc.ServerCredentials | None = None
) -> None:
    """Serve the gRPC methods of a site; until it ends.

    Args:
        site: the site.
        address: host and port. Worker processes share it (SO_REUSEPORT).
        certificate: for TLS; see `credentials`.
    """
    limit = max(mount.app.config.GRPC_MAX_MESSAGE for mount in site.mounts)
    server = aio.server(
        handlers=(_Handlers(site),),
        options=[
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 1),
        ],
    )
    try:
        if certificate is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, certificate)
    except RuntimeError as error:
        log.error("gRPC cannot listen on %s: %s", address, error)
        return
    await server.start()
    log.info("gRPC listens on %s", address)
    site.on_shutdown(lambda: server.stop(GRACE))


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # it has no types
    """Answers all methods alike: on the wire all calls are streams of messages both ways."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def service(self, details: Any) -> Any:
        async def answer(requests: Any, context: Any) -> None:
            await _answer(self._site, details, context)

        return grpc.stream_stream_rpc_method_handler(answer)


async def _answer(site: Site, details: Any, context: Any) -> None:
    exchange = PortExchange(details.method, details.invocation_metadata, context, site.loop)
    was: Was = site.open(exchange)
    site.start(was)
    try:
        await exchange.done
    except asyncio.CancelledError:
        exchange.gone.set()
        raise


class PortExchange(Exchange):
    """A call of grpc.aio, seen as the HTTP/2 request that it came in.

    Attributes:
        done: ends when the call is answered.
        gone: the client has left.
    """

    __slots__ = ("_context", "_fields", "_headers", "_loop", "_rest", "done", "gone")

    def __init__(self, path: str, metadata: Any, context: Any, loop: TaskLoop) -> None:
        self.method = "POST"
        self.path = path
        self.query = ""
        self.body = b""
        self._context = context
        self._loop = loop
        self._rest = b""
        self._headers: Headers = [("content-type", "application/grpc"), ("te", "trailers")]
        for name, value in metadata or ():
            text = base64.b64encode(value).decode() if isinstance(value, bytes) else value
            self._headers.append((name, text))
        left = context.time_remaining()
        if left is not None:
            self._headers.append(("grpc-timeout", f"{min(max(int(left * 1000), 0), 99999999)}m"))
        self._fields: dict[str, str] | None = None
        self.done: asyncio.Future[None] = loop.loop.create_future()
        self.gone = asyncio.Event()

    @property
    def can_trail(self) -> bool:
        """See `Exchange`."""
        return True

    @property
    def scheme(self) -> str:
        """See `Exchange`."""
        return "http"

    @property
    def version(self) -> str:
        """See `Exchange`."""
        return "2.0"

    @property
    def client(self) -> Address:
        """See `Exchange`."""
        kind, _, rest = self._context.peer().partition(":")
        host, _, port = rest.replace("%5B", "").replace("%5D", "").rpartition(":")
        if not kind.startswith("ipv") or not port.isdecimal():
            return "", 0
        return host.strip("[]"), int(port)

    @property
    def server(self) -> Address:
        """See `Exchange`."""
        return "", 0

    def header(self, name: str) -> str | None:
        """See `Exchange`."""
        if self._fields is None:
            self._fields = {}
            for key, value in self._headers:
                known = self._fields.get(key)
                self._fields[key] = value if known is None else f"{known}, {value}"
        return self._fields.get(name)

    def headers(self) -> Headers:
        """See `Exchange`."""
        return list(self._headers)

    def has_body(self) -> bool:
        """See `Exchange`."""
        return True

    async def read(self, size: int) -> bytes:
        """See `Exchange`."""
        if not self._rest:
            message = await self._context.read()
            if message is aio.EOF:
                return b""
            self._rest = b"\0" + len(message).to_bytes(4, "big") + message
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """See `Exchange`."""
        self._loop.call(self._refuse, status)

    def _refuse(self, status: int) -> None:
        error = HTTPError(status) if status >= 400 else None
        self._end(status_of(error) if error else UNKNOWN, error.message if error else "")

    async def respond_trailing(self, status: int, headers: Sequence[Header]) -> PortStream:
        """See `Exchange`."""
        metadata = [_as_metadata(pair) for pair in headers if _is_metadata(pair[0])]
        if metadata and not self._context.done():
            await self._context.send_initial_metadata(metadata)
        return PortStream(self, self._context)

    def departure(self) -> asyncio.Future[Any]:
        """See `Exchange`."""
        return asyncio.get_running_loop().create_task(self.gone.wait())

    def _end(self, code: int, message: str = "", trailers: Sequence[Header] = ()) -> None:
        if self.done.done():
            return
        self._context.set_code(_CODES.get(code, grpc.StatusCode.UNKNOWN))
        self._context.set_details(message)
        self._context.set_trailing_metadata(tuple(_as_metadata(pair) for pair in trailers))
        self.done.set_result(None)


class PortStream:
    """An answer on its way through grpc.aio; see `TrailingStream`."""

    __slots__ = ("_context", "_exchange")

    def __init__(self, exchange: PortExchange, context: Any) -> None:
        self._exchange = exchange
        self._context = context

    async def send(self, chunk: bytes) -> None:
        """Send a message, which is a whole chunk."""
        if self._exchange.gone.is_set():
            raise ClientGone
        try:
            await self._context.write(chunk[HEAD:])
        except (aio.UsageError, aio.InternalError, grpc.RpcError) as error:
            raise ClientGone from error

    async def close(self, trailers: Sequence[Header] = ()) -> None:
        """End the call with its status."""
        fields = dict(trailers)
        code, message = int(fields.get("grpc-status", OK)), fields.get("grpc-message", "")
        rest = [pair for pair in trailers if _is_metadata(pair[0])]
        self._exchange._end(code, unquote(message), rest)

    def abort(self) -> None:
        """End the call so that the client sees that something is missing."""
        self._exchange._end(grpc.StatusCode.UNAVAILABLE.value[0], "the call was broken off")


def _is_metadata(name: str) -> bool:
    return name != "content-type" and not name.startswith("grpc-")


def _as_metadata(pair: Header) -> tuple[str, str | bytes]:
    name, value = pair
    if name.endswith("-bin"):
        return name, base64.b64decode(value + "=" * (-len(value) % 4))
    return name, value
