"""The settings of this layer."""

from __future__ import annotations

from atila.app.settings import Setting, function, number

SETTINGS: dict[str, Setting] = {
    "TASK_THREADS": number(32),
    "TASK_PROCESSES": number(None),
    "TASK_SUBPROCESSES": number(16),
    "TASK_QUEUE_SIZE": number(1024),
    "PROCESS_EXECUTOR": function(
        None,
        "a function that makes an executor, since each process of the server needs its own:"
        " lambda: …",
    ),
    "SUBPROCESS_MAX_OUTPUT": number(16 * 1024 * 1024),
    "QUEUE_THREADS": number(32),
    "QUERY_CACHE_SIZE": number(32 * 1024 * 1024),
}
"""Settings, read from the app with this layer that is mounted nearest to the root of the site. All
numbers are for each process of the server:

- TASK_THREADS: the most threads that carry out `was.Thread`, started as they are needed.
- TASK_PROCESSES: the most processes that carry out `was.Process`, started as they are needed; None
  for as many as there are processors.
- TASK_SUBPROCESSES: the most commands of `was.Subprocess` that run at once.
- TASK_QUEUE_SIZE: tasks of each of these kinds that may wait; a further one fails with 503.
- PROCESS_EXECUTOR: the replacement for `was.Process`: a function that makes a
  `concurrent.futures.Executor`, called once in each process of the server, as in `lambda:
  dask.distributed.Client("tcp://…").get_executor()` for the machines of a cluster, or `lambda:
  ProcessPoolExecutor(4, get_context("forkserver"))` for another way to start processes.
- SUBPROCESS_MAX_OUTPUT: bytes that a command may write to its standard output.
- QUEUE_THREADS: the most producers of `was.Queue` that run at once, each in a thread.
- QUERY_CACHE_SIZE: bytes, about, that the cache of `was.db(…, use_cache=…)` may have.
"""
