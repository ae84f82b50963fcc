"""Real server processes: started on a free port, watched, and ended by their own process ids."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from atila.testing.ports import free_port
from atila.testing.waits import wait_until
from support import forkserver
from support.board import Board
from support.wire import Answer, Broken, Connection

TESTS = Path(__file__).resolve().parents[1]
STARTS = "ATILA_SERVER_STARTS"
"""The environment variable with the file where each start of a server is noted, if any is."""
LOG_TAIL = 6000
"""Characters of a log that a failure shows."""

ENGINES = ("skitai", "granian", "uvicorn", "hypercorn", "gunicorn")
USUAL = ("skitai", "granian", "uvicorn")
"""Engines that the tests of layers run on: in what engines differ, the tests of core show."""


def by_atila(
    engine: str, target: str, port: int, workers: int, more: Sequence[str] = ()
) -> list[str]:
    """How `atila serve` serves a target, such as a launch script, on one of its engines."""
    name, _, interface = engine.partition("-")
    options = ["--engine", name, "--port", str(port), "--workers", str(workers), *more]
    options += ["--interface", interface] if interface else []
    return [str(Path(sys.executable).with_name("atila")), "serve", target, *options]


def command(engine: str, script: Path, port: int, workers: int, given: str = "") -> list[str]:
    """How to serve a launch script, whose app is called `app`, on an engine; or another target, on
    one that is not started by us.
    """
    target, python = given or f"{script.stem}:app", sys.executable
    address = f"127.0.0.1:{port}"
    match engine:
        case "skitai":
            return [python, script.name, f"--port={port}", f"--workers={workers}"]
        case "granian" | "granian-wsgi":
            return by_atila(engine, given or script.name, port, workers)
        case "uvicorn":
            # Its two parsers differ in what they refuse; this is the one that is mostly used.
            options = ["--http", "httptools", "--port", str(port), "--workers", str(workers)]
            return [python, "-m", "uvicorn", target, *options]
        case "hypercorn":
            return [python, "-m", "hypercorn", target, "-b", address, "-w", str(workers)]
        case "gunicorn":
            options = ["-b", address, "-w", str(workers), "-k", "gthread", "--threads", "16"]
            return [python, "-m", "gunicorn", target, *options]
    raise ValueError(engine)


class Server:
    """A server process and its workers.

    Args:
        engine: one of `ENGINES`.
        script: the launch script.
        workers: how many worker processes.
        ready: a path that answers once it serves; "" not to wait for that.
        port: where it listens; 0 for a free one.
        environment: variables besides those of this process.
        options: of `atila serve`, which starts Skitai then, too; None for no such options.
        stdin: a descriptor that it reads from.
        target: for an engine other than Skitai by itself; "" for the script's app.
        prefix: words before its command, such as those of `ip netns exec`.
        address: where it listens, if it is started with `options` that say so.
        context: of its clients, where it speaks TLS.

    Attributes:
        folder: its own, readable to all: an engine may drop privileges.
        board: shared with the app, by the environment variable ATILA_BOARD.
    """

    def __init__(
        self,
        engine: str,
        script: Path,
        workers: int = 1,
        ready: str = "/",
        port: int = 0,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] | None = None,
        stdin: int = subprocess.DEVNULL,
        target: str = "",
        prefix: Sequence[str] = (),
        address: str = "127.0.0.1",
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.engine = engine
        self.address = address
        self.context = context
        _note_start(f"{engine} {script.parent.name}/{script.name}")
        self.port = port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"atila-{engine}-"))
        board = self.folder / "board"
        board.mkdir()
        home = self.folder / "home"
        home.mkdir()
        for path in (self.folder, board, home):
            path.chmod(0o777)
        self.board = Board(board)
        self._log = self.folder / "log.txt"
        variables = {
            **os.environ,
            **(environment or {}),
            "ATILA_BOARD": str(board),
            "HOME": str(home),
            "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        with self._log.open("wb") as log:
            given = (
                command(engine, script, self.port, workers, target)
                if options is None
                else by_atila(engine, target or script.name, self.port, workers, options)
            )
            self.process = forkserver.start([*prefix, *given], script.parent, variables, stdin, log)
        self._known: set[psutil.Process] = set()
        try:
            self._wait_ready(ready)
        except BaseException as error:
            self.kill()
            self.show_log(error)
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def _wait_ready(self, path: str) -> None:
        if not path:
            return

        def answers() -> bool:
            assert self.process.poll() is None, f"{self.engine} ended while it started"
            try:
                with self.connect() as connection:
                    return connection.get(path).status == 200
            except (OSError, Broken):
                return False

        wait_until(answers, f"{self.engine} ready")
        self.processes()

    def connect(self, receive_buffer: int | None = None) -> Connection:
        """A connection to it."""
        return Connection(self.port, receive_buffer, self.context, self.address)

    def get(self, target: str) -> Answer:
        """GET on a connection of its own."""
        with self.connect() as connection:
            return connection.get(target, [("Connection", "close")])

    def next_worker(self, dead: Collection[int] = ()) -> int:
        """The process id of the worker that answers /pid next, once it is none of the dead."""
        found: list[int] = []

        def ask() -> bool:
            try:
                found.append(int(self.get("/pid").text))
            except (OSError, Broken, ValueError):
                return False
            return found[-1] not in dead

        wait_until(ask, "another worker answers", log=self.log)
        return found[-1]

    def url(self, path: str, scheme: str = "http") -> str:
        """The URL of a path."""
        return f"{scheme}://{self.address}:{self.port}{path}"

    def log(self) -> str:
        """What it has written so far, to its output and to log files in its home."""
        files = [self._log, *sorted(self.folder.glob("home/**/*.log"))]
        return "\n".join(f.read_text(errors="replace") for f in files if f.is_file())

    def show_log(self, error: BaseException) -> None:
        """Have pytest print the end of the log below an error."""
        error.add_note(f"log of {self.engine}:\n{self.log()[-LOG_TAIL:]}")

    def processes(self) -> set[psutil.Process]:
        """The process that was started and all below it that ever were seen, if they are alive."""
        with contextlib.suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.process.pid)
            self._known |= {main, *main.children(recursive=True)}
        return {process for process in self._known if _is_alive(process)}

    def resident(self) -> int:
        """Bytes of memory that all of its processes have."""
        total = 0
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def terminate(self) -> None:
        """Ask it to end when the requests under way are answered."""
        self.processes()
        self.process.send_signal(signal.SIGTERM)

    def wait_end(self, timeout: float | None = None) -> None:
        """Wait until all of its processes are gone."""

        def ended() -> bool:
            return self.process.poll() is not None and not self.processes()

        wait_until(ended, f"all processes of {self.engine} gone", timeout)

    def kill(self) -> None:
        """End all of its processes at once."""
        with contextlib.suppress(psutil.NoSuchProcess):
            # It would start another worker in place of one that is killed before itself.
            psutil.Process(self.process.pid).suspend()
        processes = self.processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        # What they held, such as locks, is free only then.
        wait_until(lambda: not any(map(_is_alive, processes)), f"{self.engine} killed")

    def stop(self) -> None:
        """End it and remove what it left."""
        try:
            if self.process.poll() is None:
                self.terminate()
                with contextlib.suppress(AssertionError):
                    self.wait_end()
        finally:
            self.kill()
            shutil.rmtree(self.folder, ignore_errors=True)


def _note_start(what: str) -> None:
    if path := os.environ.get(STARTS):
        with open(path, "a") as file:
            file.write(f"{what}\n")


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextlib.contextmanager
def serving(
    engine: str, script: Path, workers: int = 1, ready: str = "/", **options: Any
) -> Iterator[Server]:
    """A server that is stopped at the end; see `Server`."""
    server = Server(engine, script, workers, ready, **options)
    try:
        yield server
    except BaseException as error:
        server.show_log(error)
        raise
    finally:
        server.stop()
