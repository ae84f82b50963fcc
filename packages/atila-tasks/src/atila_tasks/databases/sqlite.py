"""SQLite, by the standard library; its blocking statements run in threads."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import re
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from atila import SetupError, current
from atila.errors import caller
from atila.values import json
from atila.values.plain import plain
from atila_tasks.core.errors import (
    DatabaseBusy,
    DatabaseError,
    DataConflict,
    DataError,
    Unreachable,
)
from atila_tasks.databases.pool import Pool
from atila_tasks.databases.sql.interface import SQLInterface
from atila_tasks.databases.sql.leases import Begin
from atila_tasks.databases.sql.rows import Row, Rows
from atila_tasks.upstream.interfaces import DB_SQLITE3

if TYPE_CHECKING:
    from atila_tasks.databases.sql.leases import Batches
    from atila_tasks.databases.sql.statements import Query
    from atila_tasks.upstream.aliases import Alias, Member

T = TypeVar("T")

MEMORY = ":memory:"
_TRY_AGAIN = 0.002
"""Seconds between two attempts to begin with a database."""
INTERRUPT_AGAIN = 0.02
"""Seconds between two tries to interrupt a statement: one that has not begun yet does not feel it.
"""

_READS = re.compile(r"[\s(]*(?:select|values|explain|pragma)\b", re.I)
_WITH = re.compile(r"[\s(]*with\b", re.I)
_WRITES = re.compile(r"\b(?:insert|update|delete|replace)\b", re.I)

_KINDS = {
    "SQLITE_CONSTRAINT_UNIQUE": "unique",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "unique",
    "SQLITE_CONSTRAINT_ROWID": "unique",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "foreign_key",
    "SQLITE_CONSTRAINT_NOTNULL": "not_null",
    "SQLITE_CONSTRAINT_CHECK": "check",
}
_NO_TEXT = "Could not decode to UTF-8"
_REFUSALS = (sqlite3.Error, OverflowError, UnicodeEncodeError)
_FAILED = re.compile(r"constraint failed: (.+)")


def reads(sql: str) -> bool:
    """Whether a statement only reads, as far as it can be seen."""
    if _WITH.match(sql):
        return not _WRITES.search(sql)
    return _READS.match(sql) is not None


class SQLite(SQLInterface):
    """A file of SQLite: one connection that writes, and some that read meanwhile (WAL)."""

    engine = DB_SQLITE3
    survives_cancel = True

    defaults: ClassVar[Mapping[str, Any]] = {
        "max_conns": 4,
        "timeout": 30.0,
        "busy_timeout": 5.0,
        "pool_timeout": 10.0,
        "idle_timeout": 300.0,
        "foreign_keys": True,
    }
    """Options of an alias:

    - max_conns: the most connections of each worker process that read; one more writes.
    - timeout: seconds that a task has, unless `was.db` says otherwise; None for no limit.
    - busy_timeout: seconds that is waited while another process writes.
    - pool_timeout: seconds that a task waits for a connection.
    - idle_timeout: seconds without use after which a connection is closed.
    - foreign_keys: whether rows that others refer to are kept from being deleted.
    """

    def __init__(self, alias: Alias, member: Member) -> None:
        super().__init__(alias, member)
        self.path = member.address
        if self.path != MEMORY:
            self.path = os.path.join(alias.folder, self.path)
        self._threads = ThreadPoolExecutor(self.options["max_conns"] + 1, "atila-sqlite")
        self.writer = self._pool(1, writes=True)
        # What is in memory is one connection's own.
        alone = self.path == MEMORY
        self.readers = self.writer if alone else self._pool(self.options["max_conns"], writes=False)
        self.holders = {}

    def _pool(self, size: int, *, writes: bool) -> Pool[SQLiteConnection]:
        options = self.options
        return Pool(
            self.alias.name,
            lambda: self._connect(writes=writes),
            lambda connection: connection.call(lambda: connection.run("SELECT 1", ())),
            size=size,
            patience=options["pool_timeout"],
            idle=float("inf") if self.path == MEMORY else options["idle_timeout"],
        )

    @classmethod
    def check(cls, alias: Alias) -> None:
        for member in alias.members:
            folder = os.path.dirname(os.path.join(alias.folder, member.address))
            if member.address != MEMORY and not os.path.isdir(folder):
                raise SetupError(
                    f"there is no folder {folder!r} for the file of {alias.name}", caller(__name__)
                )

    async def _connect(self, *, writes: bool) -> SQLiteConnection:
        connection = SQLiteConnection(self.path, self._threads)
        try:
            await connection.call(lambda: connection.open(self.options, writes=writes))
        except sqlite3.Error as error:
            raise Unreachable(f"{self.alias.name}: {error}") from None
        return connection

    def pool_for(self, request: Query | Begin, holds: bool) -> Pool[Any]:
        is_reading = request.read_only if isinstance(request, Begin) else reads(request.sql)
        pool = self.readers if is_reading else self.writer
        if holds and pool is self.writer and self._is_mine():
            raise RuntimeError(
                f"this request holds the only connection of {self.alias.name} that writes, in a"
                " transaction: use the db of `with was.db(…, transaction=True) as db`"
            )
        return pool

    def _is_mine(self) -> bool:
        return any(lease._pool is self.writer for lease in self.holders.get(current.get(None), ()))

    async def _query(self, query: Query) -> list[Row]:
        try:
            return await super()._query(query)
        except ReadOnly:
            # It looked as if it would only read: it is asked again as one that does not.
            return await super()._query(type(query)(f"/* writes */ {query.sql}", query.params))

    async def run(self, connection: SQLiteConnection, query: Query) -> list[Row]:
        try:
            return await connection.call(lambda: connection.run(query.sql, query.params))
        except _REFUSALS as error:
            raise refused(error) from None

    async def stream(self, connection: SQLiteConnection, query: Query) -> Batches:
        def begin() -> sqlite3.Cursor:
            # Rows that were taken already cannot be taken once more.
            connection.take_any_text()
            return connection.execute(query.sql, query.params)

        try:
            cursor = await connection.call(begin)
        except _REFUSALS as error:
            raise refused(error) from None
        return SQLiteBatches(connection, cursor)

    def opening(self, request: Begin) -> str:
        # The right to write is taken at once: to ask for it later may fail.
        return "BEGIN" if request.read_only else "BEGIN IMMEDIATE"

    def in_transaction(self, connection: SQLiteConnection) -> bool:
        return connection.in_transaction

    async def close(self) -> None:
        await self.writer.close()
        await self.readers.close()
        self._threads.shutdown(wait=False)


def _use_wal(connection: sqlite3.Connection, seconds: float) -> None:
    """Have a database keep a log of writes, so that they do not hold up those that read.

    SQLite itself does not wait where several connections begin with it at once.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > until:
                raise
            time.sleep(_TRY_AGAIN)
        else:
            return


class SQLiteConnection:
    """A connection, used by one thread at a time.

    Args:
        path: the path of the file.
        threads: at least as many threads as there are connections.
    """

    def __init__(self, path: str, threads: ThreadPoolExecutor) -> None:
        self._path = path
        self._threads = threads
        self._connection: sqlite3.Connection | None = None

    async def call(self, func: Callable[[], T]) -> T:
        """Call a function in a thread; a cancellation interrupts the running statement."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, func)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            while not future.done():
                if self._connection is not None:
                    self._connection.interrupt()
                await asyncio.wait([future], timeout=INTERRUPT_AGAIN)
            if not future.cancelled():
                future.exception()
            raise

    def open(self, options: Mapping[str, Any], *, writes: bool) -> None:
        """Open it. In a thread, as all that follows."""
        connection = sqlite3.connect(
            self._path,
            timeout=options["busy_timeout"],
            isolation_level=None,
            check_same_thread=False,
        )
        self._connection = connection
        connection.execute(f"PRAGMA foreign_keys = {'ON' if options['foreign_keys'] else 'OFF'}")
        _use_wal(connection, options["busy_timeout"])
        connection.execute("PRAGMA synchronous = NORMAL")
        if not writes:
            connection.execute("PRAGMA query_only = ON")

    def execute(self, sql: str, params: Any) -> sqlite3.Cursor:
        """Carry out a statement."""
        if self._connection is None:
            raise sqlite3.ProgrammingError("the connection is closed")
        return self._connection.execute(sql, adapted(params))

    def run(self, sql: str, params: Any) -> Rows:
        """The rows that a statement gives."""
        try:
            return self._run(sql, params)
        except sqlite3.OperationalError as error:
            if _NO_TEXT not in str(error) or self._connection is None or not reads(sql):
                raise
        # Slower, so only where there are such texts.
        self.take_any_text()
        return self._run(sql, params)

    def take_any_text(self) -> None:
        """Have texts that are no UTF-8 come as bytes."""
        if self._connection is not None:
            self._connection.text_factory = _text

    def _run(self, sql: str, params: Any) -> Rows:
        cursor = self.execute(sql, params)
        try:
            rows = to_rows(cursor, cursor.fetchall())
            return Rows(rows, len(rows) if cursor.description else cursor.rowcount)
        finally:
            cursor.close()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction has begun and not ended yet."""
        return self._connection is not None and self._connection.in_transaction

    def is_closed(self) -> bool:
        """Whether it cannot be used any more."""
        return self._connection is None

    async def close(self) -> None:
        """End it."""
        self.terminate()

    def terminate(self) -> None:
        """End it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


class SQLiteBatches:
    """The rows of a statement, in pieces."""

    def __init__(self, connection: SQLiteConnection, cursor: sqlite3.Cursor) -> None:
        self._connection = connection
        self._cursor = cursor

    async def next(self, size: int) -> list[Row]:
        """At most so many rows more; none at the end."""
        try:
            return await self._connection.call(
                lambda: to_rows(self._cursor, self._cursor.fetchmany(size))
            )
        except sqlite3.Error as error:
            raise refused(error) from None


class ReadOnly(DatabaseError):
    """A statement writes, on a connection that only reads."""


def refused(error: Exception) -> DatabaseError:
    """The error of a task whose statement is refused."""
    state = getattr(error, "sqlite_errorname", "") or ""
    kind = _KINDS.get(state, "")
    message = str(error)
    made: DatabaseError
    if kind in ("unique", "foreign_key"):
        made = DataConflict(message)
    elif not isinstance(error, sqlite3.Error):
        # Without the value, which is in the message of the one.
        made, kind = DataError("an integer of more than 64 bits, or no UTF-8"), "data"
    elif state.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_NOMEM")):
        made, kind = DatabaseBusy(message), "busy"
    elif state.startswith("SQLITE_READONLY"):
        made = ReadOnly(message)
    else:
        made = DatabaseError(f"{message} ({state})" if state else message)
    made.kind, made.sqlstate = kind, state
    if kind and (match := _FAILED.search(message)) and kind != "check":
        # "users.name, users.email"
        names = match[1].split(", ")
        made.table = names[0].rpartition(".")[0]
        made.column = ", ".join(name.rpartition(".")[2] for name in names)
    return made


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def to_rows(cursor: sqlite3.Cursor, found: Sequence[Any]) -> list[Row]:
    """Rows of sqlite3 as ours."""
    names = [column[0] for column in cursor.description or ()]
    return [Row(zip(names, each, strict=True)) for each in found]


def adapted(params: Any) -> Any:
    """Parameters as SQLite keeps values: datetimes as text of ISO 8601, with a space in it; dicts,
    lists and other collections as JSON; all else as it is in JSON.
    """
    if isinstance(params, dict):
        return {name: _adapt(value) for name, value in params.items()}
    return [_adapt(value) for value in params]


def _adapt(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bytes | bytearray | memoryview):
        return value
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if not isinstance(value, dict | list | tuple):
        try:
            value = plain(value)
        except TypeError:
            return value
    if isinstance(value, dict | list | tuple):
        return json.dumps(value).decode()
    return value
