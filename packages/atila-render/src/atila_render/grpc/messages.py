"""The messages of a client stream, for a handler to take one by one."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from atila import ClientGone
from atila_render.grpc.status import INTERNAL, UNIMPLEMENTED, GrpcError

if TYPE_CHECKING:
    from atila.runtime.loop import TaskLoop
    from atila_render.grpc.wire import FrameReader


class Messages:
    """A stream of messages.

    `for message in messages` in a `def` handler waits in its thread; `async for message in …` in
    `async def` holds none, and neither does `message = yield messages.get()` in a coroutine.

    Args:
        frames: the messages as bytes.
        kind: their class.
        loop: the task loop.
    """

    def __init__(self, frames: FrameReader, kind: Any, loop: TaskLoop) -> None:
        self._frames = frames
        self._kind = kind
        self._loop = loop
        self._waiting: concurrent.futures.Future[Any] | None = None
        self._ahead: asyncio.Task[bytes | None] | None = None
        self._closed = False
        self._ended = False

    def read_ahead(self) -> None:
        """Read the next message before it is asked for; so a client is seen to leave meanwhile."""
        self._ahead = asyncio.create_task(self._frames.next())

    async def get(self) -> Any:
        """The next message; None at the end. On the task loop.

        Raises:
            GrpcError: it is malformed or too long.
            ClientGone: the client has left.
        """
        if self._ended:
            return None
        if self._ahead is None:
            self.read_ahead()
        assert self._ahead is not None  # noqa: S101 - just made
        # Whoever waits here may be cancelled, which must not lose a message.
        data = await asyncio.shield(self._ahead)
        if data is None:
            self._ended = True
            return None
        self.read_ahead()
        return self._parsed(data)

    def _parsed(self, data: bytes) -> Any:
        try:
            return self._kind.FromString(data)
        except (DecodeError, RecursionError):
            name = self._kind.DESCRIPTOR.full_name
            raise GrpcError(INTERNAL, f"the message is no {name}") from None

    async def only(self) -> Any:
        """The only message of a request that is no stream.

        Raises:
            GrpcError: as `get`, or there is none, or another one.
        """
        data = await self._frames.next()
        if data is None:
            raise GrpcError(UNIMPLEMENTED, "the request has no message")
        # Not only for the sake of the rule: the end of the body has to be seen.
        if await self._frames.next() is not None:
            raise GrpcError(UNIMPLEMENTED, "the request has more than one message")
        self._ended = True
        return self._parsed(data)

    def interrupt(self) -> None:
        """Wake a thread that waits for a message: the call is over."""
        self._closed = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def close(self) -> None:
        """The call is over: nobody waits for a message any more. On the task loop."""
        self.interrupt()
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.cancel()
            await asyncio.wait([ahead])
            if not ahead.cancelled():
                ahead.exception()  # Nobody asked for it, so it is not worth a warning.

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        message = await self.get()
        if message is None:
            raise StopAsyncIteration
        return message

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._loop.is_current():
            raise RuntimeError(
                "this would block the task loop: write `async for`, or `yield messages.get()` in a"
                " coroutine"
            )
        self._waiting = asyncio.run_coroutine_threadsafe(self.get(), self._loop.loop)
        if self._closed:
            self._waiting.cancel()
        try:
            message = self._waiting.result()
        except concurrent.futures.CancelledError:
            raise ClientGone("the call is over") from None
        if message is None:
            raise StopIteration
        return message
