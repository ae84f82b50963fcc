"""The signals that end a process, for parts that must act before its server does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType


def before(call: Callable[[], object]) -> None:
    """Have call() called when the process gets a signal to end, before the handler of its server.

    It runs in the midst of whatever the main thread does, so it may only hand on. Nothing where
    the caller is not on the main thread, or the server has no handler: Python allows no more.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        handler = signal.getsignal(number)
        if callable(handler):
            # A server that waits for signals by a descriptor (asyncio's way) gets them as before.
            signal.signal(number, _chained(call, handler))


def _chained(
    call: Callable[[], object], handler: Callable[[int, FrameType | None], object]
) -> Callable[[int, FrameType | None], object]:
    def handle(number: int, frame: FrameType | None) -> object:
        call()
        return handler(number, frame)

    return handle
