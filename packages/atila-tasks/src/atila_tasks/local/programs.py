"""Runs a program of the system to its end, within limits."""

from __future__ import annotations

import os
import selectors
import shlex
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from subprocess import DEVNULL, PIPE
from typing import IO, Any

from atila_tasks.local.child_process import SupervisedProcess

STDERR_TAIL = 4096
"""Bytes of the standard error that are kept: the last ones."""
_PIECE = 65536
_GLANCE = 0.02
"""Seconds between two looks at a program whose end the system does not announce."""
_OF_SHELLS = frozenset({"|", "||", "&", "&&", ";", "<", ">", ">>", "2>", "2>&1", "2>/dev/null"})


class ProgramFailed(RuntimeError):
    """A program ended with another status than 0.

    Args:
        program: its name, without its arguments, which may be secret.
        status: its exit status; negative for a signal.
        stderr: the end of its standard error.
    """

    def __init__(self, program: str, status: int, stderr: str) -> None:
        self.program = program
        self.status = status
        self.stderr = stderr
        how = f"exit status {status}" if status >= 0 else f"killed by signal {-status}"
        super().__init__(f"{program}: {how}" + (f": {stderr.strip()}" if stderr.strip() else ""))


class OutputTooLong(RuntimeError):
    """A program wrote more than it may, and was killed.

    Args:
        program: its name.
        limit: bytes that it may write.
    """

    def __init__(self, program: str, limit: int) -> None:
        super().__init__(f"{program} wrote more than {limit} bytes; the option limit=… sets more")


@dataclass(frozen=True, slots=True)
class Program:
    """A program to be run.

    Attributes:
        argv: the program and its arguments.
        limit: bytes that it may write to its standard output.
        text: whether its output is text, in UTF-8; invalid bytes are replaced by "�".
        input: its standard input.
        cwd: its working directory; None for that of the server.
        env: its environment; None for that of the server.
    """

    argv: Sequence[str]
    limit: int
    text: bool
    input: bytes
    cwd: str | os.PathLike[str] | None
    env: Mapping[str, str] | None

    @property
    def name(self) -> str:
        """Its name."""
        return os.path.basename(self.argv[0])

    def start(self) -> SupervisedProcess:
        """Start it.

        Raises:
            OSError: it cannot be started.
        """
        return SupervisedProcess(
            self.argv,
            stdin=PIPE if self.input else DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            cwd=self.cwd,
            env=self.env,
        )


def argv_of(command: Any, *, shell: bool) -> list[str]:
    """The program and its arguments, of a line as one would type it or of a list.

    Args:
        command: the line, or the list.
        shell: whether a shell reads the line.

    Raises:
        ValueError: there is no program in it, a quote is not closed, or only a shell could read it.
        TypeError: it is neither a line nor a list of words.
    """
    if shell:
        if not isinstance(command, str):
            raise TypeError("a shell takes a line: was.Subprocess('ls | wc -l', shell=True)")
        return ["/bin/sh", "-c", command]
    if isinstance(command, str):
        argv = shlex.split(command)
        if found := _OF_SHELLS.intersection(argv):
            raise ValueError(
                f"was.Subprocess starts the program without a shell, so {min(found)!r} would be an"
                " argument of it: write shell=True for a line that has no word from outside in it,"
                " or a list if it is an argument"
            )
    elif isinstance(command, Sequence) and not isinstance(command, bytes):
        words: list[Any] = list(command)
        argv = [os.fspath(word) if isinstance(word, os.PathLike) else word for word in words]
        if strange := [word for word in words if not isinstance(word, str | os.PathLike)]:
            kind = type(strange[0]).__name__
            raise TypeError(f"an argument of was.Subprocess is {kind}; it must be str")
    else:
        raise TypeError(f"was.Subprocess takes a line or a list, not {type(command).__name__}")
    if not argv or not argv[0]:
        raise ValueError("was.Subprocess is given no program")
    return argv


def run(program: Program, supervised: SupervisedProcess, timeout: float | None) -> str | bytes:
    """Wait for a program that was started, and give its standard output.

    Its remaining child processes end with it.

    Raises:
        TimeoutError: its time is over.
        ProgramFailed: its status is not 0.
        OutputTooLong: its output is over the limit.
    """
    output, errors = bytearray(), bytearray()
    try:
        _read(program, supervised, timeout, output, errors)
    finally:
        status = supervised.end()
        for pipe in (
            supervised.process.stdin,
            supervised.process.stdout,
            supervised.process.stderr,
        ):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
    if status:
        raise ProgramFailed(program.name, status, errors.decode(errors="replace"))
    return output.decode(errors="replace") if program.text else bytes(output)


def _read(
    program: Program,
    supervised: SupervisedProcess,
    timeout: float | None,
    output: bytearray,
    errors: bytearray,
) -> None:
    deadline = None if timeout is None else time.monotonic() + timeout
    process = supervised.process
    pending = memoryview(program.input)
    with selectors.DefaultSelector() as selector:
        for pipe, name in ((process.stdout, output), (process.stderr, errors)):
            _register(selector, pipe, selectors.EVENT_READ, name)
        _register(selector, process.stdin, selectors.EVENT_WRITE, "input")
        if supervised.exited is not None:
            selector.register(supervised.exited, selectors.EVENT_READ, "exited")
        while True:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError
            if supervised.exited is None:
                left = _GLANCE if left is None else min(left, _GLANCE)
            has_ended = supervised.exited is None and supervised.has_ended()
            for key, _ in selector.select(0 if has_ended else left):
                if key.data == "exited":
                    has_ended = True
                elif key.data == "input":
                    pending = _write(selector, key, pending)
                else:
                    _take(selector, key, program, errors)
            if has_ended:
                # What it has started may hold the pipes for ever; and it has nobody to write for.
                supervised.kill()
                _drain(selector, program, errors)
                return


def _register(
    selector: selectors.BaseSelector, pipe: IO[bytes] | None, events: int, data: Any
) -> None:
    if pipe is not None:
        os.set_blocking(pipe.fileno(), False)
        selector.register(pipe, events, data)


def _take(
    selector: selectors.BaseSelector,
    key: selectors.SelectorKey,
    program: Program,
    errors: bytearray,
) -> bool:
    """Read the available output; False if there is none, or no more ever."""
    try:
        piece = os.read(key.fd, _PIECE)
    except BlockingIOError:
        return False
    if not piece:
        selector.unregister(key.fileobj)
        return False
    key.data.extend(piece)
    if key.data is errors:
        del errors[:-STDERR_TAIL]
    elif len(key.data) > program.limit:
        raise OutputTooLong(program.name, program.limit)
    return True


def _drain(selector: selectors.BaseSelector, program: Program, errors: bytearray) -> None:
    for key in list(selector.get_map().values()):
        if isinstance(key.data, bytearray):
            while _take(selector, key, program, errors):
                pass


def _write(
    selector: selectors.BaseSelector, key: selectors.SelectorKey, pending: memoryview
) -> memoryview:
    try:
        pending = pending[os.write(key.fd, pending[:_PIECE]) :]
    except BlockingIOError:
        return pending
    except BrokenPipeError:
        pending = pending[:0]  # It does not want to know.
    if not pending:
        selector.unregister(key.fileobj)
        key.fileobj.close()  # type: ignore[union-attr]  # a pipe, not a number
    return pending
