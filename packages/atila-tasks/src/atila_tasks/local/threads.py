"""`was.Thread`: functions that run in threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from atila.runtime.pool import WorkerPool
from atila.serving.provision import supplied_alone
from atila_tasks.core.backend import Backend
from atila_tasks.core.backends import drained, site_singleton, submit, withdraw
from atila_tasks.core.task import Task

if TYPE_CHECKING:
    from atila import Was
    from atila.app.settings import Config


class Threads(Backend):
    """Carries out functions in a pool of threads, which is not that of the handlers: handlers that
    wait for tasks must never keep the tasks from running.

    Args:
        size: the most threads.
        queue_size: the most tasks that may wait for one.
    """

    def __init__(self, size: int, queue_size: int) -> None:
        self._pool = WorkerPool(size, queue_size, name="atila-task", one_thread_per_job=True)
        self._local = threading.local()

    async def close(self) -> None:
        """Let all tasks end; those that have not when this is cancelled end with the process."""
        await drained(self._pool)

    def start(self, task: Task) -> None:
        submit(self._pool, self._run, task, "a thread")

    def cancel(self, task: Task) -> None:
        # A thread cannot be stopped: what has begun goes on.
        withdraw(task)

    def help_out(self, task: Task) -> None:
        # If all threads of the pool waited for tasks in its queue, none would ever come to them.
        if getattr(self._local, "is_ours", False):
            self._run(task)

    def _run(self, task: Task) -> None:
        self._local.is_ours = True
        if task.try_start():
            task.context.run(task.settle_by, task.work)


def _make(config: Config) -> Threads:
    return Threads(config.TASK_THREADS, config.TASK_QUEUE_SIZE)


def thread(
    was: Was,
    func: Callable[..., Any],
    /,
    *positional: Any,
    args: Iterable[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    filter: Callable[[Any], Any] | None = None,
    meta: dict[str, Any] | None = None,
) -> Task:
    """Call a function in a thread.

    Args:
        was: the request; `atila.current` has it in the thread, too.
        func: the function.
        positional: its positional arguments.
        args: more of them, for the way that `threading.Thread` is called.
        kwargs: its keyword arguments.
        timeout: seconds until the task counts as failed; the function itself goes on if it runs.
        filter: called with the function's result, in the same thread, to give the data.
        meta: any data of the caller, kept in the task.

    Returns:
        The task. It has failed with HTTPError 503 if too many wait for a thread.

    Raises:
        TypeError: func cannot be called, or is defined with `async def`, which needs no thread.
    """
    if iscoroutinefunction(func):
        raise TypeError(
            f"was.Thread takes a plain function; {func.__name__} is async def, await it"
        )
    args, kwargs = tuple(args), kwargs or {}
    func = supplied_alone(was, func, len(positional) + len(args), kwargs)
    work = partial(func, *positional, *args, **kwargs)
    backend = site_singleton(was.site, _make)
    return Task(was, backend, work, timeout=timeout, filter=filter, meta=meta)


def thread_pass(
    was: Was,
    func: Callable[..., Any],
    /,
    *positional: Any,
    args: Iterable[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    timeout: float | None = None,
) -> Task:
    """Answer later, from a thread: `return was.ThreadPass(respond, args=(4.0,))`.

    The handler's own thread is free at once. For work so long that the handlers of other requests
    would lack threads.

    Args:
        was: the request.
        func: called as func(was, …); its result is the answer. It may wait for tasks.
        positional: its further positional arguments.
        args: more of them.
        kwargs: its keyword arguments.
        timeout: seconds until it is answered with 504; the function itself goes on if it runs.

    Raises:
        TypeError: as `thread`.
    """
    return thread(was, func, was, *positional, args=args, kwargs=kwargs, timeout=timeout)
