"""Tasks that are coroutines on the task loop: calls of other servers, mostly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from atila_tasks.backend import Backend
from atila_tasks.errors import TaskCancelled, TaskTimeout
from atila_tasks.result import STA_UNSENT
from atila_tasks.task import Task

if TYPE_CHECKING:
    from atila import Was

DEFAULT_TIMEOUT = 30.0
"""Seconds that a call has, if nothing else is said."""


class Calls(Backend):
    """Runs coroutines on the task loop; `task.work` makes one."""

    def start(self, task: Task) -> None:
        task.site.loop.spawn(self._run(task), task.context)

    def cancel(self, task: Task) -> None:
        task.site.loop.call(self._cancel, task)

    def _cancel(self, task: Task) -> None:
        if task.claim():
            task.fail(TaskCancelled(), STA_UNSENT)
        elif task.handle is not None:
            task.handle.cancel()

    async def _run(self, task: Task) -> None:
        work = task.work
        if not task.claim():
            return
        task.handle = asyncio.current_task()
        try:
            async with asyncio.timeout(task.remaining()) as limit:
                data = await work()
        except TimeoutError as error:
            task.fail(TaskTimeout(task.timeout or 0.0) if limit.expired() else error)
        except asyncio.CancelledError:
            task.fail(TaskCancelled())
        except BaseException as error:
            task.fail(error)
        else:
            task.settle(data)
        finally:
            task.handle = None


_calls = Calls()


def call(
    was: Was,
    work: Callable[[], Coroutine[Any, Any, Any]],
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    filter: Callable[[Any], Any] | None = None,
    meta: dict[str, Any] | None = None,
) -> Task:
    """Run a coroutine on the task loop.

    Args:
        was: the request.
        work: makes the coroutine; it is cancelled when the time is over, or nobody waits any more.
        timeout: seconds that it has; None for no limit.
        filter: called with what it gives, on the task loop, to give the data.
        meta: whatever shall be found in the task later.
    """
    return Task(was, _calls, work, timeout=timeout, filter=filter, meta=meta)
