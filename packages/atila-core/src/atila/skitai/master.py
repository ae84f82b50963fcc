"""The master process: replaces dead workers and lets live ones finish.

Skitai's master looks after its workers every 33 seconds, and so takes up to 33 seconds to end; as
its last deed it kills, at once, all workers that are still answering.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType
from typing import Any

from skitai.backbone import http_server

from atila.launch import ports, script
from atila.skitai.channel import find_server
from atila.skitai.worker import CANCEL_SECONDS, CLOSE_SECONDS, patience

WATCH_SECONDS = 1
"""Seconds between two looks at the workers, to which Skitai adds three."""
MARGIN = CANCEL_SECONDS + CLOSE_SECONDS + 5.0
"""Seconds that a worker has beside those for its requests."""
HURRIED_SECONDS = 0.05
"""The longest sleep of the master in development."""
ARM_SECONDS = 0.005
"""How soon after a fork the signals are taken over."""


class Watch:
    """Mends the master of the next `skitai.run` of this process.

    Relied on, of the `http_server` object: `maintern_interval` (seconds), `socket`. Of its module:
    `hTERMMASTER`, the handler that the master installs for SIGTERM and SIGINT after its first fork;
    `PID` (by process id; None for a worker that was replaced).
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._server: Any = None
        os.register_at_fork(before=self._before_fork, after_in_parent=self._after_fork)

    def _before_fork(self) -> None:
        if self._server is None and os.getpid() == self._pid:
            self._server = server = find_server()
            if server is not None and server.maintern_interval == 30:
                server.maintern_interval = WATCH_SECONDS

    def _after_fork(self) -> None:
        if self._server is not None and os.getpid() == self._pid:
            self._arm()

    def _arm(self) -> None:
        """Come back when Skitai has installed its handlers: after a fork it goes on to do so."""
        if signal.getsignal(signal.SIGTERM) != self._end and hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self._take_over)
            signal.setitimer(signal.ITIMER_REAL, ARM_SECONDS)

    def _take_over(self, number: int, frame: FrameType | None) -> None:
        if signal.getsignal(signal.SIGTERM) is not http_server.hTERMMASTER:
            self._arm()
            return
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, self._end)

    def _end(self, number: int, frame: FrameType | None) -> None:
        """Let Skitai end the workers, and wait for them before it goes on."""
        http_server.hTERMMASTER(number, frame)
        # So that new clients are turned away at once, not when the last worker has gone.
        self._server.socket.close()
        workers = [pid for pid, process in http_server.PID.items() if process is not None]
        deadline = time.monotonic() + patience(script.current.mounts[0]) + MARGIN
        while any(map(is_alive, workers)) and time.monotonic() < deadline:
            time.sleep(0.05)


def refuse_used_ports() -> None:
    """Have the master end with one line and status 1 if its port cannot be had.

    Skitai ends with 0. Relies on `http_server.bind(address)`, inherited, which its constructor
    calls.
    """
    kind = http_server.http_server
    if "bind" in vars(kind):
        return

    def bind(server: Any, address: Any) -> None:
        try:
            super(kind, server).bind(address)
        except OSError as error:
            sys.stderr.write(f"atila: {ports.refusal(address[0], address[1], error)}\n")
            raise SystemExit(ports.PortError.exit_status) from None

    kind.bind = bind


class _Hurried:
    """The module `time`, for a master that sleeps for seconds until it replaces a worker."""

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, HURRIED_SECONDS))


def hurry() -> None:
    """Have workers replaced at once, in development.

    Relies on Skitai's module `http_server` calling `time.sleep`, in its master only.
    """
    http_server.time = _Hurried()


def is_alive(pid: int) -> bool:
    """Whether a child process runs; the master ignores SIGCHLD, so that ended ones vanish."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
