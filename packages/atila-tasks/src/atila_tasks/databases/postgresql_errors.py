"""Errors of PostgreSQL as errors of tasks, without values of rows and without secrets."""

from __future__ import annotations

import asyncpg

from atila_tasks.core.errors import (
    DatabaseBusy,
    DatabaseError,
    DataConflict,
    TaskTimeout,
    Unreachable,
    UpstreamError,
)

ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What asyncpg raises."""

_KINDS = {
    "23505": "unique",
    "23503": "foreign_key",
    "23502": "not_null",
    "23514": "check",
    "23P01": "exclusion",
    "40P01": "deadlock",
    "40001": "serialization",
    "53300": "busy",
    "55P03": "busy",
}
_CONFLICTS = frozenset({"unique", "foreign_key", "exclusion"})
_BUSY = frozenset({"deadlock", "serialization", "busy"})
_CANCELLED = "57014"
_ENDED = ("08", "57P", "25P03")
"""Codes of a connection that ended: it failed, or the server was shut down."""
_DATA = "22"
"""Codes of values that do not fit: their messages cite the value."""


def is_unfit(error: BaseException) -> bool:
    """Whether a value has a type that asyncpg does not take for a parameter; nothing was sent."""
    # It raises what stands for a refusal of the server, only without what a server tells of it.
    return isinstance(error, asyncpg.DataError) and getattr(error, "severity", None) is None


def refused(error: asyncpg.PostgresError) -> DatabaseError:
    """What a task fails with when a statement is refused."""
    state = error.sqlstate or ""
    kind = _KINDS.get(state, "")
    message = str(error.args[0]) if error.args else type(error).__name__
    if state.startswith(_DATA):
        message = message.partition(":")[0]
    text = f"{message} ({state})"
    made: DatabaseError
    if kind in _CONFLICTS:
        made = DataConflict(text)
    elif kind in _BUSY:
        made = DatabaseBusy(text)
    else:
        made = DatabaseError(text)
    made.kind, made.sqlstate = kind, state
    made.table = getattr(error, "table_name", None) or ""
    made.column = getattr(error, "column_name", None) or ""
    made.constraint = getattr(error, "constraint_name", None) or ""
    made.server_detail = getattr(error, "detail", None) or ""
    return made


def translated(error: BaseException, name: str, limit: float | None) -> BaseException:
    """What a task fails with for an error of asyncpg, or the error itself if it is none.

    Args:
        error: what came.
        name: of the alias.
        limit: the server's own time limit for statements in seconds.
    """
    if is_unfit(error):
        # Its text cites the value.
        return DatabaseError(str(error).partition(":")[0])
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state == _CANCELLED and limit:
            return TaskTimeout(limit)
        if state.startswith(_ENDED):
            return UpstreamError(f"{name} ended the connection")
        return refused(error)
    if isinstance(error, asyncpg.InternalClientError):
        # The server's last words have come, but not yet the end: asyncpg sends nothing any more.
        return Unreachable(f"{name} ended the connection")
    if isinstance(error, asyncpg.InterfaceError):
        if "connection is closed" in str(error) or "connection was closed" in str(error):
            return UpstreamError(f"the connection to {name} was lost")
        return DatabaseError(str(error))
    if isinstance(error, OSError):
        return UpstreamError(f"the connection to {name} was lost")
    return error


def unconnected(error: BaseException, name: str) -> BaseException:
    """What a task fails with if there is no connection, or the error itself."""
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return Unreachable(f"{name} refuses the user or the password")
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return Unreachable(f"{name} has no such database")
    if isinstance(error, asyncpg.PostgresError):
        return Unreachable(f"{name} takes no connection ({error.sqlstate})")
    if isinstance(error, TimeoutError):
        return Unreachable(f"{name} did not answer in time")
    if isinstance(error, OSError | asyncpg.InterfaceError):
        return Unreachable(f"{name} cannot be reached")
    return error
