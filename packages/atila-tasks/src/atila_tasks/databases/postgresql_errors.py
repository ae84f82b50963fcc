"""Errors of PostgreSQL as errors of tasks, without values of rows and without secrets."""

from __future__ import annotations

import re

import asyncpg

from atila_tasks.core.errors import (
    DatabaseBusy,
    DatabaseError,
    DataConflict,
    DataError,
    TaskTimeout,
    Unreachable,
    UpstreamBusy,
    UpstreamError,
)

ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""The errors that asyncpg raises."""

OUTDATED = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
"""Errors for a table or a type that has changed since asyncpg learnt of it."""
_UNSENT = re.compile(r"cannot switch to state \d+; protocol is in the .failed. state|not connected")
"""Of errors of the library itself those that come before anything is sent."""

_KINDS = {
    "23505": "unique",
    "23503": "foreign_key",
    "23502": "not_null",
    "23514": "check",
    "23P01": "exclusion",
    "40P01": "deadlock",
    "40001": "serialization",
    "55P03": "busy",
}
_CONFLICTS = frozenset({"unique", "foreign_key", "exclusion"})
_BUSY = frozenset({"deadlock", "serialization", "busy"})
_SCARCE = "53"
"""Codes for lacking resources: connections, memory, room on the disk."""
_STARTING = "57P03"
_CANCELLED = "57014"
_ENDED = ("08", "57P", "25P03")
"""Codes of a connection that ended: it failed, or the server was shut down."""
_UNFIT = frozenset(
    {"22001", "22003", "22007", "22008", "22009", "22015", "22018", "22021", "22026", "2200N"}
    | {"22030", "22032", "22P02", "22P03", "22P05"}
)
"""Codes of values that a column, or a type, does not take."""
_DATA = "22"
"""Codes of values that do not fit: their messages cite the value."""


def is_unfit(error: BaseException) -> bool:
    """Whether a value has a type that asyncpg does not take for a parameter; nothing was sent."""
    # It raises what stands for a refusal of the server, only without what a server tells of it.
    return isinstance(error, asyncpg.DataError) and getattr(error, "severity", None) is None


def refused(error: asyncpg.PostgresError) -> DatabaseError:
    """The error of a task whose statement is refused."""
    state = error.sqlstate or ""
    kind = _KINDS.get(state, "")
    if not kind:
        kind = "busy" if state.startswith(_SCARCE) else "data" if state in _UNFIT else ""
    message = str(error.args[0]) if error.args else type(error).__name__
    if state.startswith(_DATA):
        message = message.partition(":")[0]
    text = f"{message} ({state})"
    made: DatabaseError
    if kind in _CONFLICTS:
        made = DataConflict(text)
    elif kind in _BUSY:
        made = DatabaseBusy(text)
    elif kind == "data":
        made = DataError(text)
    else:
        made = DatabaseError(text)
    made.kind, made.sqlstate = kind, state
    made.table = getattr(error, "table_name", None) or ""
    made.column = getattr(error, "column_name", None) or ""
    made.constraint = getattr(error, "constraint_name", None) or ""
    made.server_detail = getattr(error, "detail", None) or ""
    return made


def translated(error: BaseException, name: str, limit: float | None) -> BaseException:
    """The error of a task for one of asyncpg, or the error itself if it is another one.

    Args:
        error: the error raised.
        name: the name of the alias.
        limit: the server's own time limit for statements in seconds.
    """
    if is_unfit(error):
        # Its text cites the value.
        return DataError(str(error).partition(":")[0])
    if isinstance(error, OUTDATED):
        busy = DatabaseBusy("a table or a type has changed meanwhile")
        busy.kind = "busy"
        return busy
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state == _CANCELLED and limit:
            return TaskTimeout(limit)
        if state.startswith(_ENDED):
            return UpstreamError(f"{name} ended the connection")
        return refused(error)
    if isinstance(error, asyncpg.InternalClientError):
        if _UNSENT.search(str(error)):
            # The server's last words have come, but not yet the end.
            return Unreachable(f"{name} ended the connection")
        return UpstreamError(f"{name} gave an answer that cannot be read")
    if isinstance(error, asyncpg.InterfaceError):
        if "connection is closed" in str(error) or "connection was closed" in str(error):
            return UpstreamError(f"the connection to {name} was lost")
        return DatabaseError(str(error))
    if isinstance(error, OSError):
        return UpstreamError(f"the connection to {name} was lost")
    return error


def unconnected(error: BaseException, name: str) -> BaseException:
    """The error of a task without a connection, or the error itself."""
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return Unreachable(f"{name} refuses the user or the password")
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return Unreachable(f"{name} has no such database")
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        is_busy = state.startswith(_SCARCE) or state == _STARTING
        kind = UpstreamBusy if is_busy else Unreachable
        return kind(f"{name} takes no connection ({state})")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{name} did not answer in time")
    if isinstance(error, OSError | asyncpg.InterfaceError):
        return Unreachable(f"{name} cannot be reached")
    return error
