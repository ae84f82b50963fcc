"""Status and headers of another server's answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from multidict import MultiMapping


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of a server's answer; `task.dispatch().response` has it.

    Attributes:
        code: the status: 200.
        reason: the server's phrase: "OK"; "" over HTTP/2.
        headers: by name, in any case; `headers.getall(name)` has all of a repeated one.
    """

    code: int
    reason: str
    # Cookies and tokens may be among them.
    headers: MultiMapping[str] = field(repr=False)


class Reply(NamedTuple):
    """The result of a call whose data came with a head.

    Attributes:
        data: the data of the task.
        head: the head, for `Result.response`.
    """

    data: Any
    head: Head
