"""Tasks that run as coroutines on the task loop, mostly calls of other servers."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from atila_tasks.core.backend import Backend
from atila_tasks.core.backends import withdraw
from atila_tasks.core.errors import TaskCancelled, TaskTimeout
from atila_tasks.core.task import Task
from atila_tasks.upstream.response_head import Reply
from atila_tasks.upstream.time_limits import TimeLimit, limits_of

if TYPE_CHECKING:
    from atila import Was

DEFAULT_TIMEOUT = 30.0
"""Seconds that a call has, if nothing else is said."""

_TURNS_UNTIL_YIELDED = 1 if sys.version_info >= (3, 12) else 2
"""Turns of the loop from the start of a task to where it is awaited, if the first step of a
generator coroutine, in a worker thread, makes it and yields it. See `TaskLoop.begin`.
"""


class Calls(Backend):
    """Runs coroutines on the task loop; `task.work` makes one.

    Each gets an asyncio task of its own, unless it is awaited before the loop has come to it: then
    it runs in the awaiting asyncio task, which spares the loop two detours.
    """

    keeps_time = True

    def start(self, task: Task) -> None:
        loop = task.site.loop
        if task.is_of_coroutine and not loop.is_current():
            loop.call(self._give_way, task)
        else:
            loop.call(self._spawn, task)

    def _give_way(self, task: Task, turns: int = _TURNS_UNTIL_YIELDED) -> None:
        """Begin, but leave the loop the turns in which the task may be awaited."""
        if turns and not task.is_begun:
            task.site.loop.loop.call_soon(self._give_way, task, turns - 1, context=task.context)
        else:
            self._spawn(task)

    def _spawn(self, task: Task) -> None:
        if not task.is_begun:
            task.site.loop.spawn(self._run(task), task.context)

    def run_inline(self, task: Task) -> Coroutine[Any, Any, None] | None:
        return self._run(task, is_carried=True)

    def cancel(self, task: Task) -> None:
        task.site.loop.call(self._cancel, task)

    def _cancel(self, task: Task) -> None:
        if not withdraw(task) and task.handle is not None:
            task.handle.stop(TaskCancelled())

    async def _run(self, task: Task, is_carried: bool = False) -> None:
        work = task.work
        if not task.try_start():
            return
        running = task.handle = _Running(task)
        # Kept no longer than they are needed: a request may wait long, among many.
        task.work = None
        if is_carried:
            del task.context
        try:
            coroutine = work()
            del work
            data = await coroutine
        except asyncio.CancelledError:
            if running.reason is not None:
                task.fail(running.reason)
                running.resume()
            else:
                task.fail(TaskCancelled())
                if is_carried:
                    raise
        except BaseException as error:
            task.fail(error)
        else:
            if type(data) is Reply:
                task.settle(data.data, data.head)
            else:
                task.settle(data)
        finally:
            running.end()
            task.handle = None
            # Else an error, its traceback, this frame, the task and the error would be a cycle.
            del task, running


class OrderedCalls(Calls):
    """Calls that begin in the order in which they were made, whichever of them is awaited first."""

    def __init__(self) -> None:
        self._line: deque[Task] = deque()

    def start(self, task: Task) -> None:
        self._line.append(task)
        super().start(task)

    def _spawn(self, task: Task) -> None:
        super()._spawn(task)
        if task.done:
            # It was cancelled before its turn, and never runs.
            self._step_out(task)

    def run_inline(self, task: Task) -> Coroutine[Any, Any, None] | None:
        is_next = bool(self._line) and self._line[0] is task
        return super().run_inline(task) if is_next else None

    async def _run(self, task: Task, is_carried: bool = False) -> None:
        self._step_out(task)
        await super()._run(task, is_carried)

    def _step_out(self, task: Task) -> None:
        with suppress(ValueError):
            self._line.remove(task)


class _Running:
    """A running coroutine, to be stopped by a timeout or a cancellation.

    Args:
        task: the task.

    Attributes:
        reason: why it was stopped; None if it was not.
    """

    __slots__ = ("_asyncio_task", "_limit", "_seconds", "reason")

    def __init__(self, task: Task) -> None:
        self.reason: Exception | None = None
        self._asyncio_task: asyncio.Task[Any] | None = asyncio.current_task()
        self._seconds = task.timeout
        self._limit: TimeLimit | None = None
        if self._seconds is not None and task.deadline is not None:
            self._limit = limits_of(task.site).of(self._seconds)
            self._limit.note(self, task.deadline)

    def time_up(self) -> None:
        self.stop(TaskTimeout(self._seconds or 0.0))

    def stop(self, reason: Exception) -> None:
        """Cancel it."""
        if self.reason is None and self._asyncio_task is not None:
            self.reason = reason
            self._asyncio_task.cancel()

    def resume(self) -> None:
        """Let whatever else the asyncio task does go on."""
        if self._asyncio_task is not None:
            self._asyncio_task.uncancel()

    def end(self) -> None:
        """It has ended."""
        self._asyncio_task = None
        if self._limit is not None:
            self._limit.forget(self)


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
        work: makes the coroutine; it is cancelled when the time is over, or at the end of its last
            waiter.
        timeout: its time limit in seconds; None for none.
        filter: called with its result, on the task loop, to give the data.
        meta: any data of the caller, kept in the task.
    """
    return Task(was, _calls, work, timeout=timeout, filter=filter, meta=meta)
