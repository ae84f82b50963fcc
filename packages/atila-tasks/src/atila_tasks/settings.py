"""The settings of this layer, and their checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atila import SetupError

if TYPE_CHECKING:
    from atila import Atila

DEFAULTS: dict[str, Any] = {
    "TASK_THREADS": 32,
    "TASK_PROCESSES": None,
    "TASK_SUBPROCESSES": 16,
    "TASK_QUEUE_SIZE": 1024,
    "PROCESS_EXECUTOR": None,
    "SUBPROCESS_MAX_OUTPUT": 16 * 1024 * 1024,
    "QUEUE_THREADS": 32,
    "QUERY_CACHE_SIZE": 32 * 1024 * 1024,
}
"""Settings, read from the app with this layer that is mounted nearest to the root of the site. All
numbers are for each process of the server:

- TASK_THREADS: the most threads that carry out `was.Thread`, started as they are needed.
- TASK_PROCESSES: the most processes that carry out `was.Process`, started as they are needed; None
  for as many as there are processors.
- TASK_SUBPROCESSES: the most commands of `was.Subprocess` that run at once.
- TASK_QUEUE_SIZE: tasks of each of these kinds that may wait; a further one fails with 503.
- PROCESS_EXECUTOR: what carries out `was.Process` instead: a function that makes a
  `concurrent.futures.Executor`, called once in each process of the server, as in
  `lambda: dask.distributed.Client("tcp://…").get_executor()` for the machines of a cluster, or
  `lambda: ProcessPoolExecutor(4, get_context("forkserver"))` for another way to start processes.
- SUBPROCESS_MAX_OUTPUT: bytes that a command may write to its standard output.
- QUEUE_THREADS: the most producers of `was.Queue` that run at once, each in a thread.
- QUERY_CACHE_SIZE: bytes, about, that the cache of `was.db(…, use_cache=…)` may have.
"""

_COUNTS = ("TASK_THREADS", "TASK_SUBPROCESSES", "TASK_QUEUE_SIZE", "QUEUE_THREADS")


def check(app: Atila) -> None:
    """Raise a SetupError if a setting of an app cannot be."""
    config = app.config
    counts = [*_COUNTS, "SUBPROCESS_MAX_OUTPUT", "QUERY_CACHE_SIZE"]
    if config.TASK_PROCESSES is not None:
        counts.append("TASK_PROCESSES")
    for name in counts:
        if not isinstance(config[name], int) or config[name] < 1:
            raise SetupError(f"app.config.{name} is {config[name]!r}; it must be a number from 1")
    make = config.PROCESS_EXECUTOR
    if make is not None and not callable(make):
        raise SetupError(
            f"app.config.PROCESS_EXECUTOR is a {type(make).__name__}; it must be a function that"
            " makes one, since each process of the server needs its own: lambda: …"
        )
