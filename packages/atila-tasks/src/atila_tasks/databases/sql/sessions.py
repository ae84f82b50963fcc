"""`was.db(alias)` for SQL: statements, transactions, and rows in pieces."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from atila_tasks.core.mask import GIVEN
from atila_tasks.core.task import Task
from atila_tasks.databases.sql.commits import owe
from atila_tasks.databases.sql.leases import Batches, Begin, Lease
from atila_tasks.databases.sql.statements import Bound, Builder, Query, Script, to_query
from atila_tasks.upstream.calls import call

if TYPE_CHECKING:
    from typing import Self

    from atila import Was
    from atila_tasks.databases.sql.rows import Row
    from atila_tasks.upstream.access import Starter


class Session(Builder):
    """Statements, each carried out by itself, on whichever connection is free.

    Args:
        start: makes tasks.
        engine: sqlphile's name of the database.
    """

    def __init__(self, start: Starter, engine: str) -> None:
        self._start = start
        self._engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        pass

    def execute(self, sql: Any, *params: Any) -> Any:
        """Carry out a statement.

        Args:
            sql: what `select` and the others made; or text, with the database's own placeholders
                for values: $1, $2, … of PostgreSQL, ? or :name of SQLite; or a list of them, which
                are carried out in one transaction.
            params: the values: one by one, or all as one list or tuple, or as one dict by name.

        Returns:
            A task; its data are the rows, a list, which is empty if the statement gives none.
        """
        request = self._request(sql, params)
        if request is None:
            start = self._start
            options = {name: start.options[name] for name in ("filter", "meta")}
            return Task(start.was, GIVEN, [], **options)
        return self._begin(request)

    def _begin(self, request: Query | Script) -> Any:
        start = self._start
        return start(request) if start.cache is None else start.cache.start(start, request)

    def cursor(self, sql: Any, *params: Any, size: int = 1000) -> Cursor:
        """Carry out a statement, and take its rows in pieces, however many there are.

        Args:
            sql: see `execute`; one statement.
            params: see `execute`.
            size: rows of a piece.
        """
        request = self._request(sql, params)
        if isinstance(request, Script):
            raise TypeError("a cursor is for one statement")
        return Cursor(Opened(self._start), request, size)

    def _request(self, sql: Any, params: tuple[Any, ...]) -> Query | Script | None:
        """What is sent to the database; None for a statement that asks for no rows."""
        if isinstance(sql, Bound):
            if params:
                raise TypeError("a statement has its values already; params are for text")
            return None if sql.is_empty else sql.compile()
        if isinstance(sql, list | tuple):
            queries: list[Query] = []
            for each in sql:
                made = self._request(each, ())
                queries += made.queries if isinstance(made, Script) else [made] if made else []
            return Script(queries)
        if not isinstance(sql, str):
            raise TypeError(f"execute() takes a statement or text, not {type(sql).__name__}")
        if len(params) == 1 and isinstance(params[0], list | tuple | dict):
            (given,) = params
            return Query(sql, given)
        return Query(sql, params) if "\0" not in sql else to_query(sql, {}, self._engine)


class Opened:
    """A connection for a while: taken when it is first needed, then kept. Its coroutines run on the
    task loop, one after the other in the order in which they were begun.

    Args:
        start: knows where it is to be had.
    """

    def __init__(self, start: Starter) -> None:
        self._start = start
        self._lock = asyncio.Lock()
        self._lease: Lease | None = None

    @property
    def was(self) -> Was:
        """The request that it serves."""
        return self._start.was

    def task(
        self, work: Callable[[], Coroutine[Any, Any, Any]], *, with_options: bool = True
    ) -> Task:
        """A task of a coroutine."""
        options = dict(self._start.options)
        if not with_options:
            options |= {"filter": None, "meta": None}
        return call(self._start.was, work, **options)

    async def perform(self, request: Query | Script) -> Any:
        """Carry out a request."""
        async with self._lock:
            return await (await self._take(Begin())).perform(request)

    async def stream(self, request: Query, *, read_only: bool) -> Batches:
        """Begin to take rows in pieces."""
        async with self._lock:
            return await (await self._take(Begin(read_only))).stream(request)

    async def next(self, batches: Batches, size: int) -> list[Any]:
        """The next rows."""
        async with self._lock:
            return await batches.next(size)

    async def _take(self, request: Begin) -> Lease:
        if self._lease is None:
            self._lease = await self._start.open(request)
        return self._lease

    async def commit(self) -> None:
        """Make lasting what was done so far; what follows is a new transaction."""
        async with self._lock:
            lease, self._lease = self._lease, None
            if lease is not None:
                await lease.commit()

    async def rollback(self) -> None:
        """Undo what was done so far; what follows is a new transaction."""
        async with self._lock:
            lease, self._lease = self._lease, None
            if lease is not None:
                await lease.rollback()

    def leave(self) -> None:
        """Undo what was done, if nobody did it. From any thread; nobody waits for it."""
        loop = self._start.was.site.loop
        if self._lease is not None and not loop.loop.is_closed():
            loop.call(lambda: loop.spawn(self._undo()))

    async def _undo(self) -> None:
        try:
            await self.rollback()
        except Exception:
            # The connection is lost, and with it what was not committed.
            return


class Transaction(Session):
    """Statements that are carried out on one connection, and last all or not at all.

    `with was.db(alias, transaction=True) as db:` in `def` handlers and coroutines, `async with` in
    `async def`. At its end all is committed, or undone if an error leaves it. Within another of the
    same alias and request it is a part of that: it can be undone by itself, and lasts if that does.
    """

    def __init__(self, start: Starter, engine: str) -> None:
        super().__init__(start, engine)
        self._opened = Opened(start)
        self._is_open = False

    def __enter__(self) -> Self:
        if _is_on_loop() and not self._start.was.endpoint.route.options.get("coroutine"):
            raise RuntimeError("in async def a transaction is begun by `async with`")
        self._is_open = True
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._is_open = False
        if not _is_on_loop():
            if kind is None:
                self.commit().fetch()
            else:
                self.rollback().wait()
        elif kind is None:
            # A coroutine cannot wait here; its answer is held back until this is done.
            owe(self._start.was, self.commit())
        else:
            _ = self.rollback()

    async def __aenter__(self) -> Self:
        self._is_open = True
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        self._is_open = False
        if kind is None:
            (await self.commit()).fetch()
        else:
            await asyncio.shield(_settled(self.rollback()))

    def _begin(self, request: Query | Script) -> Task:
        if not self._is_open:
            raise RuntimeError("a transaction is used by `with was.db(…, transaction=True) as db:`")
        return self._opened.task(lambda: self._opened.perform(request))

    def cursor(self, sql: Any, *params: Any, size: int = 1000) -> Cursor:
        request = self._request(sql, params)
        if isinstance(request, Script):
            raise TypeError("a cursor is for one statement")
        return Cursor(self._opened, request, size, is_part=True)

    def commit(self) -> Task:
        """Make lasting what was done so far; a task. What follows is another transaction."""
        return self._opened.task(self._committed, with_options=False)

    async def _committed(self) -> None:
        await self._opened.commit()
        if self._start.cache is not None:
            await self._start.cache.forget(self._start.was)

    def rollback(self) -> Task:
        """Undo what was done so far; a task. What follows is another transaction."""
        return self._opened.task(self._opened.rollback, with_options=False)


class Cursor:
    """The rows of a statement, in pieces: the database is asked for the next one only when it is
    wanted.

    `for rows in cursor` in a thread; `async for rows in cursor` in `async def`; in a coroutine
    `rows = (yield cursor.next()).fetch()` until there are none. It holds a connection until it came
    to its end, or is closed, or nobody refers to it any more.

    Args:
        opened: the connection.
        request: the statement; None for one that gives no rows.
        size: rows of a piece.
        is_part: the connection is that of a transaction, which goes on.
    """

    def __init__(
        self, opened: Opened, request: Query | None, size: int, *, is_part: bool = False
    ) -> None:
        if size < 1:
            raise ValueError("a piece has one row or more")
        self._opened = opened
        self._request = request
        self._size = size
        self._is_part = is_part
        self._batches: Batches | None = None
        self._is_over = request is None
        if not is_part:
            self._finalizer = weakref.finalize(self, opened.leave)
            self._finalizer.atexit = False

    def next(self) -> Task:
        """The next rows: a task, whose data are a list, which is empty at the end."""
        return self._opened.task(self._next)

    async def _next(self) -> list[Row]:
        if self._is_over or self._request is None:
            return []
        rows: list[Row] = []
        try:
            if self._batches is None:
                read_only = not self._is_part
                self._batches = await self._opened.stream(self._request, read_only=read_only)
            rows = await self._opened.next(self._batches, self._size)
        finally:
            if len(rows) < self._size:
                self._is_over = True
                if not self._is_part:
                    await self._opened.rollback()
        return rows

    def close(self) -> None:
        """Give the connection back. Does not wait for it."""
        self._is_over = True
        if not self._is_part:
            self._opened.leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[list[Row]]:
        try:
            while rows := self.next().fetch():
                yield rows
        finally:
            self.close()

    async def __aiter__(self) -> AsyncIterator[list[Row]]:
        try:
            while rows := (await self.next()).fetch():
                yield rows
        finally:
            self.close()


def _is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _settled(task: Task) -> None:
    _ = await task
