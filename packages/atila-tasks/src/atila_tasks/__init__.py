"""Tasks for Atila: work that runs beside a request, waited for with a thread or without one."""

from atila import PROTOCOL, Layer
from atila_tasks.backend import Backend
from atila_tasks.coroutine import compile_route
from atila_tasks.errors import TaskCancelled, TaskTimeout
from atila_tasks.group import Tasks
from atila_tasks.mask import mask
from atila_tasks.result import (
    STA_NETERR,
    STA_NORMAL,
    STA_REQFAIL,
    STA_TIMEOUT,
    STA_UNSENT,
    Result,
)
from atila_tasks.task import Task
from atila_tasks.threads import DEFAULTS, thread
from atila_tasks.waitable import Waitable

layer = Layer(
    name="tasks",
    protocol=PROTOCOL,
    methods={"Thread": thread, "Mask": mask, "Tasks": Tasks},
    config=DEFAULTS,
    options=frozenset({"coroutine"}),
    compile=compile_route,
    responders={Waitable: Waitable.respond},
)

__all__ = [
    "STA_NETERR",
    "STA_NORMAL",
    "STA_REQFAIL",
    "STA_TIMEOUT",
    "STA_UNSENT",
    "Backend",
    "Result",
    "Task",
    "TaskCancelled",
    "TaskTimeout",
    "Tasks",
    "Waitable",
    "layer",
]
