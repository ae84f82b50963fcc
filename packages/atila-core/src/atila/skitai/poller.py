"""Finds the connections that are ready, in place of Skitai's epoll, for thousands of connections.

Skitai asks every connection in every round for the events that it waits for, which takes 10 ms with
5,000 of them, however idle. Ours are asked after an event of theirs, and until they rest.

Relied on: `rs4.protocols.lifetime.poll_fun(timeout, map)`, called in each round;
`rs4.asyncore.poller`, which `dispatcher.del_channel` takes descriptors from;
`rs4.asyncore.readwrite` for ready ones; of dispatchers `readable`, `writable`, `accepting`,
`poller_flags` and `poller_registered`, the last two put back by `add_channel`.
"""

from __future__ import annotations

import select
import time
from typing import Any, Protocol

from rs4 import asyncore
from rs4.protocols import lifetime

LOOK_SECONDS = 1.0
"""How often it is looked for dispatchers of Skitai's that came instead of others."""

_IN = select.POLLIN | select.POLLPRI
_ALWAYS = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Connection(Protocol):
    """A connection that says when it is to be asked."""

    def is_at_rest(self) -> bool:
        """Whether it needs no more asking, until an event or `stir`."""


class Poller:
    """Waits until connections are ready, and lets them deal with it. Main thread only, but for
    `stir`.

    Connections are `add`ed and `remove`d; all other members of Skitai's socket map are asked in
    each round, as Skitai does.
    """

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self._connections: set[Any] = set()
        self._stirred: set[Any] = set()
        self._others: list[Any] = []
        self._look_at = 0.0

    def add(self, connection: Connection) -> None:
        """A new connection, in Skitai's socket map from now on."""
        self._connections.add(connection)
        self._stirred.add(connection)

    def remove(self, connection: Connection) -> None:
        """The connection is not in the map any more."""
        self._connections.discard(connection)
        self._stirred.discard(connection)

    def stir(self, connection: Connection) -> None:
        """The connection may wait for something else than before. From any thread."""
        # What was sent last may have ended it.
        if connection in self._connections:
            self._stirred.add(connection)

    def __call__(self, timeout: float, map: dict[int, Any]) -> None:
        """One round.

        Args:
            timeout: seconds to wait at most.
            map: dispatchers by descriptor.
        """
        for other in self._find_others(map):
            self._ask(other)
        # A copy, since an error closes connections; made at once, whatever threads stir.
        for connection in tuple(self._stirred):
            # First, or a thread that stirs while it is asked would not be seen.
            self._stirred.discard(connection)
            self._ask(connection)
            if not connection.is_at_rest():
                self.stir(connection)
        # What one event closes, the next may open: under the same descriptor, for another client.
        events = [(map.get(each), each, flags) for each, flags in self.epoll.poll(timeout)]
        for ready, descriptor, flags in events:
            if ready is None or map.get(descriptor) is not ready:
                continue
            if ready in self._connections:
                self._stirred.add(ready)
            asyncore.readwrite(ready, flags)

    def _find_others(self, map: dict[int, Any]) -> list[Any]:
        now = time.monotonic()
        if now >= self._look_at or len(map) != len(self._others) + len(self._connections):
            self._look_at = now + LOOK_SECONDS
            self._others = [each for each in map.values() if each not in self._connections]
        return self._others

    def _ask(self, dispatcher: Any) -> None:
        """Ask for the events it waits for, and pass changes to the kernel."""
        flags = _ALWAYS
        if dispatcher.readable():
            flags |= _IN
        if dispatcher.writable() and not dispatcher.accepting:
            flags |= select.POLLOUT
        if flags == dispatcher.poller_flags:
            return
        try:
            if dispatcher.poller_registered:
                self.epoll.modify(dispatcher._fileno, flags)
            else:
                self.epoll.register(dispatcher._fileno, flags)
                dispatcher.poller_registered = True
        except (OSError, TypeError, ValueError):
            # Closed meanwhile, or by somebody else.
            asyncore._exception(dispatcher)
        else:
            dispatcher.poller_flags = flags


def install() -> Poller | None:
    """Take the place of Skitai's epoll in this process; None if Skitai polls in another way."""
    if lifetime.poll_fun is not asyncore.epoll:
        return None
    poller = Poller()
    for dispatcher in asyncore.socket_map.values():
        dispatcher.poller_registered, dispatcher.poller_flags = False, 0
    asyncore.poller = poller.epoll
    lifetime.poll_fun = poller
    return poller
