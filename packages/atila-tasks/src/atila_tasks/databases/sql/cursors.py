"""The rows of a statement, in pieces."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from atila_tasks.core.task import Task
    from atila_tasks.databases.sql.leases import Batches
    from atila_tasks.databases.sql.opened import Opened
    from atila_tasks.databases.sql.rows import Row
    from atila_tasks.databases.sql.statements import Query


class Cursor:
    """The rows of a statement, in pieces: the database is asked for the next one only when it is
    wanted. A piece that could not be had fails those after it.

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
        try:
            if self._batches is None:
                read_only = not self._is_part
                self._batches = await self._opened.stream(self._request, read_only=read_only)
            rows = await self._batches.next(self._size)
        except Exception:
            await self._end()
            raise
        if len(rows) < self._size:
            self._is_over = True
            await self._end()
        return rows

    async def _end(self) -> None:
        if not self._is_part:
            await self._opened.give_back()

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
