"""Jobs of which too many wait for something already: further ones wait without a thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

Function = Callable[..., object]
Job = tuple[Function, tuple[Any, ...]]


class Crowds:
    """The jobs of a pool whose threads wait, by their function: that of a route.

    Args:
        most: the most jobs of one function that may wait in threads.

    Attributes:
        waiting: by function, the number that wait in threads; functions without any are left out.
        parked: the number of jobs that wait without a thread.
    """

    def __init__(self, most: int) -> None:
        self.waiting: dict[Function, int] = {}
        self.parked = 0
        self._most = most
        self._parked: dict[Function, deque[Job]] = {}
        self._lock = threading.Lock()

    def join(self, function: Function) -> None:
        """A thread that carries out a job of a function begins to wait."""
        with self._lock:
            self.waiting[function] = self.waiting.get(function, 0) + 1

    def leave(self, function: Function) -> list[Job]:
        """A thread has waited; the parked jobs that are to be queued again."""
        with self._lock:
            left = self.waiting[function] - 1
            if left:
                self.waiting[function] = left
            else:
                del self.waiting[function]
            parked = self._parked.get(function)
            if parked is None:
                return []
            # A job that comes back need not wait, and then nobody comes here after it. So the last
            # thread that waits brings all of them.
            room = self._most - left if left else len(parked)
            count = max(0, min(room, len(parked)))
            found = [parked.popleft() for _ in range(count)]
            self.parked -= count
            if not parked:
                del self._parked[function]
            return found

    def park(self, job: Job) -> bool:
        """Whether a job is kept, since too many of its function wait; else it is to be done."""
        with self._lock:
            if self.waiting.get(job[0], 0) < self._most:
                return False
            self._parked.setdefault(job[0], deque()).append(job)
            self.parked += 1
            return True
