"""Sends event streams: one event after the other, a heartbeat in between, and an end when the
client leaves, or the server stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from atila.http.events import EVENT_STREAM, HEARTBEAT, Event, EventStream, RoomEvents, encode
from atila.http.exchange import ClientGone
from atila.http.response import ANSWERED
from atila.serving.streams import closable, iterate, open_stream

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import ResponseStream

HEAD_AFTER = 0.5
"""Seconds after which the head is sent, if there is no event by then. Errors until then are
answered as those of any request."""
CLOSE_SECONDS = 1.0
"""Seconds that the last bytes may take when the server stops."""

log = logging.getLogger("atila.events")


def respond(was: Was, stream: EventStream) -> Awaitable[Any]:
    """The responder of event streams."""
    response = was.response
    # Proxies, nginx among them, would else keep events back until they have enough of them.
    for name, value in (("cache-control", "no-cache"), ("x-accel-buffering", "no")):
        if response.get_header(name) is None:
            response.set_header(name, value)
    return _answer(was, stream)


def respond_without_rooms(was: Was, stream: RoomEvents) -> Any:
    """The responder of rooms where no layer has any; `was.EventStream` has refused them."""
    raise TypeError("event streams of rooms need a layer that has rooms")


async def _answer(was: Was, stream: EventStream) -> Any:
    if was.exchange.method == "HEAD":
        await open_stream(was, EVENT_STREAM)
        return ANSWERED
    return await OpenEventStream(was, stream).send()


class OpenEventStream:
    """An event stream that is being sent. On the task loop.

    Args:
        was: the request.
        stream: the answer.

    Attributes:
        hides_end: see `Exchange.hides_end`.
    """

    def __init__(self, was: Was, stream: EventStream) -> None:
        config = was.app.config
        self._was = was
        self.hides_end = was.exchange.hides_end
        self._source = _asynchronous(was, stream)
        self._first = b"" if stream.retry is None else Event(retry=stream.retry).encode()
        self._heartbeat: float = stream.heartbeat or config.EVENT_HEARTBEAT
        self._patience: float = config.EVENT_SEND_TIMEOUT
        self._loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()
        self._stream: ResponseStream | None = None
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._beat: asyncio.Task[None] | None = None
        self._written = self._loop.time()

    async def send(self) -> Any:
        """Send all events, until there are no more or the client leaves.

        Returns:
            response.ANSWERED

        Raises:
            Exception: whatever the source raises.
        """
        site = self._was.site
        self._task = asyncio.current_task()
        self._timer = self._loop.call_later(HEAD_AFTER, self._on_time)
        site.add_event_stream(self)
        try:
            async with aclosing(self._source) as events:  # type: ignore[type-var]  # it has aclose
                async for event in events:
                    await self._write(encode(event))
            await self._close()
        except ClientGone:
            self._was.cancel()
        except asyncio.CancelledError:
            # The client has left, which is how most streams end, or the server stops.
            self._was.cancel()
            await self._end_early()
        except BaseException:
            if self._stream is not None:
                self._stream.abort()
            raise
        finally:
            site.event_streams.discard(self)
            self._timer.cancel()
            if self._beat is not None:
                self._beat.cancel()
        return ANSWERED

    async def _write(self, data: bytes) -> None:
        """Send some bytes, and before the first ones the head.

        Raises:
            ClientGone: the client has left, or takes nothing for too long.
        """
        async with self._lock:
            if self._stream is None:
                self._stream = await open_stream(self._was, EVENT_STREAM)
                data = self._first + data
            stream = self._stream
            try:
                async with asyncio.timeout(self._patience):
                    await stream.send(data)
            except TimeoutError:
                stream.abort()
                log.info(
                    "request %s: an event stream was closed, whose client took nothing for %g s",
                    self._was.request_id,
                    self._patience,
                )
                raise ClientGone("the client takes nothing") from None
            self._written = self._loop.time()

    async def _close(self) -> None:
        if self._stream is None:
            await self._write(HEARTBEAT)
        if self._stream is not None:
            await self._stream.close()

    async def _end_early(self) -> None:
        """End it after it was cancelled: regularly if the server stops, so that the client comes
        again.
        """
        if self._task is not None:
            self._task.uncancel()
        stream = self._stream
        if stream is None:
            stream = self._stream = await open_stream(self._was, EVENT_STREAM)
        try:
            if self._was.site.is_draining:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await stream.close()
                return
        except (ClientGone, TimeoutError):
            pass
        stream.abort()

    # Time ---------------------------------------------------------------------------------------

    def _on_time(self) -> None:
        due = self._written + self._heartbeat - self._loop.time()
        if self._stream is not None and due > 0:
            self._timer = self._loop.call_later(due, self._on_time)
            return
        if not self._lock.locked():
            self._beat = self._loop.create_task(self._send_heartbeat())
        self._timer = self._loop.call_later(self._heartbeat, self._on_time)

    async def _send_heartbeat(self) -> None:
        try:
            await self._write(HEARTBEAT)
        except ClientGone:
            self._cancel()
        except Exception:
            log.exception("request %s: a heartbeat failed", self._was.request_id)
            self._cancel()

    # The end ------------------------------------------------------------------------------------

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def close(self, code: int, reason: str) -> None:
        """The server stops: end it; see `Site.drain`."""
        self._cancel()


def _asynchronous(was: Was, stream: EventStream) -> AsyncIterator[Any]:
    source = stream.source
    if isinstance(source, AsyncIterable):
        events = aiter(source)
        return events if hasattr(events, "aclose") else closable(events)
    return iterate(was, iter(source))


RESPONDERS: dict[type, Callable[[Was, Any], Any]] = {
    EventStream: respond,
    RoomEvents: respond_without_rooms,
}
