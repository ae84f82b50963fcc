"""The errors of tasks that neither gave data nor raised an error of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atila import HTTPError
from atila.errors import BUSY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atila.http.exchange import Header
    from atila_tasks.upstream.response_head import Head


class TaskTimeout(HTTPError, TimeoutError):  # type: ignore[misc]  # two attributes `errno`
    """A task was not done in time; as an answer 504 (RFC 9110, section 15.6.5).

    Args:
        seconds: its time limit.
    """

    def __init__(self, seconds: float) -> None:
        report = f"a task was not done within {seconds:g} s"
        super().__init__(504, "this was not done in time", report=report)
        self.errno = 0  # which OSError has made None


class TaskCancelled(HTTPError):
    """A task was called off before it began; as an answer 503."""

    def __init__(self) -> None:
        super().__init__(503, "a task was cancelled")


class UpstreamError(HTTPError, ConnectionError):  # type: ignore[misc]  # two attributes `errno`
    """The connection to a server that a task needs failed; as an answer 502.

    Args:
        report: the server, by the name of its alias, and the failure; without any secret. It is
            logged, and given to no client.
    """

    def __init__(self, report: str) -> None:
        super().__init__(502, "a server that is needed for this failed", report=report)
        self.errno = 0  # which OSError has made None


class Unreachable(UpstreamError):
    """A server cannot be connected to, so that nothing was sent: safe to be tried elsewhere."""


class UpstreamBusy(Unreachable):
    """A server takes no connection now, since it starts, or has too many; as an answer 503 with
    Retry-After.
    """

    def __init__(self, report: str) -> None:
        super().__init__(report)
        _be(self, 503, "a server that is needed for this is busy", BUSY)


class UpstreamTimeout(UpstreamError, TimeoutError):  # type: ignore[misc]  # two attributes `errno`
    """A server did not begin its answer in the time that its alias gives it; as an answer 504."""

    def __init__(self, report: str) -> None:
        super().__init__(report)
        _be(self, 504, "a server that is needed for this did not answer in time")


class BadResponse(HTTPError):
    """A server's answer cannot be used; as an answer 502.

    Args:
        report: the server, by the name of its alias, and the fault; without any secret. It is
            logged, and sent to no client.
        response: status and headers, if they came.
        data: the body, parsed as that of a good answer, if it came.

    Attributes:
        response: as given: a `Head`, or None.
        data: as given.
    """

    def __init__(self, report: str, response: Head | None = None, data: Any = None) -> None:
        super().__init__(502, "a server that is needed for this failed", report=report)
        self.response = response
        self.data = data


class UpstreamStatus(BadResponse):
    """A server answered with a status of 400 or more; `response.code` has it."""


class RpcError(BadResponse):
    """A called method failed: a fault of XML-RPC, an error of JSON-RPC, a status of gRPC.

    Args:
        call: the method and the server.
        fault: the number of the fault; the name of the status of gRPC.
        reason: the server's message.
        data: the data of an error of JSON-RPC.
    """

    def __init__(self, call: str, fault: int | str, reason: str, data: Any = None) -> None:
        super().__init__(f"{call} ({fault}: {reason})", None, data)
        self.fault = fault
        self.reason = reason


class PoolExhausted(HTTPError):
    """No connection was free in time; as an answer 503 (RFC 9110, section 15.6.4).

    Args:
        name: the name of the alias.
        size: the most connections that it has.
        seconds: how long the request has waited.
    """

    def __init__(self, name: str, size: int, seconds: float) -> None:
        report = f"none of the {size} connections of {name} was free within {seconds:g} s"
        super().__init__(503, "the server is busy", 0, BUSY, report)


class DatabaseError(Exception):
    """A database refused a statement; as an answer 500.

    Attributes:
        kind: the kind of refusal: "unique", "foreign_key", "not_null", "check", "exclusion",
            "deadlock", "serialization", "busy", "data", or "" for all others.
        sqlstate: PostgreSQL's code of five characters (its appendix A), or SQLite's name of its
            result code, "SQLITE_CONSTRAINT_UNIQUE".
        table: the table; "" if it is not known.
        column: the column, or several separated by commas.
        constraint: the constraint, of PostgreSQL.
        server_detail: PostgreSQL's detail beside its message; often values of the row, hence it is
            in no text and sent to no client.
    """

    kind = sqlstate = table = column = constraint = server_detail = ""


class DataError(HTTPError, DatabaseError):
    """A value does not fit where it was to go: a number out of range, a text that is no date, a
    text with a NUL; as an answer 400.
    """

    kind = "data"

    def __init__(self, message: str) -> None:
        detail = "a value is out of range, or is not of the right kind"
        super().__init__(400, detail, report=message)
        self.reason = message


class DataConflict(HTTPError, DatabaseError):
    """A write conflicts with existing data: a value that must be unique, a row that others refer
    to, or a missing one that is referred to; as an answer 409.
    """

    def __init__(self, message: str) -> None:
        detail = "this conflicts with data that are there already"
        super().__init__(409, detail, report=message)
        self.reason = message


class DatabaseBusy(HTTPError, DatabaseError):
    """The database gave way to another transaction, or has no room for one more or for its data; a
    retry may succeed. As an answer 503 with Retry-After.
    """

    def __init__(self, message: str) -> None:
        super().__init__(503, "the database is busy", 0, BUSY, message)
        self.reason = message


def _be(error: HTTPError, status: int, detail: str, headers: Sequence[Header] = ()) -> None:
    """Make an error one of another status, its report unchanged."""
    HTTPError.__init__(error, status, detail, 0, headers, error.report)
