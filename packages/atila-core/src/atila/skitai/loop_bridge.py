"""Runs calls of other threads on the main thread, which owns Skitai's sockets."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from rs4 import asyncore

from atila.runtime.call_queue import CallQueue

log = logging.getLogger("atila.engines.skitai")


class Pump(CallQueue, asyncore.dispatcher):  # type: ignore[misc]
    """A dispatcher in Skitai's socket map that other threads wake.

    Skitai's own trigger writes to its pipe for each call, and exists only when Skitai runs threads
    of its own; this one writes once for all calls made before the main thread gets to them.

    Relies on `rs4.asyncore.dispatcher(socket)`, which puts itself into `rs4.asyncore.socket_map`.
    """

    def __init__(self) -> None:
        receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        CallQueue.__init__(self, "the main thread", log)
        self._thread_id = threading.get_ident()
        asyncore.dispatcher.__init__(self, receiver)

    def is_current(self) -> bool:
        """Whether the caller is on the main thread."""
        return threading.get_ident() == self._thread_id

    def call(self, func: Callable[..., object], *args: Any) -> None:
        """Have func(*args) called on the main thread soon. From any thread."""
        self._calls.append((func, args))
        if not self._woken:
            self._woken = True
            self._wake()

    def run(self, func: Callable[..., object], *args: Any) -> None:
        """Call func(*args) at once if this is the main thread, else have it called there."""
        if threading.get_ident() == self._thread_id:
            func(*args)
        else:
            self.call(func, *args)

    def _wake(self) -> None:
        try:
            self._sender.send(b"\0")
        except BlockingIOError:
            pass  # The buffer is full of wake-ups already.

    def pull_trigger(self) -> None:
        """Interrupt the poll: `skitai.backbone.threaded.trigger.wakeselect`, on a shut-down."""
        self._wake()

    def readable(self) -> bool:
        """For the poll: always."""
        return True

    def writable(self) -> bool:
        """For the poll: never."""
        return False

    def handle_read(self) -> None:
        """Make the calls."""
        self.socket.recv(4096)
        self._drain()
