"""`was.Subprocess`: programs of the system."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from atila.runtime.pool import WorkerPool
from atila_tasks.core.backend import Backend
from atila_tasks.core.backends import drained, site_singleton, submit, withdraw
from atila_tasks.core.errors import TaskCancelled
from atila_tasks.core.task import Task
from atila_tasks.local.programs import Program, argv_of, run

if TYPE_CHECKING:
    from atila import Was
    from atila.app.settings import Config


class Subprocesses(Backend):
    """Runs programs, each watched by a thread.

    Args:
        size: the most programs at once.
        queue_size: the most tasks that may wait for their turn.
        max_output: bytes that a program may write to its standard output if nothing else is said.
    """

    def __init__(self, size: int, queue_size: int, max_output: int) -> None:
        self.max_output = max_output
        self._pool = WorkerPool(size, queue_size, name="atila-subprocess", one_thread_per_job=True)
        self._running: set[Task] = set()

    def start(self, task: Task) -> None:
        submit(self._pool, self._run, task, "a program")

    def cancel(self, task: Task) -> None:
        if withdraw(task):
            return
        # First of all: from here on the program is found here, or the cancellation by `_run`.
        task.fail(TaskCancelled())
        if task.handle is not None:
            task.handle.kill()

    def _run(self, task: Task) -> None:
        program: Program = task.work
        if not task.try_start():
            return
        self._running.add(task)
        try:
            supervised = task.handle = program.start()
            if task.done:
                # Cancelled by somebody who has not seen the program.
                supervised.kill()
            output = run(program, supervised, task.remaining())
        except Exception as error:
            # One whose time is over has failed by that already.
            task.fail(error)
        else:
            task.context.run(task.settle, output)
        finally:
            self._running.discard(task)

    async def close(self) -> None:
        """Let all tasks end; when this is cancelled, kill the running ones."""
        try:
            await drained(self._pool)
        finally:
            for task in tuple(self._running):
                self.cancel(task)


def _make(config: Config) -> Subprocesses:
    return Subprocesses(
        config.TASK_SUBPROCESSES, config.TASK_QUEUE_SIZE, config.SUBPROCESS_MAX_OUTPUT
    )


def subprocess(
    was: Was,
    command: str | Sequence[str | os.PathLike[str]],
    /,
    *,
    timeout: float | None = None,
    filter: Callable[[Any], Any] | None = None,
    meta: dict[str, Any] | None = None,
    shell: bool = False,
    text: bool = True,
    input: str | bytes = b"",
    limit: int | None = None,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Task:
    """Run a program of the system: `was.Subprocess("ls /var/log")`, or, with words from outside,
    `was.Subprocess(["ls", folder])`.

    It runs without a terminal, in a process group of its own. All of that ends when the program
    ends, when the task is cancelled, and when the server ends, in whatever way.

    Args:
        was: the request.
        command: a line, split into words as a shell does and not interpreted any further; or a list
            of words.
        timeout: seconds, waiting for its turn included; then it is killed.
        filter: called with the output, to give the data.
        meta: any data of the caller, kept in the task.
        shell: have a shell interpret the line. Never with a word in it that comes from outside.
        text: give the output as str (UTF-8); else as bytes.
        input: its standard input.
        limit: bytes that it may write; None for the setting SUBPROCESS_MAX_OUTPUT.
        cwd: its working directory; None for that of the server.
        env: its environment; None for that of the server.

    Returns:
        The task; its data is the program's standard output. It has failed with HTTPError 503 if too
        many wait for their turn, `OSError` if the program cannot be started, `ProgramFailed` if it
        ended with another status than 0, and `OutputTooLong`.

    Raises:
        ValueError: there is no program in the line, or only a shell could read it.
        TypeError: the command is neither a line nor a list of words.
    """
    backend = site_singleton(was.site, _make)
    work = Program(
        argv_of(command, shell=shell),
        backend.max_output if limit is None else limit,
        text,
        input.encode() if isinstance(input, str) else input,
        cwd,
        env,
    )
    return Task(was, backend, work, timeout=timeout, filter=filter, meta=meta)
