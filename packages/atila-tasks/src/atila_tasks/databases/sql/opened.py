"""The connection of a transaction or a cursor: taken when it is needed, failed as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from atila import HTTPError
from atila_tasks.core.errors import DatabaseError, DataConflict, TaskCancelled, TaskTimeout
from atila_tasks.core.task import Task
from atila_tasks.databases.sql.commits import owed_by, settled
from atila_tasks.databases.sql.leases import Batches, Begin, Lease
from atila_tasks.upstream.calls import OrderedCalls

if TYPE_CHECKING:
    from atila import Was
    from atila_tasks.databases.sql.statements import Query, Script
    from atila_tasks.upstream.access import Starter

Work = Callable[[], Coroutine[Any, Any, Any]]


class Opened:
    """A connection for a while: taken when it is first needed, then kept. Its tasks run on the task
    loop, one after the other in the order in which they were made, those of its parts included.

    A task that fails, for any cause and whether it is awaited or not, fails all that follow and the
    commit, until `rollback`: else those before it would be lost, and those after it would last.

    Args:
        start: gives the connection.
        outer: the transaction that it is a part of; None if it is the whole.
        is_transaction: it may be committed. It waits only for commits that were pending when this
            was made, since later ones may wait for this.
    """

    def __init__(
        self, start: Starter, outer: Opened | None = None, *, is_transaction: bool = False
    ) -> None:
        self._start = start
        self._outer = outer
        self._lock: asyncio.Lock = asyncio.Lock() if outer is None else outer._lock
        self._calls: OrderedCalls = OrderedCalls() if outer is None else outer._calls
        self._is_transaction = is_transaction
        self._earlier = owed_by(start.was) if is_transaction else None
        self._lease: Lease | None = None
        self._failure: Exception | None = None

    @property
    def was(self) -> Was:
        """The request that it serves."""
        return self._start.was

    # From any thread ------------------------------------------------------------------------------

    def task(self, work: Work) -> Task:
        """A task of a coroutine that uses the connection."""

        async def run() -> Any:
            async with self._lock:
                self._check()
                try:
                    return await work()
                except Exception as error:
                    self.fail(error)
                    raise

        task = Task(self.was, self._calls, run, **self._start.options)
        task.when_done(lambda: self._ended(task))
        return task

    def commit(self, then: Work | None = None, *, is_last: bool = False) -> Task:
        """A task that commits; later statements are a new transaction.

        Args:
            then: a call within the task, after the commit.
            is_last: nobody can undo the outer transaction if this fails, so it fails as well.
        """

        async def run() -> None:
            try:
                async with self._lock:
                    await self._commit()
            except Exception as error:
                self.fail(error)
                if is_last and self._outer is not None:
                    self._outer.fail(error)
                raise
            if then is not None:
                await then()

        return self._ending(run)

    def rollback(self) -> Task:
        """A task that rolls back; later statements are a new transaction."""
        return self._ending(self._undo)

    def leave(self) -> None:
        """Roll back, unless that or a commit was done. No caller waits for it."""
        if self._lease is not None:
            self._undo_later()

    def fail(self, error: Exception) -> None:
        """Let nothing of it last."""
        if self._failure is None:
            self._failure = error

    def _ending(self, run: Work) -> Task:
        task = Task(self.was, self._calls, run, timeout=self._start.options["timeout"])
        task.when_done(lambda: self._ended(task, is_end=True))
        return task

    def _ended(self, task: Task, *, is_end: bool = False) -> None:
        """A task has ended, which may never have begun, or been cut off."""
        error = task.dispatch().error
        if isinstance(error, TaskTimeout | TaskCancelled):
            self.fail(error)
            if is_end:
                self._undo_later()

    def _undo_later(self) -> None:
        loop = self.was.site.loop
        if not loop.loop.is_closed():
            loop.call(lambda: loop.spawn(self._undo_quietly()))

    # On the task loop, within a task of its own ---------------------------------------------------

    async def perform(self, request: Query | Script) -> Any:
        """Carry out a request."""
        return await (await self._take(Begin())).perform(request)

    async def stream(self, request: Query, *, read_only: bool) -> Batches:
        """Begin to take rows in pieces."""
        return await (await self._take(Begin(read_only))).stream(request)

    async def give_back(self) -> None:
        """Roll back, and give the connection back."""
        lease, self._lease = self._lease, None
        if lease is not None:
            await lease.rollback()

    async def _take(self, request: Begin) -> Lease:
        self._check()
        if self._lease is None:
            try:
                self._lease = await self._open(request)
            except Exception as error:
                self.fail(error)
                raise
        return self._lease

    async def _open(self, request: Begin) -> Lease:
        if self._outer is not None:
            lease = await self._outer._take(request)
            try:
                return await lease.nested()
            except Exception as error:
                self._outer.fail(error)
                raise
        if self._earlier is None:
            await settled(self.was)
        else:
            for task in self._earlier:
                _ = await task
        opened: Lease = await self._start.open(request)
        return opened

    def _check(self) -> None:
        if self._failure is not None:
            raise _consequence(self._failure) if self._is_transaction else self._failure

    async def _commit(self) -> None:
        if self._failure is not None:
            with suppress(Exception):
                # The connection may be lost, and with it what was done.
                await self.give_back()
            raise _consequence(self._failure)
        lease, self._lease = self._lease, None
        if lease is not None:
            await lease.commit()

    async def _undo(self) -> None:
        async with self._lock:
            self._failure = None
            await self.give_back()

    async def _undo_quietly(self) -> None:
        # What failed stays so: nobody has asked for this.
        with suppress(Exception):
            async with self._lock:
                await self.give_back()


def _consequence(failure: Exception) -> Exception:
    """The error of tasks after a failure: the same again unless the statement is at fault."""
    if isinstance(failure, HTTPError) and not isinstance(failure, DataConflict):
        return failure
    error = DatabaseError("a statement of this transaction failed, so that nothing lasts")
    error.__cause__ = failure
    return error
