"""`was.Thread`: functions that run in threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from atila import HTTPError, Site
from atila.pool import WorkerPool
from atila_tasks.backend import Backend
from atila_tasks.errors import TaskCancelled
from atila_tasks.result import STA_UNSENT
from atila_tasks.task import Task

if TYPE_CHECKING:
    from atila import Was

DEFAULTS: dict[str, Any] = {"TASK_THREADS": 32, "TASK_QUEUE_SIZE": 1024}
"""Settings, read from the app with this layer that is mounted nearest to the root of the site:

- TASK_THREADS: the most threads of a process that carry out tasks, started as they are needed.
- TASK_QUEUE_SIZE: tasks that may wait for a thread; a further one fails with 503.
"""

BUSY = [("retry-after", "1")]
"""Headers of an answer that failed for want of a thread: come again after a second."""


class Threads(Backend):
    """Carries out functions in a pool of threads, which is not that of the handlers: handlers that
    wait for tasks must never keep the tasks from running.

    Args:
        size: the most threads.
        queue_size: the most tasks that may wait for one.
    """

    def __init__(self, size: int, queue_size: int) -> None:
        self._pool = WorkerPool(size, queue_size, name="atila-task", eager=True)
        self._local = threading.local()

    def start(self, task: Task) -> None:
        if not self._pool.submit(self._run, task):
            task.fail(HTTPError(503, "too many tasks wait for a thread", 0, BUSY), STA_UNSENT)

    def cancel(self, task: Task) -> None:
        # A thread cannot be stopped: what has begun goes on.
        if task.claim():
            task.fail(TaskCancelled(), STA_UNSENT)

    def assist(self, task: Task) -> None:
        # If all threads of the pool waited for tasks in its queue, none would ever come to them.
        if getattr(self._local, "is_ours", False):
            self._run(task)

    def _run(self, task: Task) -> None:
        self._local.is_ours = True
        if task.claim():
            task.context.run(_carry_out, task)


def _carry_out(task: Task) -> None:
    try:
        data = task.work()
    except BaseException as error:
        task.fail(error)
    else:
        task.settle(data)


_backends: WeakKeyDictionary[Site, Threads] = WeakKeyDictionary()
_making = threading.Lock()


def _backend_of(site: Site) -> Threads:
    backend = _backends.get(site)
    if backend is None:
        with _making:
            backend = _backends.get(site)
            if backend is None:
                configs = [mount.app.config for mount in site.mounts]
                # The shortest mount point is the last; an app may have left this layer out.
                config = [config for config in configs if "TASK_THREADS" in config][-1]
                backend = Threads(config.TASK_THREADS, config.TASK_QUEUE_SIZE)
                _backends[site] = backend
    return backend


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
        filter: called with what the function returns, in the same thread, to give the data.
        meta: whatever shall be found in the task later.

    Returns:
        The task. It has failed with HTTPError 503 if too many wait for a thread.

    Raises:
        TypeError: func cannot be called, or is defined with `async def`, which needs no thread.
    """
    if iscoroutinefunction(func):
        raise TypeError(
            f"was.Thread takes a plain function; {func.__name__} is async def, await it"
        )
    work = partial(func, *positional, *args, **(kwargs or {}))
    backend = _backend_of(was.site)
    return Task(was, backend, work, timeout=timeout, filter=filter, meta=meta)
