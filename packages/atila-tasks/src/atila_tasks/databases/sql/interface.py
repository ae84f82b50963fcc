"""The common part of SQL databases: single statements, scripts and transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from atila import current
from atila_tasks.core.errors import DatabaseError, Unreachable, UpstreamError
from atila_tasks.databases.sql.commits import settled
from atila_tasks.databases.sql.leases import Batches, Begin
from atila_tasks.databases.sql.rows import Rows
from atila_tasks.databases.sql.sessions import Session
from atila_tasks.databases.sql.statements import Query, Script
from atila_tasks.databases.sql.transactions import Transaction
from atila_tasks.upstream.interfaces import Interface
from atila_tasks.upstream.query_spans import traced

if TYPE_CHECKING:
    from atila_tasks.databases.pool import Pool
    from atila_tasks.databases.sql.rows import Row
    from atila_tasks.upstream.access import Starter


class SQLInterface(Interface):
    """A database, with a pool of connections to it or more. On the task loop only."""

    engine: ClassVar[str]
    """Its name in sqlphile."""
    survives_cancel: ClassVar[bool] = False
    """A connection can be used again after a statement on it was cancelled."""

    holders: dict[Any, list[HeldLease]]
    """Requests that hold connections, with their leases."""

    @classmethod
    def session(cls, start: Starter) -> Session:  # type: ignore[override]
        return Session(start, cls.engine)

    @classmethod
    def transaction(cls, start: Starter) -> Transaction:
        return Transaction(start, cls.engine)

    # What each of them does in its own way ------------------------------------------------------

    def pool_for(self, request: Query | Begin, holds: bool) -> Pool[Any]:
        """The pool of connections for a request.

        Args:
            request: the request to the database.
            holds: the client's request that it serves holds a connection already.

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

    async def commit(self, connection: Any) -> None:
        """End a transaction so that it lasts.

        Raises:
            DatabaseError: the commit failed.
        """
        await self.run(connection, Query("COMMIT"))

    def in_transaction(self, connection: Any) -> bool:
        """Whether a transaction has begun on a connection and not ended yet."""
        raise NotImplementedError

    def leaves_traces(self, sql: str) -> bool:
        """Whether a statement may change the session for those that use the connection later."""
        return False

    async def reset(self, connection: Any) -> None:
        """Make a session as if it were new."""

    # What is the same for all -------------------------------------------------------------------

    def perform(self, request: Any) -> Coroutine[Any, Any, Any]:
        kind = type(request)
        if kind is Query:
            return self._query(request)
        if kind is Begin:
            return self._open(request)
        if kind is not Script:
            raise TypeError(f"{type(self).__name__} has no {kind.__name__}")
        return self._script(request)

    async def _script(self, request: Script) -> list[Row]:
        await settled(current.get(None))
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
        """A connection in a transaction."""
        was = current.get(None)
        pool = self.pool_for(request, was in self.holders)
        for _ in range(pool.open):
            lease = await self._lease(pool, was)
            try:
                await lease.begin(self.opening(request))
            except UpstreamError:
                # It had been ended meanwhile, and nothing was done on it: the next may be good.
                continue
            return lease
        lease = await self._lease(pool, was)
        await lease.begin(self.opening(request))
        return lease

    async def _lease(self, pool: Pool[Any], was: Any) -> HeldLease:
        lease = HeldLease(self, pool, pool.take_free() or await pool.take(), was)
        self.holders.setdefault(was, []).append(lease)
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
        interface: the interface that it belongs to.
        pool: the pool of the connection.
        connection: the connection.
        was: the request that it serves.
        outer: the lease that it is a part of; None if it is the whole.
    """

    def __init__(
        self,
        interface: SQLInterface,
        pool: Pool[Any],
        connection: Any,
        was: Any,
        outer: HeldLease | None = None,
    ) -> None:
        self._interface = interface
        self._pool = pool
        self._connection = connection
        self.was = was
        self._outer = outer
        self._savepoint = f"part_{id(self):x}"
        self._has_traces = False
        self._has_left = False

    async def nested(self) -> HeldLease:
        inner = HeldLease(self._interface, self._pool, self._connection, self.was, self)
        await inner.begin(f"SAVEPOINT {inner._savepoint}")
        return inner

    async def begin(self, sql: str) -> None:
        """Begin it; else it is over."""
        try:
            await self._run(Query(sql))
        except BaseException:
            self.leave(whole=False)
            raise

    @property
    def _is_over(self) -> bool:
        # The end of the whole is that of its parts: the connection may be somebody else's then.
        return self._has_left or (self._outer is not None and self._outer._is_over)

    def _check(self) -> None:
        if self._is_over:
            raise DatabaseError("this transaction has ended: its connection was lost or cancelled")

    async def _run(self, query: Query) -> list[Row]:
        self._check()
        with self._whole_or_left():
            rows = await self._interface.run(self._connection, query)
        if not self._interface.in_transaction(self._connection):
            self.leave(whole=False)
            raise DatabaseError(
                "a statement has ended this transaction behind its back: use db.commit() and"
                " db.rollback() of `with was.db(…, transaction=True) as db:`"
            )
        return rows

    @contextmanager
    def _whole_or_left(self) -> Iterator[None]:
        try:
            yield
        except asyncio.CancelledError:
            # Nobody knows how far it came.
            self.leave(whole=False)
            raise

    async def perform(self, request: Query | Script) -> list[Row]:
        queries: Sequence[Query] = request.queries if isinstance(request, Script) else (request,)
        rows: list[Row] = Rows(rowcount=0)
        for query in queries:
            if self._interface.leaves_traces(query.sql):
                self._has_traces = True
            alias, member = self._interface.alias, self._interface.member
            rows = await traced(alias, member, query, self._run)
        return rows

    async def stream(self, request: Query) -> Batches:
        self._check()
        with self._whole_or_left():
            return HeldBatches(self, await self._interface.stream(self._connection, request))

    async def commit(self) -> None:
        self._check()
        await self._end(self._interface.commit, f"RELEASE SAVEPOINT {self._savepoint}")

    async def rollback(self) -> None:
        if not self._is_over:
            await self._end(self._roll_back, f"ROLLBACK TO SAVEPOINT {self._savepoint}")

    async def _roll_back(self, connection: Any) -> None:
        # It may have been undone already, as SQLite does after some errors.
        if self._interface.in_transaction(connection):
            await self._interface.run(connection, Query("ROLLBACK"))

    async def _end(self, whole: Callable[[Any], Awaitable[None]], part: str) -> None:
        is_whole = False
        try:
            if self._outer is None:
                await whole(self._connection)
                if self._has_traces:
                    await self._interface.reset(self._connection)
            else:
                await self._interface.run(self._connection, Query(part))
            is_whole = True
        finally:
            self.leave(whole=is_whole)

    def leave(self, *, whole: bool) -> None:
        """Give the connection back, or leave it to the outer lease.

        Args:
            whole: others can use the connection.
        """
        if self._is_over:
            return
        self._has_left = True
        if self._outer is not None:
            self._outer._has_traces |= self._has_traces
            if not whole:
                self._outer.leave(whole=False)
            return
        self._interface.let_go(self)
        if whole:
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
        with self._lease._whole_or_left():
            return await self._batches.next(size)
