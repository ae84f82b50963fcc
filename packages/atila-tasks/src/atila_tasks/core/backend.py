"""`Backend`: runs tasks of one kind, such as threads, HTTP calls or statements."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from atila_tasks.core.task import Task


class Backend:
    """Carries out tasks of one kind.

    A backend finds its order in `task.work`, in terms of its own. It calls `task.try_start()` right
    before it begins, and `task.settle(data)` or `task.fail(error)` at the end: once, from any
    thread. It runs code of the user in `task.context`. It may keep its own data about a task in
    `task.handle`.
    """

    keeps_time: ClassVar[bool] = False
    """It ends a task by itself when its time is over, so that awaiting it needs no timer."""

    def start(self, task: Task) -> None:
        """Begin a task, or queue it. Returns soon: it is called in the handler's thread, which may
        be that of the task loop. Errors go to `task.fail` and are not raised.
        """
        raise NotImplementedError

    def cancel(self, task: Task) -> None:
        """Stop a task that nobody waits for any more, if it still can be; then let it fail with
        `TaskCancelled`. From any thread.
        """

    def run_inline(self, task: Task) -> Coroutine[Any, Any, None] | None:
        """An awaitable that carries out a task that has not begun, within the coroutine that awaits
        it on the task loop; None if it cannot run there.
        """
        return None

    def help_out(self, task: Task) -> None:
        """The calling thread is about to wait for a task. A backend with threads of its own, which
        could all be waiting for queued tasks, has the thread carry out the task itself.
        """
