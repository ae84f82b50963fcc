"""One call of a gRPC method: from its head to its trailers."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from atila import ANSWERED, ClientGone, HTTPError
from atila.http.response import Response, head
from atila.runtime.offload import in_worker
from atila.serving.responders import resolved
from atila.serving.streams import iterate
from atila_render.grpc.messages import Messages
from atila_render.grpc.refusals import HEAD
from atila_render.grpc.status import (
    DEADLINE_EXCEEDED,
    GrpcError,
    metadata_of,
    trailers_of,
)
from atila_render.grpc.wire import FrameReader, frame, parse_timeout

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import TrailingStream
    from atila_render.grpc.methods import Method


class Call:
    """A running call. On the task loop.

    Args:
        was: the request.
        method: the method that is called.
    """

    def __init__(self, was: Was, method: Method) -> None:
        self._was = was
        self._method = method
        exchange = was.exchange
        encoding = exchange.header("grpc-encoding")
        limit = was.app.config.GRPC_MAX_MESSAGE
        frames = FrameReader(exchange.read, encoding, limit)
        self._messages = Messages(frames, method.takes, was.site.loop)
        accepted = exchange.header("grpc-accept-encoding") or ""
        # As the client does, so that who wants to save its processor's time need not say so.
        self._compress = encoding == "gzip" and "gzip" in accepted
        self._stream: TrailingStream | None = None

    async def answer(self) -> Any:
        """Make the call and answer it.

        Returns:
            atila.ANSWERED

        Raises:
            Exception: the error of the call. If the head was sent, so are the trailers that report
            it.
        """
        was = self._was
        limit = asyncio.timeout(parse_timeout(was.exchange.header("grpc-timeout")))
        try:
            async with limit:
                await self._serve()
        except ClientGone:
            was.cancel()
        except asyncio.CancelledError:
            if self._stream is not None:
                self._stream.abort()
            raise
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                was.cancel()
                error = GrpcError(DEADLINE_EXCEEDED, "the deadline has passed")
            await self._end_with(error)
            raise error from error.__cause__
        finally:
            await self._messages.close()
        return ANSWERED

    async def _serve(self) -> None:
        was, method, messages = self._was, self._method, self._messages
        if method.client_streaming:
            messages.read_ahead()
            was.on_cancel(messages.interrupt)
            # In place of that of the context, which gives bytes.
            was.__dict__["Input"] = lambda size=0: messages.get()
            value = await self._call(messages)
        else:
            value = await self._call(await messages.only())
        if method.server_streaming:
            async with aclosing(self._iterate(value)) as answers:
                async for answer in answers:
                    await self._send(answer)
        else:
            await self._send(await was.endpoint.finished(was, value))
        stream = await self._open()
        # From now on the engine alone reads.
        await messages.close()
        trailers = [("grpc-status", "0"), *metadata_of(was.response.trailers)]
        await stream.close(trailers)

    async def _call(self, argument: Any) -> Any:
        was, method = self._was, self._method
        params = {method.parameter: argument} if method.parameter else {}
        if method.on_loop:
            value = method.handler(was, **params)
        else:
            if was.site.pool.is_full:
                raise HTTPError(503, "the server is busy")
            value = await in_worker(was, method.call, was, params)
        value = await resolved(was, value)
        if isinstance(value, Response):
            if value.status_code >= 400:
                raise HTTPError(value.status_line())
            value = value.body
        return value

    async def _iterate(self, values: Any) -> AsyncGenerator[Any, None]:
        if isinstance(values, AsyncIterator):
            try:
                async for value in values:
                    yield value
            finally:
                if (close := getattr(values, "aclose", None)) is not None:
                    await close()
        elif isinstance(values, Iterable):
            async with aclosing(iterate(self._was, iter(values))) as made:  # type: ignore[type-var]  # it has aclose
                async for value in made:
                    yield value
        else:
            raise TypeError(
                f"{self._method.name} is a stream of answers: yield them, or return a list;"
                f" {type(values).__name__} is none"
            )

    async def _send(self, message: Any) -> None:
        method = self._method
        if not isinstance(message, method.gives):
            raise TypeError(
                f"{method.name} answers with {method.gives.DESCRIPTOR.full_name},"
                f" not {type(message).__name__}"
            )
        data = frame(message.SerializeToString(), compress=self._compress)
        stream = await self._open()
        await stream.send(data)

    async def _open(self) -> TrailingStream:
        if self._stream is None:
            was = self._was
            encoding = [("grpc-encoding", "gzip")] if self._compress else []
            headers = [*HEAD, *encoding, *metadata_of(head(was, None))]
            was.headers_sent = True
            self._stream = await was.exchange.respond_trailing(200, headers)
        return self._stream

    async def _end_with(self, error: Exception) -> None:
        """Send an error in the trailers, if the head was sent; else others will."""
        await self._messages.close()
        if self._stream is None:
            return
        reported = error if isinstance(error, HTTPError) else HTTPError(500)
        try:
            await self._stream.close(trailers_of(reported))
        except ClientGone:
            pass


def is_on_loop(handler: Any) -> bool:
    """Whether a handler is called on the task loop: it blocks nothing."""
    return inspect.iscoroutinefunction(handler) or inspect.isasyncgenfunction(handler)
