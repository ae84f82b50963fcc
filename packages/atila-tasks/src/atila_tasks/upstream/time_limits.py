"""Time limits of work on the task loop, with one timer for all that are equally long."""

from __future__ import annotations

import time
from contextvars import Context
from typing import TYPE_CHECKING, Protocol

from atila.runtime.keeping import kept

if TYPE_CHECKING:
    import asyncio

    from atila import Site

_MOST_IDLE = 16
"""Lengths of limits whose timers are kept though nothing of theirs is under way."""


class Limited(Protocol):
    """Work with a time limit."""

    def time_up(self) -> None:
        """Its time is over."""


class TimeLimits:
    """The work of a site that is under way with a time limit. On the task loop only.

    Nearly all of it ends in time: to note it and to forget it again costs less than a timer.

    Args:
        loop: the event loop.

    Attributes:
        loop: the same.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._lines: dict[float, TimeLimit] = {}

    def of(self, seconds: float) -> TimeLimit:
        """The limit of so many seconds."""
        line = self._lines.get(seconds)
        if line is None:
            line = self._lines[seconds] = TimeLimit(self, seconds)
        return line

    @property
    def are_many(self) -> bool:
        """Whether there are more lengths than most sites use: each call has one of its own."""
        return len(self._lines) > _MOST_IDLE

    def drop(self, seconds: float) -> None:
        """Forget a limit."""
        self._lines.pop(seconds, None)


class TimeLimit:
    """All work with a limit of one length, in the order in which it began, so that the first is the
    next whose time is over.

    Args:
        limits: those of the site.
        seconds: the length.
    """

    __slots__ = ("_deadlines", "_limits", "_seconds", "_timer")

    def __init__(self, limits: TimeLimits, seconds: float) -> None:
        self._limits = limits
        self._seconds = seconds
        self._deadlines: dict[Limited, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def note(self, work: Limited, deadline: float) -> None:
        """Call work.time_up() at a time of `time.monotonic`, unless it is forgotten before."""
        self._deadlines[work] = deadline
        if self._timer is None:
            self._wait_until(deadline)

    def forget(self, work: Limited) -> None:
        """The work has ended."""
        self._deadlines.pop(work, None)
        if not self._deadlines and self._limits.are_many:
            self._limits.drop(self._seconds)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _wait_until(self, deadline: float) -> None:
        rest = max(0.0, deadline - time.monotonic())
        # Of no request: it would be kept until then.
        self._timer = self._limits.loop.call_later(rest, self._look, context=Context())

    def _look(self) -> None:
        self._timer = None
        now = time.monotonic()
        due = []
        for work, deadline in self._deadlines.items():
            if deadline > now:
                self._wait_until(deadline)
                break
            due.append(work)
        for work in due:
            del self._deadlines[work]
            work.time_up()
        if not self._deadlines:
            self._limits.drop(self._seconds)


def limits_of(site: Site) -> TimeLimits:
    """The time limits of a site. On the task loop."""
    return kept(site, TimeLimits, lambda: TimeLimits(site.loop.loop))
