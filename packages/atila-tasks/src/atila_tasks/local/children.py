"""One process of `was.Process`: its start, its calls and their results."""

from __future__ import annotations

import contextlib
import io
import multiprocessing.connection
import os
import pickle
import signal
import sys
from collections.abc import Callable
from multiprocessing import spawn
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

from atila_tasks.local.child_process import SupervisedProcess
from atila_tasks.local.worker_process import DATA

_SCRIPT = Path(__file__).with_name("worker_process.py")


class ProcessDied(RuntimeError):
    """The process that a function ran in has ended: killed, out of memory, crashed.

    Args:
        status: its exit status, negative for a signal.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the process of a task ended before the task: {_in_words(status)}")


class ProcessFailed(RuntimeError):
    """A function of `was.Process` raised an error that cannot be sent; this has its text."""


class ProcessTraceback(Exception):
    """The cause of an error that was raised in a process: the traceback there."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


def _in_words(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def pickled(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """A call as it is sent.

    Raises:
        TypeError: it cannot be sent.
    """
    try:
        return pickle.dumps((func, args, kwargs), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        name = getattr(func, "__qualname__", repr(func))
        raise TypeError(
            f"was.Process sends {name} and its arguments to another process, which is not possible"
            f" here: {error}. Mend: define the function at the top of a module and give it plain"
            " data, or use was.Thread"
        ) from error


class _Answers(pickle.Unpickler):
    """Reads answers, in which the launch script goes by the name that it has in children."""

    def find_class(self, module: str, name: str) -> Any:
        return super().find_class("__main__" if module == "__mp_main__" else module, name)


def load(data: bytes) -> Any:
    """The object that a process has pickled."""
    return _Answers(io.BytesIO(data)).load()


class Child:
    """A process that carries out calls.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self) -> None:
        self._connection, theirs = multiprocessing.connection.Pipe()
        try:
            # -P: the folder of the script has modules named like those of the standard library.
            command = [
                os.fsdecode(spawn.get_executable()),
                "-P",
                str(_SCRIPT),
                str(theirs.fileno()),
            ]
            self.supervised = SupervisedProcess(command, pass_fds=[theirs.fileno()], stdin=DEVNULL)
        except BaseException:
            self._connection.close()
            raise
        finally:
            theirs.close()
        self._is_prepared = False

    def call(self, request: bytes, timeout: float | None) -> bytes:
        """Carry out a call.

        Raises:
            EOFError: the process has ended.
            TimeoutError: it takes too long.
        """
        try:
            if not self._is_prepared:
                self._is_prepared = True
                self._connection.send_bytes(_preparation())
            self._connection.send_bytes(request)
            ready = [self._connection]
            if self.supervised.exited is not None:
                # What it has started may hold the other end of the socket.
                ready.append(self.supervised.exited)  # type: ignore[arg-type]  # handles do as well
            found = multiprocessing.connection.wait(ready, timeout)
            if not found:
                raise TimeoutError
            if self._connection not in found and not self._connection.poll():
                raise EOFError
            return self._connection.recv_bytes()
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise
            raise EOFError from error

    def has_ended(self) -> bool:
        """Whether it has ended, or something is wrong with it: nothing comes unless asked for."""
        ready = [self._connection]
        if self.supervised.exited is not None:
            ready.append(self.supervised.exited)  # type: ignore[arg-type]  # handles do as well
        return bool(multiprocessing.connection.wait(ready, 0))

    def end(self) -> int:
        """End it; its exit status."""
        self._connection.close()
        return self.supervised.end()


def _preparation() -> bytes:
    """The data of `multiprocessing.spawn.prepare` for a process to find the modules of this one."""
    data: dict[str, Any] = {"sys_path": sys.path, "sys_argv": sys.argv}
    main = sys.modules["__main__"]
    name = getattr(getattr(main, "__spec__", None), "name", None)
    path = getattr(main, "__file__", None)
    if name is not None:
        data["init_main_from_name"] = name
    elif path is not None:
        data["init_main_from_path"] = os.path.abspath(path)
    return pickle.dumps(data)


def open_answer(answer: bytes) -> Any:
    """The result of a function.

    Raises:
        TypeError: it cannot be read here.
        Exception: the function's error, or `ProcessFailed`.
    """
    try:
        body = load(answer[1:])
    except Exception as error:
        raise TypeError(
            f"the result of a function of was.Process cannot be read here: {error}"
        ) from error
    if answer[:1] == DATA:
        return body
    raised, text, trace = body
    failure: BaseException = ProcessFailed(text)
    if raised is not None:
        with contextlib.suppress(Exception):
            failure = load(raised)
    raise failure from ProcessTraceback(trace)
