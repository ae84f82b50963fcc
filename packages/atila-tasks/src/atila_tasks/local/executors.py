"""Existing clusters for `was.Process`, as a standard `concurrent.futures.Executor`.

Such as Dask, or a pool of processes that are started in another way.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from functools import partial
from typing import Any

from atila.runtime.pool import WorkerPool
from atila_tasks.core.backend import Backend
from atila_tasks.core.backends import submit, withdraw
from atila_tasks.core.errors import TaskCancelled
from atila_tasks.core.result import STA_UNSENT
from atila_tasks.core.task import Task

_THREADS = 2
"""Threads that hand over tasks: an executor may connect to somewhere, or start processes."""
HAND_OVER_SECONDS = 60.0
"""How long an executor has to take a task. One that starts processes may hang in that for ever."""

log = logging.getLogger("atila.tasks")


class Executors(Backend):
    """Carries out functions in an executor; when that is broken or hangs, in another.

    Args:
        make: makes one.
        queue_size: the most tasks that may wait to be handed over.
    """

    def __init__(self, make: Callable[[], Executor], queue_size: int) -> None:
        self._make = make
        self._queue_size = queue_size
        self._desk = _Desk(make, queue_size)
        self._left: list[_Desk] = []
        self._pending: set[Future[Any]] = set()
        self._is_closed = threading.Event()
        self._watch: threading.Thread | None = None

    def start(self, task: Task) -> None:
        if self._watch is None:
            self._watch = threading.Thread(
                target=self._look_after, name="atila-executor-watch", daemon=True
            )
            self._watch.start()
        self._hand_over(self._desk, task)

    def _hand_over(self, desk: _Desk, task: Task) -> None:
        desk.waiting.add(task)
        if not submit(desk.pool, partial(self._run, desk), task, "a process"):
            desk.waiting.discard(task)

    def cancel(self, task: Task) -> None:
        if withdraw(task):
            return
        if task.handle is None:
            # It is being handed over; that it is done is found when that is done.
            task.fail(TaskCancelled())
        elif task.handle.cancel():
            task.fail(TaskCancelled(), STA_UNSENT)

    def _run(self, desk: _Desk, task: Task) -> None:
        call = task.work
        # First under way, then waiting no more: a desk that has neither is given up.
        desk.under_way[task] = time.monotonic()
        desk.waiting.discard(task)
        try:
            if not task.try_start():
                return
            future = desk.submit(*call)
        except BaseException as error:
            task.fail(error, STA_UNSENT)
            return
        finally:
            desk.under_way.pop(task, None)
        task.handle = future
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        future.add_done_callback(lambda future: task.context.run(_finish, task, future))
        # One whose time is over need not begin.
        task.when_done(future.cancel)

    def _look_after(self) -> None:
        while not self._is_closed.wait(HAND_OVER_SECONDS / 4):
            for left in tuple(self._left):
                # Its other thread may have begun a moment later than the one that was found late.
                _give_up(left.late())
                if not left.waiting and not left.under_way:
                    # It has taken them after all, or has failed to.
                    self._left.remove(left)
                    left.pool.close(0)
                    left.shut_down()
            desk = self._desk
            if late := desk.late():
                log.error(
                    "the executor has not taken a task within %g s: another one is made",
                    HAND_OVER_SECONDS,
                )
                # Its threads are left where they hang: nothing can interrupt them, and to shut it
                # down may wait for what they hold.
                self._left.append(desk)
                self._desk = _Desk(self._make, self._queue_size)
                _give_up(late)
                for task in tuple(desk.waiting):
                    self._hand_over(self._desk, task)

    def close(self) -> None:
        """Cancel jobs that have not begun; running ones go on to their end."""
        self._is_closed.set()
        desks = (self._desk, *self._left)
        for desk in desks:
            desk.pool.close(0)
        # The option cancel_futures of `shutdown` is not everybody's.
        for future in tuple(self._pending):
            future.cancel()
        for desk in desks:
            desk.shut_down()


class _Desk:
    """An executor, another one when it is broken, and the threads that hand tasks over to it.

    Args:
        make: makes an executor.
        queue_size: the most tasks that may wait.

    Attributes:
        waiting: tasks that no thread has taken yet.
        under_way: those that are being handed over, and since when.
    """

    def __init__(self, make: Callable[[], Executor], queue_size: int) -> None:
        self.pool = WorkerPool(_THREADS, queue_size, name="atila-executor", one_thread_per_job=True)
        self.executor: Executor | None = None
        self.waiting: set[Task] = set()
        self.under_way: dict[Task, float] = {}
        self._make = make
        self._lock = threading.Lock()

    def submit(self, func: Callable[..., Any], args: Any, kwargs: Any) -> Future[Any]:
        """Hand a call over."""
        executor = self._replaced(None)
        try:
            return executor.submit(func, *args, **kwargs)
        except BrokenExecutor:
            return self._replaced(executor).submit(func, *args, **kwargs)

    def late(self) -> list[Task]:
        """Tasks that should have been handed over."""
        limit = time.monotonic() - HAND_OVER_SECONDS
        return [task for task, since in tuple(self.under_way.items()) if since < limit]

    def shut_down(self) -> None:
        """End the executor once its running tasks have ended. One that hangs is not asked."""
        if self.executor is not None and not self.under_way:
            self.executor.shutdown(wait=False)

    def _replaced(self, broken: Executor | None) -> Executor:
        """The executor; another one if it is this."""
        with self._lock:
            if self.executor is broken:
                executor = self._make()
                if not isinstance(executor, Executor):
                    raise TypeError(
                        "app.config.PROCESS_EXECUTOR must make a concurrent.futures.Executor, not"
                        f" {type(executor).__name__}"
                    )
                self.executor = executor
            return self.executor  # type: ignore[return-value]  # None is always replaced


def _give_up(tasks: list[Task]) -> None:
    for task in tasks:
        task.fail(TimeoutError("the executor does not take the task"), STA_UNSENT)


def _finish(task: Task, future: Future[Any]) -> None:
    try:
        data = future.result()
    except CancelledError:
        task.fail(TaskCancelled(), STA_UNSENT)
    except BaseException as error:
        task.fail(error)
    else:
        task.settle(data)
