"""Event streams of the test clients: `with client.events("/updates") as events: next(events)`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from atila.http.exchange import ClientGone, Header
from atila.testing.waits import WAIT, patience
from atila.values import json as exact


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """An event as a browser has it (WHATWG HTML, section 9.2.6).

    Attributes:
        data: its data.
        event: its name, "message" if it was given none.
        id: the last id that was given, by this event or one before.
    """

    data: str
    event: str = "message"
    id: str = ""

    def json(self) -> Any:
        """The data as JSON."""
        return exact.loads(self.data)


class EventParser:
    """Makes events of the bytes of a stream.

    Attributes:
        last_event_id: the last id that was given.
        retry: the milliseconds that the server has asked for; None if it has not.
        comments: how many comments there were.
    """

    def __init__(self) -> None:
        self.last_event_id = ""
        self.retry: int | None = None
        self.comments = 0
        self._rest = b""
        self._data: list[str] = []
        self._event = ""

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events that are complete with some more bytes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [event for line in lines if (event := self._line(line.decode())) is not None]

    def _line(self, line: str) -> ServerEvent | None:
        if not line:
            data, self._data = self._data, []
            name, self._event = self._event, ""
            if not data:
                return None
            return ServerEvent("\n".join(data), name or "message", self.last_event_id)
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not field:
            self.comments += 1
        elif field == "data":
            self._data.append(value)
        elif field == "event":
            self._event = value
        elif field == "id" and "\0" not in value:
            self.last_event_id = value
        elif field == "retry" and value.isascii() and value.isdecimal():
            self.retry = int(value)
        return None


class Chunks(Protocol):
    """The way of a stream's bytes to the client; None is a regular end, an error another one."""

    def put(self, chunk: bytes | Exception | None, /) -> None:
        """Hand some over. From any thread."""


class StreamEnd:
    """The app's end of an event stream.

    Args:
        status_code: the status code.
        header_list: the headers in the order sent.
        chunks: takes the bytes.
        leave: has the app notice that the client has left.
    """

    def __init__(
        self,
        status_code: int,
        header_list: Sequence[Header],
        chunks: Chunks,
        leave: Callable[[], object],
    ) -> None:
        self.status_code = status_code
        self.header_list = list(header_list)
        self._chunks = chunks
        self._leave = leave
        self._has_left = False
        self._parser = EventParser()
        self._ready: list[ServerEvent] = []

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case name."""
        return dict(self.header_list)

    @property
    def last_event_id(self) -> str:
        """The last id that was given."""
        return self._parser.last_event_id

    @property
    def retry(self) -> int | None:
        """The milliseconds after which the app wants a lost client back; None for none."""
        return self._parser.retry

    async def send(self, chunk: bytes) -> None:
        """See `ResponseStream`."""
        if self._has_left:
            raise ClientGone
        self._chunks.put(chunk)

    async def close(self, trailers: Sequence[Header] = ()) -> None:
        """See `ResponseStream`."""
        self._chunks.put(None)

    def abort(self) -> None:
        """See `ResponseStream`."""
        self._chunks.put(ConnectionResetError("the event stream broke off"))

    def _disconnect(self) -> None:
        if not self._has_left:
            self._has_left = True
            self._leave()

    def _take(self, chunk: bytes | Exception | None) -> bool:
        """Take some of the stream; False at its end."""
        if isinstance(chunk, Exception):
            raise chunk
        if chunk is None:
            return False
        self._ready.extend(self._parser.feed(chunk))
        return True


class TestEvents(StreamEnd, Iterator[ServerEvent]):
    """An event stream of `TestClient`: an iterator of its events; see `StreamEnd`."""

    __test__ = False
    _chunks: SimpleQueue[bytes | Exception | None]

    def __next__(self) -> ServerEvent:
        while not self._ready:
            seconds = patience(WAIT)
            try:
                if not self._take(self._chunks.get(timeout=seconds)):
                    raise StopIteration
            except Empty:
                raise TimeoutError(f"no event within {seconds:.0f} s") from None
        return self._ready.pop(0)

    def disconnect(self) -> None:
        """Leave."""
        self._disconnect()

    def __enter__(self) -> TestEvents:
        return self

    def __exit__(self, *error: object) -> None:
        self.disconnect()


class AsyncTestEvents(StreamEnd, AsyncIterator[ServerEvent]):
    """An event stream of `AsyncTestClient`: an asynchronous iterator of its events."""

    _chunks: AsyncChunks

    async def __anext__(self) -> ServerEvent:
        while not self._ready:
            async with asyncio.timeout(patience(WAIT)):
                chunk = await self._chunks.queue.get()
            if not self._take(chunk):
                raise StopAsyncIteration
        return self._ready.pop(0)

    async def disconnect(self) -> None:
        """Leave."""
        self._disconnect()

    async def __aenter__(self) -> AsyncTestEvents:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.disconnect()


class AsyncChunks:
    """Chunks for a coroutine to wait for."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()

    def put(self, chunk: bytes | Exception | None, /) -> None:
        """See `Chunks`."""
        self._loop.call_soon_threadsafe(self.queue.put_nowait, chunk)
