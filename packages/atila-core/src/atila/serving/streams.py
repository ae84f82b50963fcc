"""Answers whose body is produced while it is sent: iterators, generators and open files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from contextvars import copy_context
from typing import IO, TYPE_CHECKING, Any

from atila.http.exchange import ClientGone
from atila.http.fields import length_of
from atila.http.response import ANSWERED, HTML, head
from atila.runtime.offload import adopt, in_context, uninterrupted

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import Header, ResponseStream

CHUNK = 65536
"""Bytes read from an open file at a time."""

_END: Any = object()


def to_bytes(chunk: Any) -> bytes:
    """A piece of a body as bytes; text as UTF-8.

    Raises:
        TypeError: it is neither text nor bytes.
    """
    if isinstance(chunk, str):
        return chunk.encode()
    if isinstance(chunk, bytes | bytearray | memoryview):
        return bytes(chunk)
    raise TypeError(f"a piece of a streamed body must be str or bytes, not {_described(chunk)}")


def _described(chunk: Any) -> str:
    name = type(chunk).__name__
    if not hasattr(type(chunk), "__await__"):
        return name
    return (
        f"{name}: a handler that yields what it waits for is a coroutine, so write"
        " @app.route(…, coroutine=True); `async def` awaits it"
    )


def read_file(file: IO[Any]) -> Iterator[Any]:
    """The content of an open file, piece by piece; closes it at the end."""
    with file:
        while chunk := file.read(CHUNK):
            yield chunk


async def send_iterator(was: Was, chunks: Iterator[Any], kind: Header) -> Any:
    """Answer with the pieces of a blocking iterator.

    A worker thread makes each piece, and is free while the client takes it.
    """
    return await send_async(was, iterate(was, chunks), kind)


async def iterate(was: Was, values: Iterator[Any]) -> AsyncIterator[Any]:
    """The items of a blocking iterator, each made in a worker thread; closes it at the end."""
    # One for all of it: what a generator sets, it sees when it goes on.
    context = copy_context()
    step: asyncio.Future[Any] | None = None
    try:
        while True:
            step = in_context(was, context, next, values, _END)
            # The thread must be left to end it, and informed if it waits for tasks or the client.
            value = await uninterrupted(was, step)
            if value is _END:
                break
            yield value
    finally:
        if (close := getattr(values, "close", None)) is not None:
            await in_context(was, context, close)
        adopt(context)


async def send_async(was: Was, chunks: AsyncIterator[Any], kind: Header | None = None) -> Any:
    """Answer with the pieces of an asynchronous iterator.

    The head is sent with the first piece, so that an error before it is still answered properly;
    one after it ends the connection, for the client to see that something is missing.

    Returns:
        response.ANSWERED
    """
    stream: ResponseStream | None = None
    if not hasattr(chunks, "aclose"):
        chunks = closable(chunks)
    async with aclosing(chunks):  # type: ignore[type-var]  # it has aclose, seen above
        try:
            async for chunk in chunks:
                data = to_bytes(chunk)
                if stream is None:
                    stream = await open_stream(was, kind or HTML)
                if data:
                    await stream.send(data)
            if stream is None:
                stream = await open_stream(was, kind or HTML)
            await stream.close()
        except ClientGone:
            was.cancel()
            return ANSWERED
        except BaseException:
            if stream is not None:
                stream.abort()
            raise
    return ANSWERED


async def closable(chunks: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The same values from an iterator that can be closed."""
    async for chunk in chunks:
        yield chunk


async def open_stream(was: Was, kind: Header) -> ResponseStream:
    """Send the head of a streamed answer; a HEAD request gets nothing more than that."""
    exchange = was.exchange
    status = was.response.status_code
    headers = head(was, kind)
    was.headers_sent = True
    if exchange.method == "HEAD":
        exchange.respond(status, headers, b"")
        return _Nowhere()
    stream = await exchange.respond_stream(status, headers)
    length = length_of(headers)
    return stream if length is None else _Measured(stream, length)


class _Measured:
    """A streamed answer whose handler said how long it is: another length would be taken for a
    part of the next answer, or be waited for.

    Raises:
        ValueError: the pieces are more, or less; those too many are not sent.
    """

    def __init__(self, stream: ResponseStream, length: int) -> None:
        self._stream = stream
        self._length = self._left = length

    async def send(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            raise ValueError(f"the body is longer than Content-Length says: {self._length} bytes")
        await self._stream.send(chunk)

    async def close(self) -> None:
        if self._left:
            raise ValueError(
                f"the body is {self._left} bytes shorter than Content-Length says: {self._length}"
            )
        await self._stream.close()

    def abort(self) -> None:
        self._stream.abort()


class _Nowhere:
    """Where the body of an answer to HEAD goes."""

    async def send(self, chunk: bytes) -> None:
        raise ClientGone

    async def close(self) -> None:
        pass

    def abort(self) -> None:
        pass
