"""Existing clusters for `was.Process`, as a standard `concurrent.futures.Executor`.

Such as Dask, or a pool of processes that are started in another way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Any

from atila.runtime.pool import WorkerPool
from atila_tasks.core.backend import Backend
from atila_tasks.core.backends import submit, withdraw
from atila_tasks.core.errors import TaskCancelled
from atila_tasks.core.result import STA_UNSENT
from atila_tasks.core.task import Task

_THREADS = 2
"""Threads that hand over tasks: an executor may connect to somewhere, or start processes."""


class Executors(Backend):
    """Carries out functions in an executor; when that is broken, in another.

    Args:
        make: makes one.
        queue_size: the most tasks that may wait to be handed over.
    """

    def __init__(self, make: Callable[[], Executor], queue_size: int) -> None:
        self._make = make
        self._pool = WorkerPool(
            _THREADS, queue_size, name="atila-executor", one_thread_per_job=True
        )
        self._lock = threading.Lock()
        self._executor: Executor | None = None
        self._pending: set[Future[Any]] = set()

    def start(self, task: Task) -> None:
        submit(self._pool, self._run, task, "a process")

    def cancel(self, task: Task) -> None:
        if withdraw(task):
            return
        if task.handle is None:
            # It is being handed over; that it is done is found when that is done.
            task.fail(TaskCancelled())
        elif task.handle.cancel():
            task.fail(TaskCancelled(), STA_UNSENT)

    def _run(self, task: Task) -> None:
        call = task.work
        if not task.try_start():
            return
        try:
            future = self._submit(*call)
        except BaseException as error:
            task.fail(error, STA_UNSENT)
            return
        task.handle = future
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        future.add_done_callback(lambda future: task.context.run(_finish, task, future))
        # One whose time is over need not begin.
        task.when_done(future.cancel)

    def _submit(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Future[Any]:
        executor = self._replaced(None)
        try:
            return executor.submit(func, *args, **kwargs)
        except BrokenExecutor:
            return self._replaced(executor).submit(func, *args, **kwargs)

    def _replaced(self, broken: Executor | None) -> Executor:
        """The executor; another one if it is this."""
        with self._lock:
            if self._executor is broken:
                executor = self._make()
                if not isinstance(executor, Executor):
                    raise TypeError(
                        "app.config.PROCESS_EXECUTOR must make a concurrent.futures.Executor, not"
                        f" {type(executor).__name__}"
                    )
                self._executor = executor
            return self._executor  # type: ignore[return-value]  # None is always replaced

    def close(self) -> None:
        """Cancel jobs that have not begun; running ones go on to their end."""
        self._pool.close(0)
        for future in tuple(self._pending):
            future.cancel()
        if self._executor is not None:
            # The option cancel_futures is not everybody's.
            self._executor.shutdown(wait=False)


def _finish(task: Task, future: Future[Any]) -> None:
    try:
        data = future.result()
    except CancelledError:
        task.fail(TaskCancelled(), STA_UNSENT)
    except BaseException as error:
        task.fail(error)
    else:
        task.settle(data)
