"""Connections that belong to one transaction or cursor for a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from atila_tasks.databases.sql.statements import Query, Script


@dataclass(frozen=True, slots=True)
class Begin:
    """A request for a connection, in a transaction. Its data are a `Lease`.

    Attributes:
        read_only: nothing will be written.
    """

    read_only: bool = False


class Batches(Protocol):
    """The rows of a statement, in pieces."""

    async def next(self, size: int) -> list[Any]:
        """At most so many rows more; none at the end."""


class Lease(Protocol):
    """A connection in a transaction. On the task loop, one call at a time."""

    async def perform(self, request: Query | Script) -> Any:
        """Carry out one request and give its data."""

    async def stream(self, request: Query) -> Batches:
        """Begin to carry out a statement whose rows are taken in pieces."""

    async def nested(self) -> Lease:
        """A part of this transaction, which can be undone without the rest."""

    async def commit(self) -> None:
        """Commit, and give the connection back.

        Raises:
            DatabaseError: nothing was committed.
        """

    async def rollback(self) -> None:
        """Roll back, and give the connection back."""
