"""The process pool of `was.Process`.

The processes are new interpreters, not forks: a server has threads and loops at work, which no fork
survives. Each has a socket of its own to its own thread here, so whatever happens to one, the calls
in the others know nothing of it.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from functools import partial

from atila.runtime.pool import WorkerPool
from atila_tasks.core.backend import Backend
from atila_tasks.core.backends import drained, submit, withdraw
from atila_tasks.core.errors import TaskCancelled
from atila_tasks.core.task import Task
from atila_tasks.local.children import Child, ProcessDied, open_answer


class Processes(Backend):
    """Carries out functions in processes, which are started as they are needed and then kept.

    Args:
        size: the most processes.
        queue_size: the most tasks that may wait for one.
    """

    def __init__(self, size: int, queue_size: int) -> None:
        # A thread for each process, which waits with it.
        self._pool = WorkerPool(size, queue_size, name="atila-process", one_thread_per_job=True)
        self._idle: deque[Child] = deque()
        self._busy: set[Child] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    def start(self, task: Task) -> None:
        submit(self._pool, self._run, task, "a process")

    def cancel(self, task: Task) -> None:
        if withdraw(task):
            return
        # First of all: from here on the process is found here, or the cancellation by `_run`.
        task.fail(TaskCancelled())
        # Under the lock, or it might be at another task already.
        with self._lock:
            if task.handle is not None:
                task.handle.supervised.kill()

    def _run(self, task: Task) -> None:
        request = task.work
        if not task.try_start():
            return
        try:
            child = self._take()
        except OSError as error:
            task.fail(error)
            return
        with self._lock:
            task.handle = child
            self._busy.add(child)
        # Whoever cancels it from here on finds the process, or it is found here.
        answer, problem = b"", None
        if not task.done:
            try:
                answer = child.call(request, task.remaining())
            except Exception as error:
                problem = error
        with self._lock:
            task.handle = None
            self._busy.discard(child)
            # It may have been killed by whoever cancelled a task that was through by then.
            is_kept = problem is None and not self._is_closed and not child.supervised.is_killed
            if is_kept:
                self._idle.append(child)
        status = 0 if is_kept else child.end()
        if problem is not None:
            # One whose time is over has failed by that already.
            task.fail(ProcessDied(status) if isinstance(problem, EOFError) else problem)
        elif answer:
            task.context.run(task.settle_by, partial(open_answer, answer))

    def _take(self) -> Child:
        while True:
            try:
                # The last that was used: it is the one whose memory is warm.
                child = self._idle.pop()
            except IndexError:
                return Child()
            if not child.has_ended():
                return child
            child.end()

    async def close(self) -> None:
        """Let all tasks end; when this is cancelled, kill those that have not."""
        try:
            await drained(self._pool)
        finally:
            with self._lock:
                self._is_closed = True
                for child in self._busy:
                    child.supervised.kill()
            while self._idle:
                with contextlib.suppress(IndexError):
                    self._idle.pop().end()
