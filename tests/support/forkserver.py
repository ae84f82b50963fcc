"""Starts servers as forks of a process that has imported what they import.

That is done once for each process of pytest, and not for each of the hundreds of servers, whose
imports took longer than most of their tests. A fork runs what the command line of a server names,
as `python SCRIPT` or `python -m MODULE` would, with arguments, environment, folder, output, session
and end of its own; so does each process that the server starts.

Where a fork would differ, with a command that is none of Python's or with variables that the linker
reads, `start` starts a process as usual.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import types
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkContext, ForkProcess
from pathlib import Path
from typing import IO, Any, ClassVar, Protocol

PRELOADED = (
    "atila.engines.asgi",
    "atila.engines.hypercorn",
    "atila.engines.wsgi",
    "atila.launch.cli",
    "atila.launch.deploy",
    "atila.launch.granian_master",
    "atila.launch.granian_worker",
    "atila_auth",
    "atila_render",
    "atila_tasks",
    "atila_ws",
    "backports.zstd",
    "brotli",
    "concurrent.futures.process",
    "encodings.idna",
    "encodings.raw_unicode_escape",
    "encodings.unicode_escape",
    "granian.rsgi",
    "httptools",
    "jinja2",
    "multiprocessing.sharedctypes",
    "orjson",
    "requests",
    "rs4.protocols.sock.impl.http.request_handler",
    "rs4.protocols.sock.impl.http2.request_handler",
    "rs4.protocols.sock.impl.smtp.composer",
    "rs4.protocols.sock.impl.ws.collector",
    "rs4.psutil.flock",
    "rs4.psutil.pidfile",
    "rs4.psutil.service",
    "rs4.webkit.siesta",
    "sentry_sdk",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
    "uvicorn.main",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "websockets.server",
    "werkzeug.test",
    "wsproto",
)
"""Not Skitai, which reads the command line when it is imported."""
is_used = False
"""Whether `start` forks. What measures a server does without, and so does what is no test."""
OF_SYSTEM = ("LD_", "LC_", "LANG", "TZ", "GLIBC_", "MALLOC_")
"""Beginnings of variables that the linker and the C library read when a process starts."""
OF_PYTHON = ("PYTHON",)
"""And Python."""
MESSAGE_SIZE = 1 << 20
DESCRIPTORS = 3


class Process(Protocol):
    """What a test may do with the process that it started: a part of `subprocess.Popen`."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """Its exit code; that of a signal is negative; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; `subprocess.TimeoutExpired` after `timeout` seconds."""
        ...

    def send_signal(self, sig: int) -> None:
        """Signal it, if it has not ended."""

    def terminate(self) -> None:
        """SIGTERM."""

    def kill(self) -> None:
        """SIGKILL."""


def start(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdin: int,
    log: IO[bytes],
) -> Process:
    """Start a process in a session of its own.

    Args:
        command: its command line.
        folder: its working directory.
        environment: all of its variables.
        stdin: a descriptor, or `subprocess.DEVNULL`.
        log: where its output and errors go.
    """
    if is_used and _is_script(command) and hasattr(os, "pidfd_open"):
        usual = _starting_with(OF_SYSTEM, os.environ)
        if _starting_with(OF_SYSTEM, environment) == usual:
            server = ForkServer.of_process(_starting_with(OF_PYTHON, environment))
            return server.start(command, folder, environment, stdin, log)
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=stdin,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _is_script(command: Sequence[str]) -> bool:
    """Whether it is a script or a module of this interpreter."""
    first = Path(command[0])
    if first == Path(sys.executable):
        return len(command) > 1 and (command[1] == "-m" or not command[1].startswith("-"))
    return first.parent == Path(sys.executable).parent and first.name == "atila"


def _starting_with(prefixes: tuple[str, ...], variables: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in variables.items() if key.startswith(prefixes)}


class ForkServer:
    """The process that forks.

    Args:
        variables: those that Python reads when it starts.
    """

    _found: ClassVar[dict[frozenset[tuple[str, str]], ForkServer]] = {}

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.owner = os.getpid()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        others = {key: value for key, value in os.environ.items() if not key.startswith(OF_PYTHON)}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env=others | dict(variables),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        atexit.register(self.close)

    @classmethod
    def of_process(cls, variables: Mapping[str, str]) -> ForkServer:
        """That of this process with these variables."""
        key = frozenset(variables.items())
        if key not in cls._found or cls._found[key].owner != os.getpid():
            cls._found[key] = ForkServer(variables)
        return cls._found[key]

    def close(self) -> None:
        """Fork no more; what was forked goes on."""
        is_ours = self.owner == os.getpid()
        if is_ours:
            # A fork of this process may hold the socket, too.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if is_ours:
            self._process.wait()

    def start(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        stdin: int,
        log: IO[bytes],
    ) -> Fork:
        """See `start`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        message = json.dumps([list(command), str(folder), dict(environment)]).encode()
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            given = nothing if stdin == subprocess.DEVNULL else stdin
            descriptors = [given, log.fileno(), theirs.fileno()]
            socket.send_fds(self._socket, [message], descriptors)
        finally:
            os.close(nothing)
            theirs.close()
        return Fork(ours, command)


class Fork:
    """A process that was forked; it can be waited for as one of `subprocess`.

    Args:
        connection: to what forked it, which sends the process id and then the exit code.
        command: its command line.
    """

    def __init__(self, connection: socket.socket, command: Sequence[str]) -> None:
        self._connection = connection
        self._command = command
        self.returncode: int | None = None
        self.pid = int(self._receive())

    def _receive(self) -> bytes:
        if not (found := self._connection.recv(MESSAGE_SIZE)):
            raise RuntimeError("the process that forks servers has ended")
        return found

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(self._command, timeout or 0)
            self.returncode = int(self._receive())
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Signal it, if it has not ended."""
        if self.poll() is None:
            # Its parent may know of its end, and not have said it yet; as in subprocess.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def __del__(self) -> None:
        self._connection.close()


# In the process that forks ------------------------------------------------------------------------


class Forking:
    """Forks as it is asked to, and reports the ends of the forks.

    Args:
        control: where the requests come from.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def until_forked(self) -> list[Any] | None:
        """Serve; what was asked for if this is a fork by now, None if nobody asks any more."""
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    message, descriptors, _, _ = socket.recv_fds(
                        self._control, MESSAGE_SIZE, DESCRIPTORS
                    )
                    if not message:
                        return None
                    if self._fork(descriptors):
                        asked: list[Any] = json.loads(message)
                        return asked
                else:
                    self._selector.unregister(key.fileobj)
                    os.close(key.fd)
                    self._report_end(*key.data)

    def _fork(self, descriptors: list[int]) -> bool:
        """Whether this is the fork."""
        stdin, log, report = descriptors
        if pid := os.fork():
            os.close(stdin)
            os.close(log)
            connection = socket.socket(fileno=report)
            connection.send(str(pid).encode())
            pidfd = os.pidfd_open(pid)
            self._selector.register(pidfd, selectors.EVENT_READ, (pid, connection))
            return False
        self._leave(report)
        os.setsid()
        os.dup2(stdin, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(stdin)
        os.close(log)
        return True

    def _leave(self, report: int) -> None:
        """In a fork: close what is not its own."""
        os.close(report)
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                key.data[1].close()
                if isinstance(key.fileobj, int):
                    os.close(key.fileobj)
        self._control.close()
        self._selector.close()

    def _report_end(self, pid: int, connection: socket.socket) -> None:
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with connection, contextlib.suppress(OSError):
            connection.send(str(code).encode())


class Worker(ForkProcess):
    """A worker that has no signal handlers of its master; what that ignores, it ignores, too."""

    def run(self) -> None:
        """Run its function."""
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        super().run()


class WorkerContext(ForkContext):
    """In place of the context "spawn" of multiprocessing."""

    Process = Worker


def become(command: list[str], folder: str, environment: dict[str, str]) -> None:
    """Run a command of Python as if it had been started with it."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    arguments = command if Path(command[0]).name == "atila" else command[1:]
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path[0] = folder
        # Each worker would import everything anew.
        if arguments[1] == "hypercorn":
            importlib.import_module("hypercorn.run").get_context = lambda _: WorkerContext()
        elif arguments[1] == "uvicorn":
            importlib.import_module("uvicorn._subprocess").spawn = WorkerContext()
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    path = Path(arguments[0])
    sys.argv = arguments
    sys.path[0] = str(path.parent.absolute())
    main = types.ModuleType("__main__")
    main.__file__ = str(path.absolute())
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    exec(compile(path.read_bytes(), main.__file__, "exec"), main.__dict__)


def serve(descriptor: int) -> None:
    """Fork until nobody asks any more."""
    for name in PRELOADED:
        # Some are for some versions of Python; what a server lacks, its own import misses.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # It is known then what is installed.
    importlib.import_module("atila.layers").preload()
    # Of what is there by now nothing is looked through, and so written to, by a fork's collector.
    gc.collect()
    gc.freeze()
    asked = Forking(socket.socket(fileno=descriptor)).until_forked()
    if asked is not None:
        become(*asked)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
