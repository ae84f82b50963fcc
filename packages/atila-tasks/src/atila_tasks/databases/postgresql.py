"""PostgreSQL, by asyncpg."""

from __future__ import annotations

import re
import select
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import asyncpg

from atila import SetupError
from atila.errors import caller
from atila_tasks.core.errors import DatabaseError, DataError
from atila_tasks.databases.pool import Pool
from atila_tasks.databases.postgresql_errors import (
    ERRORS,
    OUTDATED,
    is_unfit,
    translated,
    unconnected,
)
from atila_tasks.databases.postgresql_types import set_types
from atila_tasks.databases.sql.interface import SQLInterface
from atila_tasks.databases.sql.parameters import Unread, exact, fitted, has_fractions
from atila_tasks.databases.sql.rows import Row, Rows
from atila_tasks.upstream.interfaces import CONNECTIONS, DB_PGSQL

if TYPE_CHECKING:
    from atila_tasks.databases.sql.leases import Batches, Begin
    from atila_tasks.databases.sql.statements import Query
    from atila_tasks.upstream.aliases import Alias, Member

Connection = Any
"""asyncpg has no types."""

_TRACELESS = re.compile(r"[\s(]*(?:select|insert|update|delete|with|values|table|merge)\b", re.I)
_TRACES = re.compile(r"advisory|set_config|\binto\s+temp", re.I)
_MOST_KINDS = 1024
"""Statements whose types are kept."""
RESET = "SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL; DISCARD TEMP"


@lru_cache(4096)
def leaves_traces(sql: str) -> bool:
    """Whether a statement may change the session that it is carried out in, as SET does."""
    return _TRACELESS.match(sql) is None or _TRACES.search(sql) is not None


class PostgreSQL(SQLInterface):
    """A PostgreSQL server and the connections to it."""

    defaults: ClassVar[Mapping[str, Any]] = {
        **CONNECTIONS,
        "idle_timeout": 300.0,
        "statement_timeout": None,
        "statement_cache": 100,
        "ssl": None,
        "settings": {},
    }
    """Options of an alias, besides `CONNECTIONS`:

    - idle_timeout: seconds without use after which a connection is closed.
    - statement_timeout: seconds after which the server itself ends a statement; None for the
      server's configuration.
    - statement_cache: prepared statements that each connection keeps; 0 behind a proxy that shares
      connections, such as PgBouncer.
    - ssl: as of `asyncpg.connect`: None for TLS if the server has it, True or a context to demand a
      valid certificate, "disable", …
    - settings: settings of the session, such as {"search_path": "shop"}.
    """

    engine = DB_PGSQL

    def __init__(self, alias: Alias, member: Member) -> None:
        super().__init__(alias, member)
        self._limit: float | None = self.options["statement_timeout"]
        self.pool = self._pool(self.options["max_conns"])
        # For requests that hold a connection already: if they waited for those that others hold,
        # and the others for theirs, it would be for ever.
        self.reserve = self._pool(1)
        self.holders = {}
        self._kinds: dict[str, Sequence[str]] = {}

    def _pool(self, size: int) -> Pool[Any]:
        return Pool(
            self.alias.name,
            self._connect,
            _check,
            is_quiet=_is_quiet,
            size=size,
            patience=self.options["pool_timeout"],
            idle=self.options["idle_timeout"],
        )

    @classmethod
    def check(cls, alias: Alias) -> None:
        for member in alias.members:
            if not member.path:
                raise SetupError(
                    f"a member of the alias {alias.name!r} names no database; write"
                    ' "user:password@host/database"',
                    caller(__name__),
                )
        if alias.options["max_conns"] < 1:
            raise SetupError(f"{alias.name}: max_conns is 1 or more", caller(__name__))

    async def _connect(self) -> Connection:
        member, options = self.member, self.options
        settings = {"application_name": "atila", **options["settings"]}
        if self._limit:
            settings["statement_timeout"] = str(max(1, round(self._limit * 1000)))
        try:
            connection = await asyncpg.connect(
                host=member.host or None,
                port=member.port or 5432,
                user=member.user or None,
                password=member.password or None,
                database=member.path,
                timeout=options["connect_timeout"],
                statement_cache_size=options["statement_cache"],
                # Else a timer for each, which keeps the request that was the first to send it.
                max_cached_statement_lifetime=0,
                ssl=options["ssl"],
                server_settings=settings,
            )
            await set_types(connection)
        except Exception as error:
            failure = unconnected(error, self.alias.name)
            if failure is error:
                raise
            raise failure from None
        return connection

    def pool_for(self, request: Query | Begin, holds: bool) -> Pool[Any]:
        return self.reserve if holds else self.pool

    async def run(self, connection: Connection, query: Query) -> list[Row]:
        records, tag, _ = await self._sent(connection, query, _execute)
        return Rows(to_rows(records), _count_of(tag))

    async def stream(self, connection: Connection, query: Query) -> Batches:
        return PostgreSQLBatches(self, await self._sent(connection, query, _open_cursor))

    async def _sent(
        self,
        connection: Connection,
        query: Query,
        send: Callable[[Connection, str, Sequence[Any]], Awaitable[Any]],
    ) -> Any:
        """The server's answer to a statement, whose values are fitted if possible."""
        try:
            params = query.params
            if has_fractions(params):
                params = _exact(params, await self._kinds_of(connection, query.sql))
            return await send(connection, query.sql, params)
        except ERRORS as error:
            if isinstance(error, OUTDATED):
                await self._forget_schema()
            if not is_unfit(error):
                raise translated(error, self.alias.name, self._limit) from None
        # asyncpg takes no text for a number; a literal in the statement would have been taken.
        try:
            return await send(connection, query.sql, await _fitted(connection, query))
        except ERRORS as error:
            raise translated(error, self.alias.name, self._limit) from None

    async def _forget_schema(self) -> None:
        """Tables or types have changed: the knowledge of all connections is out of date, and would
        fail a transaction on each.
        """
        self._kinds.clear()
        for connection in (*self.pool.connections, *self.reserve.connections):
            if not connection.is_closed():
                await connection.reload_schema_state()

    async def _kinds_of(self, connection: Connection, sql: str) -> Sequence[str]:
        """The names of the types of a statement's parameters."""
        kinds = self._kinds.get(sql)
        if kinds is None:
            statement = await connection.prepare(sql)
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            kinds = self._kinds[sql] = [kind.name for kind in statement.get_parameters()]
        return kinds

    def opening(self, request: Begin) -> str:
        return "BEGIN READ ONLY" if request.read_only else "BEGIN"

    async def commit(self, connection: Connection) -> None:
        try:
            done = await connection.execute("COMMIT")
        except ERRORS as error:
            raise translated(error, self.alias.name, self._limit) from None
        if done != "COMMIT":
            # Its answer to a transaction in which something failed.
            raise DatabaseError("a statement of this transaction failed, so that nothing lasts")

    def in_transaction(self, connection: Connection) -> bool:
        return bool(connection.is_in_transaction())

    def leaves_traces(self, sql: str) -> bool:
        return leaves_traces(sql)

    async def reset(self, connection: Connection) -> None:
        await connection.execute(RESET)

    async def close(self) -> None:
        await self.pool.close()
        await self.reserve.close()


class PostgreSQLBatches:
    """The rows of a cursor, in pieces."""

    def __init__(self, interface: PostgreSQL, cursor: Any) -> None:
        self._interface = interface
        self._cursor = cursor

    async def next(self, size: int) -> list[Row]:
        """At most so many rows more; none at the end."""
        try:
            return to_rows(await self._cursor.fetch(size))
        except ERRORS as error:
            name, limit = self._interface.alias.name, self._interface._limit
            raise translated(error, name, limit) from None


def _execute(connection: Connection, sql: str, params: Sequence[Any]) -> Awaitable[Any]:
    # asyncpg has no public way to rows and the number of those changed at once.
    done: Awaitable[Any] = connection._execute(sql, params, 0, None, return_status=True)
    return done


def _open_cursor(connection: Connection, sql: str, params: Sequence[Any]) -> Awaitable[Any]:
    opened: Awaitable[Any] = connection.cursor(sql, *params)
    return opened


def _exact(params: Sequence[Any], kinds: Sequence[str]) -> Sequence[Any]:
    if len(params) != len(kinds):
        # To be refused by the server.
        return params
    try:
        return exact(params, kinds)
    except (ValueError, OverflowError) as error:
        raise DataError(str(error)) from None


async def _fitted(connection: Connection, query: Query) -> Sequence[Any]:
    statement = await connection.prepare(query.sql)
    kinds = statement.get_parameters()
    params = fitted(query.params, [kind.name for kind in kinds])
    return [await _read(connection, *pair) for pair in zip(params, kinds, strict=False)]


async def _read(connection: Connection, value: Any, kind: Any) -> Any:
    """A text that asyncpg does not take for a value of a type, as the server reads it."""
    is_array = kind.name.endswith("[]")
    if isinstance(value, list | tuple) and is_array:
        return [
            await _cast(connection, each, kind, kind.name.removesuffix("[]"))
            if isinstance(each, Unread)
            else each
            for each in value
        ]
    if not isinstance(value, Unread):
        return value
    return await _cast(connection, value, kind, kind.name)


async def _cast(connection: Connection, value: Unread, kind: Any, name: str) -> Any:
    name, suffix = name.removesuffix("[]"), "[]" if name.endswith("[]") else ""
    quoted = ".".join('"{}"'.format(part.replace('"', '""')) for part in (kind.schema, name))
    return await connection.fetchval(f"SELECT $1::text::{quoted}{suffix}", str(value))


def _count_of(tag: bytes | None) -> int:
    """How many rows a statement was about: 3 of "UPDATE 3", 1 of "INSERT 0 1"."""
    number = (tag or b"").rpartition(b" ")[2]
    return int(number) if number.isdigit() else -1


def to_rows(records: Sequence[Any]) -> list[Row]:
    """Rows of asyncpg as ours."""
    return [Row(record.items()) for record in records]


async def _check(connection: Connection) -> None:
    await connection.fetchval("SELECT 1", timeout=2.0)


def _is_quiet(connection: Connection) -> bool:
    """Whether there is nothing to be read from a connection that nobody uses. The server says
    something then only to end it, and the loop may not have come to it yet.
    """
    try:
        # asyncpg has no other way to its socket.
        socket = connection._transport.get_extra_info("socket")
        poll = select.poll()
        poll.register(socket.fileno(), select.POLLIN)
        return not poll.poll(0)
    except (AttributeError, OSError, ValueError):
        return False
