"""The signals that end a process, for parts that must act before its server does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_Handler = Callable[[int, FrameType | None], object] | int
"""A handler of Python's, or `signal.SIG_DFL` or `signal.SIG_IGN`."""


def before(call: Callable[[], object]) -> None:
    """Have call() called when the process gets a signal to end, before the handler of its server.

    It runs in the midst of whatever the main thread does, so it may only hand on. Nothing where
    the caller is not on the main thread, or the server has no handler: Python allows no more.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in SIGNALS:
        handler = signal.getsignal(number)
        if callable(handler):
            # A server that waits for signals by a descriptor (asyncio's way) gets them as before.
            signal.signal(number, _chained(call, handler))


class Ended(SystemExit):
    """A signal to end came within `raised`; its code is 128 plus the number of the signal."""


@contextmanager
def raised() -> Iterator[None]:
    """Have a signal to end raise `Ended` in the caller: for a start that may never end.

    Nothing where the caller is not on the main thread, or for a signal whose handler is none of
    Python's, as in `before`.
    """
    with _replaced(lambda handler: _raise):
        yield


@contextmanager
def noticed(call: Callable[[], object]) -> Iterator[None]:
    """Have call() called at a signal to end, and then the handler of the server, as by `before`;
    but only within.
    """
    with _replaced(lambda handler: _chained(call, handler) if callable(handler) else handler):
        yield


@contextmanager
def _replaced(made: Callable[[_Handler], _Handler]) -> Iterator[None]:
    """Have made(handler) in place of each handler of a signal to end, within."""
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            # One that is not Python's could not be set again.
            if (handler := signal.getsignal(number)) is not None:
                handlers[number] = handler
                signal.signal(number, made(handler))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Ended(128 + number)


def _chained(
    call: Callable[[], object], handler: Callable[[int, FrameType | None], object]
) -> Callable[[int, FrameType | None], object]:
    def handle(number: int, frame: FrameType | None) -> object:
        call()
        return handler(number, frame)

    return handle
