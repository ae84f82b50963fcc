"""Tasks for Atila: work that runs beside a request, waited for with a thread or without one."""

from typing import TYPE_CHECKING, Any

from atila import PROTOCOL, Layer
from atila_tasks import names
from atila_tasks.core.backend import Backend
from atila_tasks.core.coroutine import compile_route
from atila_tasks.core.errors import (
    BadResponse,
    DatabaseBusy,
    DatabaseError,
    DataConflict,
    DataError,
    PoolExhausted,
    RpcError,
    TaskCancelled,
    TaskTimeout,
    Unreachable,
    UpstreamBusy,
    UpstreamError,
    UpstreamStatus,
    UpstreamTimeout,
)
from atila_tasks.core.group import Tasks
from atila_tasks.core.result import (
    STA_NETERR,
    STA_NORMAL,
    STA_REQFAIL,
    STA_TIMEOUT,
    STA_UNSENT,
    Result,
)
from atila_tasks.core.task import Task
from atila_tasks.core.waitable import Waitable
from atila_tasks.databases.django import django_model
from atila_tasks.local.children import ProcessDied, ProcessFailed
from atila_tasks.local.programs import OutputTooLong, ProgramFailed
from atila_tasks.settings import SETTINGS
from atila_tasks.upstream.aliases import Alias, Member, alias
from atila_tasks.upstream.interfaces import (
    DB_MONGODB,
    DB_PGSQL,
    DB_POSTGRESQL,
    DB_REDIS,
    DB_SQLITE3,
    Command,
    Commands,
    Interface,
    add_database_interface,
)
from atila_tasks.upstream.response_head import Head
from atila_tasks.web.http import PROTO_HTTP, PROTO_HTTPS
from atila_tasks.web.rpc import batch

if TYPE_CHECKING:
    from atila_tasks.databases.sql.conditions import Q

layer = Layer(
    name="tasks",
    protocol=PROTOCOL,
    was=names.WasOfTasks,
    app=names.AppOfTasks,
    config=SETTINGS,
    options=frozenset({"coroutine"}),
    responders={Waitable: Waitable.respond},
    exports={
        "DB_MONGODB": DB_MONGODB,
        "DB_PGSQL": DB_PGSQL,
        "DB_POSTGRESQL": DB_POSTGRESQL,
        "DB_REDIS": DB_REDIS,
        "DB_SQLITE3": DB_SQLITE3,
        "PROTO_HTTP": PROTO_HTTP,
        "PROTO_HTTPS": PROTO_HTTPS,
        "add_database_interface": add_database_interface,
        "alias": alias,
        "django_model": django_model,
    },
    compile=compile_route,
)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # It brings sqlphile with it, which sites without SQL need not load.
        if name == "Q":
            from atila_tasks.databases.sql.conditions import Q

            return Q
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "DB_MONGODB",
    "DB_PGSQL",
    "DB_POSTGRESQL",
    "DB_REDIS",
    "DB_SQLITE3",
    "PROTO_HTTP",
    "PROTO_HTTPS",
    "STA_NETERR",
    "STA_NORMAL",
    "STA_REQFAIL",
    "STA_TIMEOUT",
    "STA_UNSENT",
    "Alias",
    "Backend",
    "BadResponse",
    "Command",
    "Commands",
    "DataConflict",
    "DataError",
    "DatabaseBusy",
    "DatabaseError",
    "Head",
    "Interface",
    "Member",
    "OutputTooLong",
    "PoolExhausted",
    "ProcessDied",
    "ProcessFailed",
    "ProgramFailed",
    "Q",
    "Result",
    "RpcError",
    "Task",
    "TaskCancelled",
    "TaskTimeout",
    "Tasks",
    "Unreachable",
    "UpstreamBusy",
    "UpstreamError",
    "UpstreamStatus",
    "UpstreamTimeout",
    "Waitable",
    "add_database_interface",
    "alias",
    "batch",
    "layer",
]
