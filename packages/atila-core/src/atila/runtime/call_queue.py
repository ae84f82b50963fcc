"""Calls that other threads ask a thread for, made in batches: one wake-up for many of them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any


class CallQueue:
    """Calls that wait for a thread; a call added to it wakes that thread.

    Args:
        place: the thread, for the log: "the task loop".
        log: where the errors of the calls are logged.
    """

    def __init__(self, place: str, log: logging.Logger) -> None:
        self._place = place
        self._log = log
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._woken = False

    def _drain(self) -> None:
        # Cleared before the calls are counted: whatever comes later wakes the thread again.
        self._woken = False
        calls = self._calls
        for _ in range(len(calls)):
            func, args = calls.popleft()
            try:
                func(*args)
            except BaseException:
                # Whatever it is, SystemExit or a cancellation: the others are to be made as well,
                # and it ends nothing. Signals do not raise here: servers handle them themselves.
                self._log.exception("a call on %s failed", self._place)
