"""The time limits of open connections: one timer for all that have the same, since one for each
would take memory for as long as they are open.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from atila.serving.site import Site

LOOKS = 8
"""How often a limit is looked at while it lasts: by so much of it a connection may end late."""


class Limited(Protocol):
    """A connection with a time limit."""

    def check(self, now: float) -> None:
        """End it if its time is over. On the task loop.

        Args:
            now: loop time.
        """


class Limits:
    """Looks at all connections of a process, again and again. On the task loop only.

    Args:
        site: the site that owns them, whose task loop is known when there is one.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._limited: dict[float, set[Limited]] = {}
        self._timers: dict[float, asyncio.TimerHandle] = {}

    def add(self, each: Limited, seconds: float) -> None:
        """Look at a connection from now on.

        Args:
            each: the connection.
            seconds: its shortest limit.
        """
        if seconds in self._limited:
            self._limited[seconds].add(each)
        else:
            self._limited[seconds] = {each}
            self._wait(seconds)

    def discard(self, each: Limited, seconds: float) -> None:
        """Look at it no more, if it is there."""
        limited = self._limited.get(seconds, set())
        limited.discard(each)
        if not limited and self._limited.pop(seconds, None) is not None:
            self._timers.pop(seconds).cancel()

    def _wait(self, seconds: float) -> None:
        call = self._site.loop.loop.call_later
        # Of no request: it would be kept as long as there are others.
        self._timers[seconds] = call(seconds / LOOKS, self._look, seconds, context=Context())

    def _look(self, seconds: float) -> None:
        self._wait(seconds)
        now = self._site.loop.loop.time()
        for each in tuple(self._limited[seconds]):
            each.check(now)
