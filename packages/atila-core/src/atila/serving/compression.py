"""Compressed answers: the setting COMPRESS.

Exchanges of sites with compressing routes are made of a class that compresses what they answer, so
that everything that answers, and every engine, does it alike. A site without such a route runs no
line of this module for a request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from atila.errors import HTTPError
from atila.http import codings
from atila.http.exchange import ClientGone, Exchange, Header, Headers, ResponseStream
from atila.http.fields import length_of, without
from atila.http.observation import Opener

if TYPE_CHECKING:
    from atila import Atila, Site, Was
    from atila.http.codings import Accepted, Coding
    from atila.routing.router import Route

log = logging.getLogger("atila.compression")
Kind = TypeVar("Kind", bound=Exchange)

ON_LOOP = 32768
"""Bytes that are compressed on the task loop, in about 0.4 ms at most; more are in a thread."""
WHOLE_FILE = 262144
"""Bytes of a file that is compressed whole, and sent with its length; longer ones are streamed."""
EVENTS = "text/event-stream"

_NOT_BESIDE = frozenset(
    {"content-digest", "content-encoding", "content-md5", "content-range", "repr-digest"}
)
"""Headers of answers that stay as they are: encoded already, a part, or described byte by byte."""
_TYPES = frozenset(
    {
        "application/graphql",
        "application/javascript",
        "application/json",
        "application/ld+json",
        "application/manifest+json",
        "application/ndjson",
        "application/rtf",
        "application/sql",
        "application/toml",
        "application/vnd.api+json",
        "application/vnd.ms-fontobject",
        "application/wasm",
        "application/x-javascript",
        "application/x-ndjson",
        "application/x-sh",
        "application/xml",
        "application/yaml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/svg+xml",
        "image/vnd.microsoft.icon",
        "image/x-icon",
    }
)


def is_on(app: Atila, route: Route) -> bool:
    """Whether the answers of a route are compressed."""
    return bool(route.options.get("compress", app.config.COMPRESS is True))


def is_compressible(content_type: str) -> bool:
    """Whether bodies of a media type become shorter: text, and the like."""
    media = content_type.partition(";")[0].strip().lower()
    return (
        media.startswith("text/") or media in _TYPES or media.endswith(("+json", "+xml", "+text"))
    )


def compressing(kind: type[Kind], site: Any) -> type[Kind]:
    """The class of an engine's exchanges, for a site with compressing routes.

    Args:
        kind: the class for a site without any.
        site: the site.
    """
    return type(f"Compressing{kind.__name__}", (Compressing, kind), {"site": site})


def instrument(opened: Opener, refuse: Callable[[Exchange, Atila, HTTPError], Was]) -> Opener:
    """`Site.open` for a site with compressing routes.

    Args:
        opened: the `open` of one without.
        refuse: `Site.refusal`.
    """

    def open_compressing(exchange: Any) -> Was:
        was = opened(exchange)
        if was.endpoint.compress and not exchange.is_websocket:
            exchange.accepted = wanted = codings.accepted(exchange.header("accept-encoding"))
            exchange.minimum = was.app.config.COMPRESS_MINIMUM
            if not wanted.identity and wanted.best(tuple(codings.installed())) is None:
                # Before the handler, which may change something, has run.
                error = HTTPError(406, f"the codings are {', '.join(codings.installed())}")
                was = refuse(exchange, was.app, error)
        return was

    return open_compressing


class Compressing(Exchange):
    """Mixed into an engine's exchange class, to compress what it answers.

    Attributes:
        site: whose threads compress what would hold up the task loop.
        accepted: the codings that the client accepts; None for a route that does not compress.
        minimum: the setting COMPRESS_MINIMUM.
    """

    site: ClassVar[Site]
    accepted: Accepted | None = None
    minimum: int = 0

    def respond(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        if self.accepted is None:
            super().respond(status, headers, body)
            return
        if status == 304:
            super().respond(status, self._as_sent_before(headers), body)
            return
        size: int | None = len(body)
        if self.method == "HEAD":
            size = length_of(headers)
        if not self._is_eligible(status, headers, size):
            super().respond(status, headers, body)
            return
        coding = self._choose(headers)
        if coding is None:
            super().respond(status, varying(headers), body)
        elif self.method == "HEAD":
            super().respond(status, encoded(headers, coding), body)
        elif len(body) <= ON_LOOP or not self.site.is_on_its_loop():
            super().respond(status, *_packed(headers, body, coding))
        elif not self.site.pool.submit(self._respond_packed, status, headers, body, coding):
            # Too much to do already: longer on the wire, and no work.
            super().respond(status, varying(headers), body)

    # Not the engine's, which would pass by `respond`.
    respond_text = Exchange.respond_text

    def respond_file(
        self, status: int, headers: Sequence[Header], path: str, offset: int, size: int
    ) -> None:
        coding = None
        if self.accepted is not None and self._is_eligible(status, headers, size):
            coding = self._choose(headers)
            if coding is None:
                headers = varying(headers)
        part = _Part(path, offset, size)
        if coding is None:
            super().respond_file(status, headers, *part)
        elif size > WHOLE_FILE:
            self.site.loop.spawn(self._stream_file(status, headers, part, coding))
        elif not self.site.is_on_its_loop():
            self._respond_small_file(status, headers, part, coding)
        elif not self.site.pool.submit(self._respond_small_file, status, headers, part, coding):
            super().respond_file(status, varying(headers), *part)

    async def respond_stream(self, status: int, headers: Sequence[Header]) -> ResponseStream:
        coding = None
        if self.accepted is not None and self._is_eligible(status, headers, None):
            coding = self._choose(headers)
            headers = varying(headers) if coding is None else encoded(headers, coding)
        stream = await super().respond_stream(status, headers)
        return stream if coding is None else _PackedStream(stream, coding)

    def _is_eligible(self, status: int, headers: Sequence[Header], size: int | None) -> bool:
        """Whether an answer may be compressed, if the client wants it.

        Args:
            status: its status.
            headers: its headers.
            size: bytes of its body; None if that is not known.
        """
        if status < 200 or status in (204, 205, 206, 304) or size == 0:
            return False
        wanted = self.accepted
        forced = wanted is not None and not wanted.identity
        if size is not None and size < self.minimum and not forced:
            return False
        is_compressible_ = forced
        for name, value in headers:
            if name in _NOT_BESIDE:
                return False
            if name == "content-type":
                if value.startswith("application/grpc"):
                    return False
                is_compressible_ = is_compressible_ or is_compressible(value)
            elif name == "cache-control" and "no-transform" in value.lower():
                return False
        return is_compressible_

    def _choose(self, headers: Sequence[Header]) -> Coding | None:
        available = codings.installed()
        offered = tuple(available)
        if any(n == "content-type" and v.startswith(EVENTS) for n, v in headers):
            # Open for hours, and many: the others need up to ten times the memory for each.
            offered = ("gzip",)
        assert self.accepted is not None  # noqa: S101 - seen before
        name = self.accepted.best(offered)
        return None if name is None else available[name]

    def _as_sent_before(self, headers: Sequence[Header]) -> Headers:
        """The headers of 304: the entity tag is the one that the client has stored."""
        known = self.header("if-none-match") or ""
        return [
            ("etag", f"W/{value}") if name == "etag" and f"W/{value}" in known else (name, value)
            for name, value in varying(headers)
        ]

    # In a worker thread -------------------------------------------------------------------------

    def _respond_packed(
        self, status: int, headers: Sequence[Header], body: bytes, coding: Coding
    ) -> None:
        try:
            headers, body = _packed(headers, body, coding)
        except Exception:
            log.exception("an answer could not be compressed, and is sent as it is")
        super().respond(status, headers, body)

    def _respond_small_file(
        self, status: int, headers: Sequence[Header], part: _Part, coding: Coding
    ) -> None:
        try:
            with open(part.path, "rb") as file:
                file.seek(part.offset)
                body = file.read(part.size)
        except OSError:
            # It answers as it does for a file that vanishes without compression.
            super().respond_file(status, headers, *part)
            return
        super().respond(status, *_packed(headers, body, coding))

    # On the task loop ---------------------------------------------------------------------------

    async def _stream_file(
        self, status: int, headers: Sequence[Header], part: _Part, coding: Coding
    ) -> None:
        try:
            file = await asyncio.to_thread(open, part.path, "rb")
        except OSError:
            super().respond_file(status, headers, *part)
            return
        with file:
            file.seek(part.offset)
            packer, left = coding.packer(), part.size

            def next_piece() -> bytes | None:
                nonlocal left
                while left:
                    piece = file.read(min(left, WHOLE_FILE))
                    if not piece:
                        raise OSError(f"{part.path} became shorter while it was sent")
                    left -= len(piece)
                    if packed := packer.feed(piece):
                        return packed
                return None

            stream = await super().respond_stream(status, encoded(headers, coding))
            try:
                while (piece := await asyncio.to_thread(next_piece)) is not None:
                    await stream.send(piece)
                await stream.send(packer.finish())
                await stream.close()
            except ClientGone:
                pass
            except BaseException as error:
                stream.abort()
                if not isinstance(error, Exception):
                    raise
                log.exception("a file could not be sent whole")


class _Part(NamedTuple):
    """A part of a file, as `respond_file` takes it."""

    path: str
    offset: int
    size: int


class _PackedStream:
    """A streamed answer that is compressed; each piece can be read when it has arrived."""

    def __init__(self, stream: ResponseStream, coding: Coding) -> None:
        self._stream = stream
        self._packer = coding.packer()

    async def send(self, chunk: bytes) -> None:
        if len(chunk) > ON_LOOP:
            packed = await asyncio.to_thread(self._pack, chunk)
        else:
            packed = self._pack(chunk)
        await self._stream.send(packed)

    def _pack(self, chunk: bytes) -> bytes:
        return self._packer.feed(chunk) + self._packer.flush()

    async def close(self) -> None:
        if last := self._packer.finish():
            await self._stream.send(last)
        await self._stream.close()

    def abort(self) -> None:
        self._stream.abort()


def _packed(headers: Sequence[Header], body: bytes, coding: Coding) -> tuple[Headers, bytes]:
    return encoded(headers, coding), coding.pack(body)


def encoded(headers: Iterable[Header], coding: Coding) -> Headers:
    """The headers of an answer, once its body is compressed: another length, no ranges, and an
    entity tag that is no longer one of bytes (RFC 9110, section 8.8.1)."""
    found = []
    for name, value in varying(headers):
        if name in ("accept-ranges", "content-length"):
            continue
        if name == "etag" and not value.startswith("W/"):
            value = f"W/{value}"
        found.append((name, value))
    return [*found, ("content-encoding", coding.name)]


def varying(headers: Iterable[Header]) -> Headers:
    """Headers with Accept-Encoding in Vary (RFC 9110, section 12.5.5), beside what is there."""
    headers = list(headers)
    values = [value for name, value in headers if name == "vary"]
    named = [field.strip() for value in values for field in value.split(",")]
    if "*" in named or "accept-encoding" in map(str.lower, named):
        return headers
    fields = [field for field in named if field]
    return [*without(headers, "vary"), ("vary", ", ".join([*fields, "Accept-Encoding"]))]
