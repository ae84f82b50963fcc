"""Event streams of rooms: `was.EventStream(rooms=["orders"])`."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TYPE_CHECKING, Any

from atila import ClientGone, Event, SharedUnavailable
from atila.http.events import EventStream
from atila.runtime.keeping import kept
from atila.runtime.offload import in_worker
from atila_ws.delivery.envelope import Envelope
from atila_ws.delivery.history import History, Mark, history_of
from atila_ws.delivery.hub import Room, hub_of, space_of
from atila_ws.outbox import OVERHEAD

if TYPE_CHECKING:
    from atila import Site, Was
    from atila.http.events import RoomEvents

LOOK_SECONDS = 5.0
"""How long a listener that hears nothing waits before it looks for messages that did not come: the
worker that sent them was killed in between, or Redis was away."""
RETRY_SECONDS = 1.0
"""How long it waits before it reads again of a history that is away."""

log = logging.getLogger("atila.ws")


def respond(was: Was, answer: RoomEvents) -> EventStream:
    """The responder of rooms."""
    listener = Listener(was, answer.rooms)
    return EventStream(listener.events(), retry=answer.retry, heartbeat=answer.heartbeat)


class Listener:
    """One event stream of rooms. On the task loop.

    Args:
        was: the request.
        rooms: the names of the rooms.

    Attributes:
        closed: it takes no more messages.
    """

    def __init__(self, was: Was, rooms: Sequence[str]) -> None:
        config = was.app.config
        self._was = was
        self._rooms = tuple(rooms)
        self._space = space_of(was.app)
        self._hub = hub_of(was.site)
        self._history = history_of(was.app)
        self._limit: int = 2 * config.WS_SEND_BUFFER
        # Of each room, the last message that was sent.
        self._at = dict.fromkeys(self._rooms, Mark())
        self._inbox: deque[Envelope] = deque()
        self._size = 0
        self._arrived = asyncio.Event()
        self._is_late = False
        self.closed = False

    def take(self, envelope: Envelope) -> bool:
        """Take a message; whether it was taken. A listener that leaves too many waiting is closed.

        It comes again, and gets from the history what it has missed.
        """
        if self.closed or envelope.event is None:
            return False
        self._size += len(envelope.value) + OVERHEAD
        if self._size > self._limit:
            self._is_late = True
            self._leave()
            self._inbox.clear()
        else:
            self._inbox.append(envelope)
        self._arrived.set()
        return not self._is_late

    def _leave(self) -> None:
        self.closed = True
        for room in self._rooms:
            self._hub.leave(self, (self._space, room))

    async def events(self) -> AsyncGenerator[Event, None]:
        """The messages of the rooms, as events.

        Raises:
            ClientGone: the client takes them too slowly.
        """
        try:
            await self._enter()
            missed = await self._missed()
            # So that the head is sent: whoever has it misses nothing from then on.
            yield Event(comment="", id=None if self._history is None else self._id())
            for event in missed:
                yield event
            while True:
                while self._inbox:
                    envelope = self._inbox.popleft()
                    self._size -= len(envelope.value) + OVERHEAD
                    for event in await self._of(envelope):
                        yield event
                if self._is_late:
                    raise ClientGone("messages are not taken fast enough")
                if not await self._wait() and await self._lacks_some():
                    for event in await self._patiently(self._read_all, self._history):
                        yield event
        finally:
            self._leave()

    async def _enter(self) -> None:
        """Join the rooms, from where the client has got to."""
        history = self._history
        for room in self._rooms:
            await in_worker(self._was, self._hub.join, self, (self._space, room))
        if history is None:
            return
        given = _marks(self._was.request.last_event_id, len(self._rooms))
        for room, mark in zip(self._rooms, given, strict=True):
            self._at[room] = mark or await in_worker(self._was, history.newest, room)

    async def _wait(self) -> bool:
        """Wait for a message; whether one came."""
        self._arrived.clear()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._arrived.wait()
        except TimeoutError:
            return False
        return True

    async def _lacks_some(self) -> bool:
        """Whether there are messages that did not come here."""
        history, newest = self._history, newest_of(self._was.site)
        if history is None:
            return False
        for room in self._rooms:
            if await newest.mark(self._was, history, (self._space, room)) not in (
                None,
                self._at[room],
            ):
                return True
        return False

    async def _missed(self) -> list[Event]:
        """The messages of all rooms that were sent and did not come here."""
        if self._history is None:
            return []
        events: list[Event] = await in_worker(self._was, self._read_all, self._history)
        return events

    async def _patiently(self, read: Callable[..., list[Event]], *args: Any) -> list[Event]:
        """The events of the history, as soon as that can be read."""
        while True:
            try:
                events: list[Event] = await in_worker(self._was, read, *args)
                return events
            except SharedUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    def _read_all(self, history: History) -> list[Event]:
        events = []
        for room in self._rooms:
            events += self._read(history, room, history.newest(room))
        return events

    def _read(self, history: History, room: str, last: Mark) -> list[Event]:
        """The messages of a room up to one, after the last one that was sent."""
        at = self._at[room]
        if at == last:
            return []
        events = []
        for mark, message in history.between(room, at, last):
            self._at[room] = mark
            events.append(self._event(Envelope.unpack(message)))
        self._at[room] = last
        return events

    async def _of(self, envelope: Envelope) -> list[Event]:
        """The events of an envelope: none, if it was sent already, or with those before it."""
        history, room = self._history, envelope.to
        if history is None:
            return [self._event(envelope)]
        mark, at = Mark.of(envelope.mark), self._at[room]
        if mark is None or (mark.epoch == at.epoch and mark.number <= at.number):
            return []
        follows = mark.epoch == at.epoch or not at.epoch
        if not follows or mark.number != at.number + 1:
            # Others of another worker are on their way, and come too late.
            return await self._patiently(self._read, history, room, mark)
        self._at[room] = mark
        return [self._event(envelope)]

    def _event(self, envelope: Envelope) -> Event:
        given_id = None if self._history is None else self._id()
        return Event(envelope.value, envelope.event or "", given_id)

    def _id(self) -> str:
        return ",".join(str(self._at[room]) for room in self._rooms)


class Newest:
    """The marks of the last messages of rooms, which all listeners of a process ask for from time
    to time: the state is asked once. On the task loop.
    """

    def __init__(self) -> None:
        self._found: dict[Room, tuple[float, asyncio.Task[Mark | None]]] = {}

    async def mark(self, was: Was, history: History, room: Room) -> Mark | None:
        """That of a room, a few seconds old at most; None if it cannot be read."""
        now = asyncio.get_running_loop().time()
        asked, task = self._found.get(room, (0.0, None))
        if task is None or now - asked > LOOK_SECONDS / 2:
            self._forget(now - LOOK_SECONDS)
            task = was.site.loop.start(self._read(was, history, room[1]))
            self._found[room] = now, task
        return await asyncio.shield(task)

    def _forget(self, before: float) -> None:
        for room in [room for room, (asked, _) in self._found.items() if asked < before]:
            del self._found[room]

    async def _read(self, was: Was, history: History, room: str) -> Mark | None:
        try:
            mark: Mark = await in_worker(was, history.newest, room)
        except SharedUnavailable:
            return None
        return mark


def newest_of(site: Site) -> Newest:
    """That of a site."""
    return kept(site, Newest, Newest)


def _marks(last_event_id: str, count: int) -> list[Mark | None]:
    """The marks of a Last-Event-ID; None for each if it is not one of ours."""
    marks = [Mark.of(text) for text in last_event_id.split(",")]
    return marks if len(marks) == count and None not in marks else [None] * count
