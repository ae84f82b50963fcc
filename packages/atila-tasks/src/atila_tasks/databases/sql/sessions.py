"""`was.db(alias)` for SQL: statements, each carried out by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from atila_tasks.core.mask import GIVEN
from atila_tasks.core.task import Task
from atila_tasks.databases.sql.cursors import Cursor
from atila_tasks.databases.sql.opened import Opened
from atila_tasks.databases.sql.rows import Rows
from atila_tasks.databases.sql.statements import Bound, Builder, Query, Script, to_query
from atila_tasks.upstream.interfaces import DB_SQLITE3, WithBlock

if TYPE_CHECKING:
    from typing import Self

    from atila_tasks.upstream.access import Starter


_NAMED = re.compile(r"[:@$][A-Za-z_]")
"""A placeholder of SQLite with a name."""


class Session(WithBlock, Builder):
    """Statements, each carried out by itself, on whichever connection is free.

    Args:
        start: makes tasks.
        engine: sqlphile's name of the database.
    """

    def __init__(self, start: Starter, engine: str) -> None:
        self._start = start
        self._engine = engine

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        pass

    def execute(self, sql: Any, *params: Any) -> Any:
        """Carry out a statement.

        Args:
            sql: a statement of `select` or the others; or text, with the database's own
                placeholders for values: $1, $2, … of PostgreSQL, ? or :name of SQLite; or a list of
                them, which are carried out in one transaction.
            params: the values: one by one, or all as one list or tuple; of SQLite's :name as one
                dict. Any other dict is one value, of JSON.

        Returns:
            A task; its data are the rows: a list, empty if the statement gives none, whose
            `rowcount` says how many were given or changed.
        """
        request = self._request(sql, params)
        if request is None:
            start = self._start
            options = {name: start.options[name] for name in ("filter", "meta")}
            return Task(start.was, GIVEN, Rows(rowcount=0), **options)
        return self._begin(request)

    def _begin(self, request: Query | Script) -> Any:
        start = self._start
        return start(request) if start.cache is None else start.cache.start(start, request)

    def _takes_names(self, sql: str) -> bool:
        """Whether a statement has placeholders with names, for which a dict has the values."""
        return self._engine == DB_SQLITE3 and _NAMED.search(sql) is not None

    def cursor(self, sql: Any, *params: Any, size: int = 1000) -> Cursor:
        """Carry out a statement, and take its rows in pieces, however many there are.

        Args:
            sql: see `execute`; one statement.
            params: see `execute`.
            size: rows of a piece.
        """
        return Cursor(Opened(self._start), self._one(sql, params), size)

    def _one(self, sql: Any, params: tuple[Any, ...]) -> Query | None:
        """The request of a cursor; see `_request`."""
        request = self._request(sql, params)
        if isinstance(request, Script):
            raise TypeError("a cursor is for one statement")
        return request

    def _request(self, sql: Any, params: tuple[Any, ...]) -> Query | Script | None:
        """The request that is sent to the database; None for a statement that asks for no rows."""
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
            if isinstance(given, dict) and not self._takes_names(sql):
                return Query(sql, params)
            return Query(sql, given)
        return Query(sql, params) if "\0" not in sql else to_query(sql, {}, self._engine)
