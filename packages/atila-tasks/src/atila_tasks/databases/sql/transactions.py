"""`was.db(alias, transaction=True)`: statements that last all or not at all."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from atila.runtime.loop import in_event_loop
from atila_tasks.databases.sql.commits import owe
from atila_tasks.databases.sql.cursors import Cursor
from atila_tasks.databases.sql.opened import Opened
from atila_tasks.databases.sql.sessions import Session

if TYPE_CHECKING:
    from typing import Self

    from atila_tasks.core.task import Task
    from atila_tasks.databases.sql.statements import Query, Script
    from atila_tasks.upstream.access import Starter

_innermost: ContextVar[Transaction | None] = ContextVar("atila_tasks_transaction", default=None)
"""The innermost transaction of the running code; tasks begun in it belong to it."""

UNUSED = "a transaction is used by `with was.db(…, transaction=True) as db:`"


class Transaction(Session):
    """Statements that are carried out on one connection, and last all or not at all.

    `with was.db(alias, transaction=True) as db:` in `def` handlers and coroutines, `async with` in
    `async def`. At its end all is committed, or undone if an error leaves it, or if one of its
    statements failed, seen or not. Within another of the same alias and request it is a part of
    that, at the same member: it can be undone by itself, and lasts if that does.
    """

    def __init__(self, start: Starter, engine: str) -> None:
        super().__init__(start, engine)
        self._opened: Opened | None = None
        self._enclosing: Transaction | None = None
        self._is_open = False

    def __enter__(self) -> Self:
        if in_event_loop() and not self._start.was.endpoint.route.options.get("coroutine"):
            raise RuntimeError("in async def a transaction is begun by `async with`")
        return self._enter()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        opened = self._leave()
        if not in_event_loop():
            if kind is None:
                opened.commit(self._note_updates).fetch()
            else:
                opened.rollback().wait()
        elif kind is None:
            # A coroutine cannot wait here; its answer is held back until this is done.
            owe(self._start.was, opened.commit(self._note_updates, is_last=True))
        else:
            _ = opened.rollback()

    async def __aenter__(self) -> Self:
        return self._enter()

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        opened = self._leave()
        if kind is None:
            (await opened.commit(self._note_updates)).fetch()
        else:
            await asyncio.shield(_settled(opened.rollback()))

    def _enter(self) -> Self:
        if self._is_open:
            raise RuntimeError("this transaction has begun already; was.db(…) makes another")
        self._enclosing = outer = _innermost.get()
        while outer is not None and not outer._encloses(self._start):
            outer = outer._enclosing
        self._opened = Opened(
            self._start, None if outer is None else outer._opened, is_transaction=True
        )
        self._is_open = True
        _innermost.set(self)
        return self

    def _leave(self) -> Opened:
        self._is_open = False
        if _innermost.get() is self:
            _innermost.set(self._enclosing)
        self._enclosing = None
        return self._held

    def _encloses(self, start: Starter) -> bool:
        return self._is_open and self._start.was is start.was and self._start.alias is start.alias

    @property
    def _held(self) -> Opened:
        if self._opened is None:
            raise RuntimeError(UNUSED)
        return self._opened

    def _begin(self, request: Query | Script) -> Task:
        if not self._is_open:
            raise RuntimeError(UNUSED)
        opened = self._held
        return opened.task(lambda: opened.perform(request))

    def cursor(self, sql: Any, *params: Any, size: int = 1000) -> Cursor:
        return Cursor(self._held, self._one(sql, params), size, is_part=True)

    def commit(self) -> Task:
        """Commit; a task. Later statements are another transaction, unless this fails: then all
        that follows does, until `rollback`.
        """
        return self._held.commit(self._note_updates)

    async def _note_updates(self) -> None:
        if self._start.cache is not None:
            await self._start.cache.forget(self._start.was)

    def rollback(self) -> Task:
        """Roll back; a task. Later statements are another transaction."""
        return self._held.rollback()


async def _settled(task: Task) -> None:
    _ = await task
