"""Child processes that end with this process, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from typing import Any


class SupervisedProcess:
    """A process at the head of a group of its own, all of which the kernel kills when this process
    ends, be it killed itself.

    It inherits the reading end of a pipe, for which the kernel is asked to signal the group when
    something happens to it (`F_SETOWN` and `O_ASYNC` of fcntl(2)). Nothing ever does, but that
    this process ends, and with it the writing end.

    Args:
        command: the program and its arguments.
        pass_fds: file descriptors that it inherits, under the same numbers.
        options: the options of `subprocess.Popen`.

    Raises:
        OSError: it cannot be started.

    Attributes:
        process: the process.
        exited: readable once it has ended; None where the system has no such thing.
        is_killed: `kill` was called, so it ends soon, if it has not yet.
    """

    def __init__(
        self, command: Sequence[str], *, pass_fds: Sequence[int] = (), **options: Any
    ) -> None:
        self._lock = threading.Lock()
        end, self._leash = os.pipe()
        self.exited: int | None = None
        self.is_killed = False
        try:
            self.process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - asked for
                command, pass_fds=(*pass_fds, end), start_new_session=True, **options
            )
            with contextlib.suppress(ProcessLookupError):
                _fasten(end, self.process.pid)
            if hasattr(os, "pidfd_open"):
                with contextlib.suppress(OSError):
                    self.exited = os.pidfd_open(self.process.pid)
        except BaseException:
            os.close(self._leash)
            raise
        finally:
            os.close(end)

    def has_ended(self) -> bool:
        """Whether it has ended. From one thread only."""
        if not hasattr(os, "waitid"):
            # Before Python 3.13 macOS can only look by waiting for it.
            return self.process.poll() is not None
        try:
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self.process.pid, options) is not None
        except ChildProcessError:
            return True

    def kill(self) -> None:
        """End all of its group at once. From any thread, and any number of times."""
        with self._lock:
            self.is_killed = True
            # Once it was waited for, its number may be somebody else's.
            if self.process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> int:
        """Kill the rest of its group, wait for it, and release its resources.

        Returns:
            Its exit status; that of a signal is negative.
        """
        self.kill()
        if hasattr(os, "waitid"):
            # Not under the lock, but whoever kills now finds it dead and its number still taken.
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            status = self.process.wait()
            for handle in (self._leash, self.exited):
                if handle is not None:
                    os.close(handle)
            self.exited = None
        return status


def _fasten(end: int, group: int) -> None:
    fcntl.fcntl(end, fcntl.F_SETOWN, -group)
    if hasattr(fcntl, "F_SETSIG"):
        # Elsewhere it is SIGIO, which a program can take otherwise.
        fcntl.fcntl(end, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(end, fcntl.F_SETFL, fcntl.fcntl(end, fcntl.F_GETFL) | os.O_ASYNC)
