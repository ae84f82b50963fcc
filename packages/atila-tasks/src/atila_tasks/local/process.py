"""`was.Process`: functions that run in other processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from atila_tasks.core.backends import site_singleton
from atila_tasks.core.task import Task
from atila_tasks.local.children import pickled
from atila_tasks.local.executors import Executors
from atila_tasks.local.processes import Processes

if TYPE_CHECKING:
    from atila import Was
    from atila.app.settings import Config


def _make(config: Config) -> Processes | Executors:
    if config.PROCESS_EXECUTOR is not None:
        return Executors(config.PROCESS_EXECUTOR, config.TASK_QUEUE_SIZE)
    return Processes(config.TASK_PROCESSES or os.cpu_count() or 1, config.TASK_QUEUE_SIZE)


def process(
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
    """Call a function in another process, for work that keeps a processor busy.

    It gets there by its module and name, its arguments and what it returns by pickle, so these are
    copies. The process knows nothing of the request.

    Args:
        was: the request.
        func: a function at the top of a module, or of the launch script.
        positional: its positional arguments.
        args: more of them, for the way that `multiprocessing.Process` is called.
        kwargs: its keyword arguments.
        timeout: seconds that it has; then its process is killed.
        filter: called with what the function returns, in this process, to give the data.
        meta: whatever shall be found in the task later.

    Returns:
        The task. It has failed with HTTPError 503 if too many wait for a process, with
        `ProcessDied` if its process has ended, and with `TypeError` if what the function returned
        cannot be sent.

    Raises:
        TypeError: func cannot be called or is `async def`; it or its arguments cannot be sent.
    """
    if not callable(func):
        raise TypeError(f"was.Process takes a function, not {type(func).__name__}")
    if iscoroutinefunction(func):
        raise TypeError(f"was.Process takes a plain function; {func.__name__} is async def")
    call = (func, (*positional, *args), dict(kwargs or {}))
    backend = site_singleton(was.site, _make)
    # An executor has its own way of sending.
    work: Any = pickled(*call) if isinstance(backend, Processes) else call
    return Task(was, backend, work, timeout=timeout, filter=filter, meta=meta)
