"""`was.Mask`: an existing value as a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atila_tasks.core.backend import Backend
from atila_tasks.core.task import Task

if TYPE_CHECKING:
    from atila import Was


class Immediate(Backend):
    """Finishes each task at once: its work is its data."""

    def start(self, task: Task) -> None:
        task.settle(task.work)


GIVEN = Immediate()


def mask(was: Was, value: Any, *, meta: dict[str, Any] | None = None) -> Task:
    """A finished task, for code that wants a task where there is a value only.

    Args:
        was: the request.
        value: its data.
        meta: its `meta`.
    """
    return Task(was, GIVEN, value, meta=meta)
