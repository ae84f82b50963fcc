"""The master process: replaces dead workers and lets live ones finish.

Skitai's master looks after its workers every 33 seconds, and so takes up to 33 seconds to end; as
its last deed it kills, at once, all workers that are still answering.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from skitai.backbone import http_server

from atila.launch import ports, reloading, script
from atila.runtime.respawning import Pauses
from atila.skitai.channel import find_server
from atila.skitai.worker import CANCEL_SECONDS, CLOSE_SECONDS, patience

WATCH_SECONDS = 1
"""Sleeps between two looks at the workers."""
LINGER_SECONDS = 0.5
"""How long a worker that is not wanted any more stays, so that the master finds it."""
MARGIN = CANCEL_SECONDS + CLOSE_SECONDS + 5.0
"""Seconds that a worker has beside those for its requests."""
SLEEP_SECONDS = 0.1
"""The longest sleep of the master, which else sleeps for seconds, three of them before it replaces
a worker."""
ARM_SECONDS = 0.005
"""How soon after a fork the signals are taken over."""

log = logging.getLogger("atila.engines.skitai")


class Watch:
    """Mends the master of the next `skitai.run` of this process.

    Relied on, of the `http_server` object: `maintern_interval` (seconds), `socket`. Of its module:
    `hTERMMASTER`, the handler that the master installs for SIGTERM and SIGINT after its first fork;
    `PID` (by process id; None for a worker that was replaced); `SURVAIL`, whether it goes on; its
    calls of `time.sleep`, which only the master makes.
    """

    def __init__(self) -> None:
        self._pid = 0
        self._server: Any = None
        self._is_asked = False
        self._births: dict[int, float] = {}
        self._pauses = Pauses()
        http_server.time = _Hurried(self._note_births)
        signal.signal(signal.SIGTERM, self._end_early)
        os.register_at_fork(
            before=self._before_fork,
            after_in_parent=self._after_fork,
            after_in_child=self._in_child,
        )

    @property
    def _is_master(self) -> bool:
        return self._server is not None and os.getpid() == self._pid

    # The workers.

    def _before_fork(self) -> None:
        if self._server is None and (server := find_server()) is not None:
            self._server, self._pid = server, os.getpid()
            if server.maintern_interval == 30:
                server.maintern_interval = WATCH_SECONDS
        if self._is_master and not reloading.is_on():
            self._rest()

    def _note_births(self) -> None:
        for pid, process in http_server.PID.items():
            if process is not None:
                self._births.setdefault(pid, time.monotonic())

    def _rest(self) -> None:
        """Pause before a worker is replaced that died young, if others did before it."""
        replaced = [pid for pid, process in http_server.PID.items() if process is None]
        births = [self._births.pop(pid) for pid in replaced if pid in self._births]
        if not births:
            return
        pause = self._pauses.after(time.monotonic() - max(births))
        if pause:
            log.error("a worker is replaced in %g s", pause)
        until = time.monotonic() + pause
        while time.monotonic() < until and http_server.SURVAIL:
            time.sleep(SLEEP_SECONDS)

    def _in_child(self) -> None:
        if self._server is not None and os.getppid() == self._pid and not http_server.SURVAIL:
            # The signal to end came when this one was about to be made. The master looks at it
            # next, and fails where it has gone by then.
            time.sleep(LINGER_SECONDS)
            os._exit(0)

    # The end.

    def _after_fork(self) -> None:
        if self._is_master:
            self._arm()

    def _end_early(self, number: int, frame: FrameType | None) -> None:
        """SIGTERM before Skitai's handlers are there, which would leave the first worker alone."""
        if self._server is None:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif self._is_master:
            self._is_asked = True
        else:
            os._exit(0)  # A worker that has hardly begun.

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
        if self._is_asked:
            self._end(number, frame)

    def _end(self, number: int, frame: FrameType | None) -> None:
        """Let Skitai end the workers, and wait for them before it goes on."""
        if not self._is_master:
            os._exit(0)  # A worker that has not its own handlers yet.
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
    """The module `time`, for a master that would sleep for seconds.

    Args:
        wake: called after each sleep.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, SLEEP_SECONDS))
        self._wake()


def is_alive(pid: int) -> bool:
    """Whether a child process runs; the master ignores SIGCHLD, so that ended ones vanish."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
