"""The common part of SQL databases: single statements, scripts and transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from atila import current
from atila_tasks.core.errors import DatabaseError, Unreachable, UpstreamError
from atila_tasks.databases.sql.commits import settled
from atila_tasks.databases.sql.leases import Batches, Begin
from atila_tasks.databases.sql.sessions import Session, Transaction
from atila_tasks.databases.sql.statements import Query, Script
from atila_tasks.upstream.interfaces import Interface

if TYPE_CHECKING:
    from atila_tasks.databases.pool import Pool
    from atila_tasks.databases.sql.rows import Row
    from atila_tasks.upstream.access import Starter


class SQLInterface(Interface):
    """A database, with a pool of connections to it or more. On the task loop only."""

    engine: ClassVar[str]
    """What sqlphile calls it."""
    survives_cancel: ClassVar[bool] = False
    """A connection can be used again after a statement on it was cancelled."""

    holders: dict[Any, list[HeldLease]]
    """Requests that hold connections, with their leases in the order in which they were taken."""

    @classmethod
    def session(cls, start: Starter) -> Session:  # type: ignore[override]
        return Session(start, cls.engine)

    @classmethod
    def transaction(cls, start: Starter) -> Transaction:
        return Transaction(start, cls.engine)

    # What each of them does in its own way ------------------------------------------------------

    def pool_for(self, request: Query | Begin, holds: bool) -> Pool[Any]:
        """Where a connection for a request comes from.

        Args:
            request: what it is for.
            holds: the request of the client that it serves holds a connection already.

        Raises:
            RuntimeError: it would wait for itself.
        """
        raise NotImplementedError

    async def run(self, connection: Any, query: Query) -> list[Row]:
        """The rows that a statement gives; its errors in terms of tasks."""
        raise NotImplementedError

    async def stream(self, connection: Any, query: Query) -> Batches:
        """Begin to take the rows of a statement in pieces, in a transaction."""
        raise NotImplementedError

    def opening(self, request: Begin) -> str:
        """The statement that begins a transaction."""
        raise NotImplementedError

    def leaves_traces(self, sql: str) -> bool:
        """Whether a statement may change the session for those that use the connection later."""
        return False

    async def reset(self, connection: Any) -> None:
        """Make a session as if it were new."""

    # What is the same for all -------------------------------------------------------------------

    async def perform(self, request: Any) -> Any:
        kind = type(request)
        if kind is Query:
            return await self._query(request)
        if kind is Begin:
            return await self._open(request)
        if kind is not Script:
            raise TypeError(f"{type(self).__name__} has no {kind.__name__}")
        lease = await self._open(Begin())
        try:
            rows = await lease.perform(request)
        except BaseException:
            await lease.rollback()
            raise
        await lease.commit()
        return rows

    async def _query(self, query: Query) -> list[Row]:
        holds = False
        if self.holders:
            was = current.get(None)
            await settled(was)
            holds = was in self.holders
        pool = self.pool_for(query, holds)
        for _ in range(pool.open):
            connection = pool.take_free() or await pool.take()
            try:
                return await self._run(pool, connection, query)
            except Unreachable:
                # It had been ended meanwhile, so that nothing was sent: the next one may be good.
                continue
        return await self._run(pool, await pool.take(), query)

    async def _run(self, pool: Pool[Any], connection: Any, query: Query) -> list[Row]:
        """Carry out a statement, and give the connection back or drop it."""
        is_whole = False
        try:
            rows = await self.run(connection, query)
            if self.leaves_traces(query.sql):
                await self.reset(connection)
            is_whole = True
            return rows
        except asyncio.CancelledError:
            is_whole = self.survives_cancel
            raise
        except UpstreamError:
            raise
        except Exception:
            # What the database refuses leaves the connection as it was.
            is_whole = not self.leaves_traces(query.sql)
            raise
        finally:
            if is_whole:
                pool.give(connection)
            else:
                pool.drop(connection)

    async def _open(self, request: Begin) -> HeldLease:
        """A connection in a transaction; within one of the same request, a part of that."""
        was = current.get(None)
        await settled(was)
        held = self.holders.get(was, [])
        if not request.read_only:
            for outer in reversed(held):
                if not outer.read_only:
                    return await outer.nested()
        pool = self.pool_for(request, bool(held))
        lease = HeldLease(self, pool, pool.take_free() or await pool.take(), was, request.read_only)
        self.holders.setdefault(was, []).append(lease)
        try:
            await lease.command(self.opening(request))
        except BaseException:
            lease.leave(whole=False)
            raise
        return lease

    def let_go(self, lease: HeldLease) -> None:
        """Forget a lease that has ended."""
        held = self.holders.get(lease.was, [])
        with suppress(ValueError):
            held.remove(lease)
        if not held:
            self.holders.pop(lease.was, None)


class HeldLease:
    """A connection in a transaction, or in a part of one; a `Lease`.

    Args:
        interface: whose it is.
        pool: where the connection belongs.
        connection: the connection.
        was: the request that it serves.
        read_only: nothing is to be written, hence it has no parts.
        outer: what it is a part of; None if it is the whole.
    """

    def __init__(
        self,
        interface: SQLInterface,
        pool: Pool[Any],
        connection: Any,
        was: Any,
        read_only: bool,
        outer: HeldLease | None = None,
    ) -> None:
        self._interface = interface
        self._pool = pool
        self._connection = connection
        self.was = was
        self.read_only = read_only
        self._outer = outer
        self._savepoint = f"part_{id(self):x}"
        self._has_failed = False
        self._has_traces = False
        self._is_over = False

    async def nested(self) -> HeldLease:
        """A part of this transaction, which can be undone without the rest."""
        inner = HeldLease(self._interface, self._pool, self._connection, self.was, False, self)
        await self.command(f"SAVEPOINT {inner._savepoint}")
        self._interface.holders[self.was].append(inner)
        return inner

    async def command(self, sql: str) -> None:
        """Carry out a statement of our own."""
        await self._run(Query(sql))

    async def _run(self, query: Query) -> list[Row]:
        self._check()
        try:
            return await self._interface.run(self._connection, query)
        except asyncio.CancelledError:
            # Nobody knows how far it came.
            self.leave(whole=False)
            raise
        except Exception:
            self._has_failed = True
            raise

    def _check(self) -> None:
        if self._is_over:
            raise DatabaseError("this transaction has ended: its connection was lost or cancelled")

    async def perform(self, request: Query | Script) -> list[Row]:
        queries: Sequence[Query] = request.queries if isinstance(request, Script) else (request,)
        rows: list[Row] = []
        for query in queries:
            if self._interface.leaves_traces(query.sql):
                self._has_traces = True
            rows = await self._run(query)
        return rows

    async def stream(self, request: Query) -> Batches:
        self._check()
        return HeldBatches(self, await self._interface.stream(self._connection, request))

    async def commit(self) -> None:
        self._check()
        if self._has_failed:
            await self.rollback()
            raise DatabaseError("a statement of this transaction failed, so that nothing lasts")
        await self._end("COMMIT", f"RELEASE SAVEPOINT {self._savepoint}")

    async def rollback(self) -> None:
        if not self._is_over:
            await self._end("ROLLBACK", f"ROLLBACK TO SAVEPOINT {self._savepoint}")

    async def _end(self, whole: str, part: str) -> None:
        is_whole = False
        try:
            await self._interface.run(self._connection, Query(part if self._outer else whole))
            if self._has_traces and self._outer is None:
                await self._interface.reset(self._connection)
            is_whole = True
        finally:
            self.leave(whole=is_whole)

    def leave(self, *, whole: bool) -> None:
        """Give the connection back, or leave it to what this is a part of.

        Args:
            whole: it can be used by others.
        """
        if self._is_over:
            return
        self._is_over = True
        self._interface.let_go(self)
        if self._outer is not None:
            self._outer._has_traces |= self._has_traces
            if not whole:
                self._outer.leave(whole=False)
        elif whole:
            self._pool.give(self._connection)
        else:
            self._pool.drop(self._connection)


class HeldBatches:
    """Rows in pieces, of a lease that ends if taking them is cancelled."""

    def __init__(self, lease: HeldLease, batches: Batches) -> None:
        self._lease = lease
        self._batches = batches

    async def next(self, size: int) -> list[Any]:
        """At most so many rows more; none at the end."""
        self._lease._check()
        try:
            return await self._batches.next(size)
        except asyncio.CancelledError:
            self._lease.leave(whole=False)
            raise
        except Exception:
            self._lease._has_failed = True
            raise
