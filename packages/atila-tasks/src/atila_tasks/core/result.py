"""The result of a task: its status and its data or error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atila import HTTPError

if TYPE_CHECKING:
    from atila_tasks.upstream.response_head import Head

STA_REQFAIL = -1
"""It raised an error, or was refused."""
STA_UNSENT = 0
"""It never began: there was no place for it, or it was cancelled before."""
STA_TIMEOUT = 1
"""It was not done in time."""
STA_NETERR = 2
"""The connection failed."""
STA_NORMAL = 3
"""It is done."""

_NAMES = {
    STA_REQFAIL: "STA_REQFAIL",
    STA_UNSENT: "STA_UNSENT",
    STA_TIMEOUT: "STA_TIMEOUT",
    STA_NETERR: "STA_NETERR",
    STA_NORMAL: "STA_NORMAL",
}


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """The outcome of a task.

    Attributes:
        status: one of STA_*, numbered as in Skitai.
        data: its data, filtered; None unless the status is STA_NORMAL.
        error: the error; None if the status is STA_NORMAL.
        response: status and headers of a server's answer, a `Head`, whatever the status is; None
            if none came, or the task is no call of a server.
    """

    status: int
    data: Any = None
    error: Exception | None = field(default=None)
    response: Head | None = None

    def __repr__(self) -> str:
        # Without the data, which may be anybody's secret.
        return f"<Result {_NAMES.get(self.status, self.status)}>"


def status_of(error: BaseException) -> int:
    """The status that an error means, where the backend does not know better."""
    if isinstance(error, TimeoutError):
        return STA_TIMEOUT
    if isinstance(error, ConnectionError):
        return STA_NETERR
    return STA_REQFAIL


def single(data: Any) -> Any:
    """The only element of a list or another collection; anything else is a single element itself.

    Raises:
        HTTPError: 410 if there is none (None counts as none), 409 if there are more than one.
    """
    if isinstance(data, list) and len(data) == 1:
        # What most of them are: rows of a database.
        return data[0]
    if data is None:
        raise HTTPError(410, "there is no such element")
    if isinstance(data, str | bytes | bytearray | Mapping) or not hasattr(data, "__len__"):
        return data
    if len(data) == 0:
        raise HTTPError(410, "there is no such element")
    if len(data) > 1:
        raise HTTPError(409, "there are several such elements")
    return next(iter(data))
