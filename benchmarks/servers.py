"""Start one server, wait until it accepts connections, and end it with all its processes."""

import os
import shlex
import shutil
import signal
import site
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.contestants import Contestant

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
START_SECONDS = 20.0
STOP_SECONDS = 8.0
LOG_LINES = 12


class ServerFailed(Exception):
    """A server ended, or accepted no connection in time; says so with its last output."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it listens, its first process, and the file of its output."""

    port: int
    pid: int
    log: Path

    def log_tail(self) -> str:
        """The last lines of what the server printed."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])


@contextmanager
def running(contestant: Contestant) -> Iterator[Server]:
    """Serve ``contestant`` on a free port for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as home:
        log = Path(home, "server.log")
        port = _free_port()
        with log.open("wb") as output:
            try:
                process = subprocess.Popen(
                    _arguments(contestant, port),
                    cwd=ROOT,
                    env=_environment(home),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise ServerFailed(f"cannot start: {error}") from error
        try:
            server = Server(port, process.pid, log)
            _wait_until_connectable(server, process)
            yield server
        finally:
            _end(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _arguments(contestant: Contestant, port: int) -> list[str]:
    program, *rest = shlex.split(contestant.command.format(port=port))
    if program == "python":
        return [sys.executable, *rest]
    beside = shutil.which(program, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(program)
    if found is None:
        raise ServerFailed(f"the command {program!r} is not installed in this environment")
    return [found, *rest]


def _environment(home: str) -> dict[str, str]:
    """A home of its own (some servers keep locks and sockets there), and the apps importable.

    Sources that lie here are compiled once, as those that pip has installed.
    """
    return {
        **os.environ,
        "HOME": home,
        "PYTHONUSERBASE": site.getuserbase(),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "",
    }


def _wait_until_connectable(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailed(f"ended with code {process.returncode}\n{server.log_tail()}")
        try:
            socket.create_connection((HOST, server.port), timeout=1.0).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise ServerFailed(f"no connection in {START_SECONDS:.0f} s\n{server.log_tail()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server's process group, asking first; nothing of it is alive afterwards."""
    for request in (signal.SIGTERM, signal.SIGKILL):
        if not _members(process.pid):
            break
        os.killpg(process.pid, request)
        deadline = time.monotonic() + STOP_SECONDS
        while _members(process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
    process.wait(timeout=STOP_SECONDS)


def _members(group: int) -> list[int]:
    """The process ids of a process group, without those which have ended already."""
    members = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return members
