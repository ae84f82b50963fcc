"""Tasks for Atila: work that runs beside a request, waited for with a thread or without one."""

from atila import PROTOCOL, Layer
from atila_tasks.access import Database
from atila_tasks.aliases import Alias, Member, alias, app_alias
from atila_tasks.backend import Backend
from atila_tasks.coroutine import compile_route
from atila_tasks.errors import TaskCancelled, TaskTimeout, Unreachable, UpstreamError
from atila_tasks.group import Tasks
from atila_tasks.interfaces import Command, Commands, Interface, add_database_interface
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
    was={"db": Database},
    methods={"Thread": thread, "Mask": mask, "Tasks": Tasks},
    app={"alias": app_alias},
    config=DEFAULTS,
    options=frozenset({"coroutine"}),
    compile=compile_route,
    responders={Waitable: Waitable.respond},
    launch={"alias": alias, "add_database_interface": add_database_interface},
)

__all__ = [
    "STA_NETERR",
    "STA_NORMAL",
    "STA_REQFAIL",
    "STA_TIMEOUT",
    "STA_UNSENT",
    "Alias",
    "Backend",
    "Command",
    "Commands",
    "Interface",
    "Member",
    "Result",
    "Task",
    "TaskCancelled",
    "TaskTimeout",
    "Tasks",
    "Unreachable",
    "UpstreamError",
    "Waitable",
    "add_database_interface",
    "alias",
    "layer",
]
