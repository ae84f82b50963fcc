"""The errors of tasks that neither gave data nor raised an error of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atila import HTTPError
from atila.errors import BUSY

if TYPE_CHECKING:
    from atila_tasks.upstream.response_head import Head


class TaskTimeout(HTTPError, TimeoutError):  # type: ignore[misc]  # two attributes `errno`
    """A task was not done in time; as an answer 504 (RFC 9110, section 15.6.5).

    Args:
        seconds: what it had.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(504, f"a task was not done within {seconds:g} s")
        self.errno = 0  # which OSError has made None


class TaskCancelled(HTTPError):
    """A task was called off before it began; as an answer 503."""

    def __init__(self) -> None:
        super().__init__(503, "a task was cancelled")


class UpstreamError(HTTPError, ConnectionError):  # type: ignore[misc]  # two attributes `errno`
    """The connection to a server that a task needs failed; as an answer 502.

    Args:
        detail: which server, by the name of its alias, and how it failed; without any secret.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(502, detail)
        self.errno = 0  # which OSError has made None


class Unreachable(UpstreamError):
    """A server cannot be connected to, so that nothing was sent: safe to be tried elsewhere."""


class UpstreamTimeout(UpstreamError, TimeoutError):  # type: ignore[misc]  # two attributes `errno`
    """A server did not begin its answer in the time that its alias gives it; as an answer 504."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.code, self.message = 504, "Gateway Timeout"


class BadResponse(HTTPError):
    """A server's answer cannot be used; as an answer 502.

    Args:
        detail: which server, by the name of its alias, and what is wrong; without any secret.
        response: status and headers, if they came.
        data: the body, parsed as that of a good answer, if it came.

    Attributes:
        response: as given: a `Head`, or None.
        data: as given.
    """

    def __init__(self, detail: str, response: Head | None = None, data: Any = None) -> None:
        super().__init__(502, detail)
        self.response = response
        self.data = data


class UpstreamStatus(BadResponse):
    """A server answered with a status of 400 or more; `response.code` has it."""


class RpcError(BadResponse):
    """A called method failed: a fault of XML-RPC, an error of JSON-RPC, a status of gRPC.

    Args:
        detail: which method of which server.
        fault: the number of the fault; the name of the status of gRPC.
        reason: what the server says about it; not told to our own client.
        data: what JSON-RPC has beside it.
    """

    def __init__(self, detail: str, fault: int | str, reason: str, data: Any = None) -> None:
        super().__init__(detail, None, data)
        self.fault = fault
        self.reason = reason
        self.args = (f"{self.args[0]} ({fault}: {reason})",)


class PoolExhausted(HTTPError):
    """No connection was free in time; as an answer 503 (RFC 9110, section 15.6.4).

    Args:
        name: of the alias.
        size: the most connections that it has.
        seconds: how long was waited.
    """

    def __init__(self, name: str, size: int, seconds: float) -> None:
        detail = f"none of the {size} connections of {name} was free within {seconds:g} s"
        super().__init__(503, detail, 0, BUSY)


class DatabaseError(Exception):
    """A database refused a statement; as an answer 500.

    Attributes:
        kind: what kind of refusal: "unique", "foreign_key", "not_null", "check", "exclusion",
            "deadlock", "serialization", "busy", or "" for all others.
        sqlstate: PostgreSQL's code of five characters (its appendix A), or SQLite's name of its
            result code, "SQLITE_CONSTRAINT_UNIQUE".
        table: which table it is about; "" if that is not known.
        column: which column, or several separated by commas.
        constraint: which constraint, of PostgreSQL.
        server_detail: what PostgreSQL tells beside its message; often values of the row, hence it
            is in no text and told to no client.
    """

    kind = sqlstate = table = column = constraint = server_detail = ""


class DataConflict(HTTPError, DatabaseError):
    """What was to be written conflicts with what is there: a value that must be unique, a row that
    others refer to, or that is not there to be referred to; as an answer 409.
    """

    def __init__(self, message: str) -> None:
        super().__init__(409, "this conflicts with data that are there already")
        self.reason = message


class DatabaseBusy(HTTPError, DatabaseError):
    """The database gave way to another transaction, or has no place for one more; the same may
    work in a moment. As an answer 503 with Retry-After.
    """

    def __init__(self, message: str) -> None:
        super().__init__(503, "the database is busy", 0, BUSY)
        self.reason = message
