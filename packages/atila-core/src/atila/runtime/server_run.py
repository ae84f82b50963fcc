"""Processes that serve together: one run of a server, and the folder that its workers share.

A server that we start names the folder in the environment before its workers start. Workers of
uvicorn, gunicorn or hypercorn, which start them without us, derive the name from their common
parent process. A process that serves alone has no folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import multiprocessing
import os
import secrets
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import psutil

RUN = "ATILA_RUN"
"""The environment variable: process id of the master, a colon, and the path of the folder."""
ALIVE = "alive"
"""A file in the folder that each of its users holds locked."""
LOOK_SECONDS = 1.0
"""Between two looks at the master."""

_PREFIX = "atila-run-"
_UP = "up-"

log = logging.getLogger("atila.site")


@contextlib.contextmanager
def running() -> Iterator[Path]:
    """Be the master of a run: name its folder to the workers to come, and remove it at the end.

    The first process that needs the folder makes it: workers may run as another user.
    """
    pid = os.getpid()
    name = f"{_PREFIX}{pid}-{_started(pid)}-{secrets.token_hex(8)}"
    folder = Path(_temporary(), name)
    before = os.environ.get(RUN)
    os.environ[RUN] = f"{pid}:{folder}"
    try:
        yield folder
    finally:
        # Workers that were forked may come out of here too.
        if os.getpid() == pid:
            shutil.rmtree(folder, ignore_errors=True)
            if before is None:
                del os.environ[RUN]
            else:
                os.environ[RUN] = before


def find_folder() -> Path | None:
    """The folder of the run that this process belongs to; None if it serves alone."""
    parent = multiprocessing.parent_process()
    master, _, path = os.environ.get(RUN, "").partition(":")
    if path and (parent is not None or master in (str(os.getpid()), str(os.getppid()))):
        return Path(path)
    if parent is not None and parent.pid is not None:
        return _derived(parent.pid)
    return _derived(os.getppid()) if _is_forked() else None


def watch_master(orphaned: Callable[[], object]) -> None:
    """Have orphaned() called, in a thread, when the parent of this worker has ended without it, as
    when it was killed. Else the worker would serve on, and keep the port, for ever.
    """
    parent = os.getppid()
    master = os.environ.get(RUN, "").partition(":")[0]
    if master and master not in (str(parent), str(os.getpid())):
        parent = -1  # It has ended already, while this worker started.

    def end() -> None:
        log.error("the master process has ended; this worker does too")
        orphaned()

    watch_parent(parent, LOOK_SECONDS, end)


def watch_parent(parent: int, pause: float, orphaned: Callable[[], object]) -> None:
    """Have orphaned() called, in a thread, when this process has another parent.

    Args:
        parent: the process id of the parent.
        pause: seconds between two looks.
        orphaned: the function.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(pause)
        orphaned()

    threading.Thread(target=watch, name="atila-master", daemon=True).start()


def note_up(patience: float) -> None:
    """Let the master of the run know that this worker has come up.

    Args:
        patience: seconds that it may take to end.
    """
    if (folder := find_folder()) is not None:
        try:
            make(folder)
            (folder / f"{_UP}{os.getpid()}").write_text(str(patience))
        except OSError as error:
            # It serves nevertheless; but if it is killed, it will pass for one that never came up.
            log.warning("%s cannot be written to: %s", folder, error)


def read_up(folder: Path, pid: int) -> float | None:
    """The note of a worker that is up; None if it is not."""
    try:
        return float((folder / f"{_UP}{pid}").read_text())
    except (OSError, ValueError):
        return None


def forget_up(folder: Path, pid: int) -> None:
    """Remove the note of a worker that has ended."""
    (folder / f"{_UP}{pid}").unlink(missing_ok=True)


def _temporary() -> Path:
    """The folder for temporary files. Unlike `tempfile.gettempdir`, which tries to write, it is the
    same when the disk is full, and so for all workers.
    """
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    for path in (*named, "/tmp"):  # noqa: S108 - the folder in it is this user's alone
        if path and os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK):
            return Path(path).absolute()
    return Path(tempfile.gettempdir())


def _derived(master: int) -> Path:
    return Path(_temporary(), f"{_PREFIX}{master}-{_started(master)}")


def _is_forked() -> bool:
    """Whether this process and its parent run one program, as gunicorn's and uWSGI's workers."""
    if os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn/"):
        return True
    return _run_one_program(os.getpid(), os.getppid())


@lru_cache(maxsize=1)
def _run_one_program(pid: int, parent: int) -> bool:
    try:
        own, its = psutil.Process(pid).cmdline(), psutil.Process(parent).cmdline()
    except psutil.Error:
        return False
    return bool(own) and own == its


def _started(pid: int) -> str:
    """When a process started: with its id, it names a process for ever. "0" if there is none."""
    try:
        # Ticks since the boot. What psutil makes of them changes when the clock is set.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[19]
    except OSError:
        try:
            return str(int(psutil.Process(pid).create_time()))
        except psutil.Error:
            return "0"


def is_folder(path: Path) -> bool:
    """Whether a folder is that of a run, this one or another."""
    return path.name.startswith(_PREFIX)


def hold(folder: Path) -> int:
    """Protect a folder from being swept away for as long as the returned file is open."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(folder / ALIVE, flags, 0o600)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


def make(folder: Path) -> None:
    """Make the folder if nobody has, readable to this user alone, and sweep.

    Raises:
        PermissionError: it belongs to another user.
    """
    if not folder.exists():
        sweep()
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(
            f"{folder}, where the workers share their state, is not theirs alone. Mend: set TMPDIR"
            " to a folder that only the server's user can write to"
        )


def sweep() -> None:
    """Remove the folders of this user whose runs are over, and left them: they were killed, or had
    a master that is not ours.
    """
    for folder in _temporary().glob(_PREFIX + "*"):
        pid, _, rest = folder.name.removeprefix(_PREFIX).partition("-")
        with contextlib.suppress(OSError, ValueError):
            is_over = _started(int(pid)) != rest.partition("-")[0]
            if is_over and folder.lstat().st_uid == os.geteuid() and not _is_used(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_used(folder: Path) -> bool:
    """Whether anybody uses a folder: its master may live where its process id means nothing here,
    in a container that shares the folder for temporary files.
    """
    try:
        handle = os.open(folder / ALIVE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
