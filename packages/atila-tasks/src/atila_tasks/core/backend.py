"""`Backend`: runs tasks of one kind, such as threads, HTTP calls or statements."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from atila_tasks.core.task import Task


class Backend:
    """Carries out tasks of one kind.

    A backend learns from `task.work`, in terms of its own, what to do. It calls `task.try_start()`
    right before it begins, and `task.settle(data)` or `task.fail(error)` when it is through: once,
    from any thread. It runs what belongs to the user in `task.context`. What it has to remember of
    a task it may keep in `task.handle`.
    """

    keeps_time: ClassVar[bool] = False
    """It ends a task by itself when its time is over, so that who awaits it needs no clock."""

    def start(self, task: Task) -> None:
        """Begin a task, or queue it. Returns soon: it is called in the handler's thread, which may
        be that of the task loop. What goes wrong is told by `task.fail`, not raised.
        """
        raise NotImplementedError

    def cancel(self, task: Task) -> None:
        """Stop a task that nobody waits for any more, if it still can be; then let it fail with
        `TaskCancelled`. From any thread.
        """

    def run_inline(self, task: Task) -> Coroutine[Any, Any, None] | None:
        """What carries out a task that has not begun, within the coroutine that awaits it on the
        task loop; None if it cannot be done there.
        """
        return None

    def help_out(self, task: Task) -> None:
        """The calling thread is about to wait for a task. A backend with threads of its own, which
        could all be waiting for queued tasks, has the thread carry out the task itself.
        """
