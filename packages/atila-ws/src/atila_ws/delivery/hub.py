"""The open connections of this process, and the way to those of other workers."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Protocol

from atila.runtime.keeping import kept
from atila.runtime.pool import WorkerPool
from atila.runtime.spare_threads import waiting
from atila_ws.delivery import messengers
from atila_ws.delivery.envelope import Envelope
from atila_ws.limits import Limits

if TYPE_CHECKING:
    from atila import Atila
    from atila.runtime.loop import TaskLoop
    from atila.serving.site import Site
    from atila_ws.connection import WebSocket
    from atila_ws.delivery.messengers import Messenger


class Member(Protocol):
    """A client in a room."""

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent to it."""

    def take(self, envelope: Envelope) -> bool:
        """Send it a message; whether that is on its way. On the task loop; never waits."""


Room = tuple[str, str]
"""The space of an app, and the name of a room in it."""

log = logging.getLogger("atila.ws")


def hub_of(site: Site) -> Hub:
    """The connections of a site."""
    return kept(site, Hub, lambda: Hub(site))


def space_of(app: Atila) -> str:
    """The prefix that separates the rooms of apps; the same in all workers."""
    return app.site.place_of(app)


class Hub:
    """The connections of one process: by client id, and by room.

    Its methods are for any thread, but `deliver`, which is for the task loop.

    Args:
        site: the site that owns them.

    Attributes:
        worker: names this process in client ids.
        limits: looks after the time limits of the connections.
    """

    def __init__(self, site: Site) -> None:
        self.worker = secrets.token_hex(6)
        self._site = site
        self._lock = threading.Lock()
        self._clients: dict[str, WebSocket] = {}
        self._rooms: dict[Room, set[Member]] = {}
        self._keeping: WorkerPool | None = None
        self._messenger: Messenger | None = None
        self._is_listening = False
        self._sending: set[asyncio.Task[Any]] = set()
        self.limits = Limits(site)

    @property
    def loop(self) -> TaskLoop:
        """The task loop."""
        return self._site.loop

    # Connections --------------------------------------------------------------------------------

    def register(self, socket: WebSocket) -> str:
        """Make a connection known to all workers; the id that it gets."""
        self._listen()
        client_id = f"{self.worker}.{secrets.token_urlsafe(16)}"
        with self._lock:
            # Two threads may ask at a time.
            if not socket._client_id:
                socket._client_id = client_id
                if not socket.closed:
                    self._clients[client_id] = socket
        return socket._client_id

    def join(self, member: Member, room: Room) -> None:
        """Add a connection to a room."""
        self._listen()
        with self._lock:
            if not member.closed:
                self._rooms.setdefault(room, set()).add(member)

    def leave(self, member: Member, room: Room) -> None:
        """Take a connection out of a room, if it is in it."""
        with self._lock:
            self._leave(member, room)

    def _leave(self, member: Member, room: Room) -> None:
        members = self._rooms.get(room)
        if members is not None:
            members.discard(member)
            if not members:
                del self._rooms[room]

    def forget(self, socket: WebSocket) -> None:
        """A connection has ended."""
        with self._lock:
            self._clients.pop(socket._client_id, None)
            for room in [room for room, members in self._rooms.items() if socket in members]:
                self._leave(socket, room)

    def _listen(self) -> None:
        """Subscribe to messages of other workers, before they can know of a connection here."""
        if self._is_listening:
            return
        with self._lock:
            if not self._is_listening:
                self._bring().listen()
                self._is_listening = True

    def _bring(self) -> Messenger:
        if self._messenger is None:
            self._messenger = messengers.choose(self._site, self.worker, self.deliver)
            self._site.on_shutdown(self._messenger.close)
        return self._messenger

    # Sending ------------------------------------------------------------------------------------

    def send(self, client_id: object, envelope: Envelope, patience: float) -> Any:
        """Send to one client, wherever it is connected.

        Returns:
            Whether it was delivered: in a thread a bool, on the task loop an awaitable of it.
        """
        return self._wait(self._send(client_id, envelope, patience), patience)

    def broadcast(
        self, envelope: Envelope, patience: float, keep: Callable[[], None] | None = None
    ) -> Any:
        """Send to all in a room, in all workers.

        Args:
            envelope: the message.
            patience: seconds that it may take.
            keep: called before, in a thread; it may block.

        Returns:
            To how many; like `send`.

        Raises:
            Exception: whatever `keep` raises.
        """
        if keep is not None:
            if self.loop.is_current():
                return self._wait(self._keep_and_broadcast(keep, envelope, patience), patience)
            keep()
        return self._wait(self._broadcast(envelope, patience), patience)

    async def _keep_and_broadcast(
        self, keep: Callable[[], None], envelope: Envelope, patience: float
    ) -> int:
        if self._keeping is None:
            # One thread, for the order.
            self._keeping = WorkerPool(1, name="atila-rooms", one_thread_per_job=True)
        loop, is_kept = self.loop, self.loop.loop.create_future()

        def work() -> None:
            try:
                keep()
            except Exception as error:
                loop.call(_settle, is_kept, error)
            else:
                loop.call(_settle, is_kept, None)

        self._keeping.resubmit(work)
        await is_kept
        return await self._broadcast(envelope, patience)

    async def _send(self, client_id: object, envelope: Envelope, patience: float) -> bool:
        if not isinstance(client_id, str):
            return False
        worker, _, token = client_id.partition(".")
        if not token or not worker.isalnum():
            return False
        envelope.until = time.monotonic() + patience
        if worker == self.worker:
            return bool(await _count(self.deliver(envelope)))
        with self._lock:
            messenger = self._bring()
        return bool(await messenger.ask(worker, envelope, patience))

    async def _broadcast(self, envelope: Envelope, patience: float) -> int:
        envelope.until = time.monotonic() + patience
        with self._lock:
            messenger = self._bring()
        # First here: nothing else can come between two broadcasts of one sender.
        here = await _count(self.deliver(envelope))
        return here + await messenger.ask_all(envelope, patience)

    def deliver(self, envelope: Envelope) -> int | Awaitable[int]:
        """Deliver an envelope to its recipients that are connected here. On the task loop.

        It is on its way before this returns, so that envelopes keep their order.

        Returns:
            The number of recipients, or an awaitable of it.
        """
        left = envelope.until - time.monotonic()
        if left <= 0:
            return 0
        if envelope.is_room:
            members = tuple(self._rooms.get((envelope.space, envelope.to), ()))
            return sum(member.take(envelope) for member in members)
        socket = self._clients.get(envelope.to)
        if socket is None:
            return 0
        taken: asyncio.Future[bool] = self.loop.loop.create_future()
        if not socket.take(envelope, taken):
            return 0
        return _taken_within(taken, left)

    def _wait(self, work: Coroutine[Any, Any, Any], patience: float) -> Any:
        if self.loop.is_current():
            task = self.loop.loop.create_task(work)
            # asyncio itself holds its tasks weakly.
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
            return Pending(task)
        future = asyncio.run_coroutine_threadsafe(work, self.loop.loop)
        try:
            with waiting():
                return future.result(patience + 2.0)
        except TimeoutError:
            future.cancel()
            return False


class Pending:
    """An outcome that is not known yet, on the task loop, where no caller may block for it."""

    __slots__ = ("_task",)

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task

    def __await__(self) -> Generator[Any, None, Any]:
        return self._task.__await__()

    def __bool__(self) -> bool:
        raise RuntimeError("whether it was delivered is not known yet: await it")


def _settle(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


async def _taken_within(taken: asyncio.Future[bool], seconds: float) -> int:
    done, _ = await asyncio.wait([taken], timeout=seconds)
    if not done:
        # Withdrawn: if it is still waiting it will never be sent.
        taken.cancel()
        return 0
    return int(taken.result())


async def _count(outcome: int | Awaitable[int]) -> int:
    return outcome if isinstance(outcome, int) else await outcome
