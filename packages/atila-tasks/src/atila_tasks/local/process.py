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

    The function is passed by its module and name, its arguments and its result by pickle, so these
    are copies. The process knows nothing of the request.

    Args:
        was: the request.
        func: a function at the top of a module, or of the launch script.
        positional: its positional arguments.
        args: more of them, for the way that `multiprocessing.Process` is called.
        kwargs: its keyword arguments.
        timeout: seconds from now; then its process is killed.
        filter: called with the function's result, in this process, to give the data.
        meta: any data of the caller, kept in the task.

    Returns:
        The task. It has failed with HTTPError 503 if too many wait for a process, with
        `ProcessDied` if its process has ended, and with `TypeError` if the result of the function
        cannot be sent.

    Raises:
        TypeError: func cannot be called or is `async def`; it or its arguments cannot be sent; it
            takes a value of a provider, which the other process has not.
    """
    if not callable(func):
        raise TypeError(f"was.Process takes a function, not {type(func).__name__}")
    if iscoroutinefunction(func):
        raise TypeError(f"was.Process takes a plain function; {func.__name__} is async def")
    call = (func, (*positional, *args), dict(kwargs or {}))
    _check_unprovided(was, *call)
    backend = site_singleton(was.site, _make)
    # An executor has its own way of sending.
    work: Any = pickled(*call) if isinstance(backend, Processes) else call
    return Task(was, backend, work, timeout=timeout, filter=filter, meta=meta)


def _check_unprovided(
    was: Was, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    names = was.app.providers.names_in(func, len(args), kwargs, needed=True)
    if names:
        raise TypeError(
            f"{getattr(func, '__name__', 'the function')} takes {names[0]!r}, which a provider"
            " makes in the process of the server, and was.Process calls it in another. Mend: give"
            " it data, make the value inside of it, or use was.Thread, which provides"
        )
