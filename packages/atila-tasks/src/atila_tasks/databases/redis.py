"""Redis, by redis-py: `was.db("@myredis").get("foo")`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Mapping
from contextvars import Context
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any, ClassVar

from redis import asyncio as redis
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from atila import SetupError
from atila.errors import caller
from atila_tasks.core.errors import (
    DatabaseBusy,
    DatabaseError,
    DataError,
    PoolExhausted,
    Unreachable,
    UpstreamBusy,
    UpstreamError,
)
from atila_tasks.upstream.interfaces import CONNECTIONS, Command, Interface

if TYPE_CHECKING:
    from atila_tasks.upstream.aliases import Alias, Member

PORT = 6379
_FULL = "max number of clients"
"""The server's message when it takes no more connections."""

_OVERFLOW = re.compile("out of range|would overflow|string exceeds maximum")
"""The server's message about numbers that are too large for it."""


async def _alone(connecting: Coroutine[Any, Any, None]) -> None:
    """Open a connection in a task of its own. `outside` leaves its variables with no request, but
    redis keeps the errors of commands which an older server lacks in cycles, and on CPython 3.12
    an error refers to the frames of all that wait.
    """
    await asyncio.Task(connecting, loop=asyncio.get_running_loop(), context=Context())


class _Connection(redis.Connection):
    """Is of no request, as those of `Pool`. `connect` of redis has no types."""

    async def connect(self) -> None:
        await _alone(super().connect())  # type: ignore[no-untyped-call]


class _SSLConnection(redis.SSLConnection):
    """The same over TLS."""

    async def connect(self) -> None:
        await _alone(super().connect())  # type: ignore[no-untyped-call]


class Redis(Interface):
    """A Redis server and the connections to it. A member is "[user:password@]host[:port][/number]",
    with the number of the database; requests are the commands of `redis.asyncio.Redis`.
    """

    defaults: ClassVar[Mapping[str, Any]] = {
        **CONNECTIONS,
        "text": True,
        "ssl": False,
    }
    """Options of an alias, besides `CONNECTIONS`:

    - text: whether values come as text; those that are no UTF-8, and all if it is not so, come
      as bytes.
    - ssl: whether to talk TLS, with a valid certificate.
    """

    def __init__(self, alias: Alias, member: Member) -> None:
        super().__init__(alias, member)
        kind = _SSLConnection if self.options["ssl"] else _Connection
        self._pool: Any = redis.BlockingConnectionPool(
            max_connections=self.options["max_conns"],
            timeout=self.options["pool_timeout"],
            connection_class=kind,
            host=member.host or "localhost",
            port=member.port or PORT,
            db=int(member.path or 0),
            username=member.user or None,
            password=member.password or None,
            socket_connect_timeout=self.options["connect_timeout"],
            # Whether a request may be sent again, its maker decides.
            retry=Retry(NoBackoff(), 0),
        )
        self._client = redis.Redis(connection_pool=self._pool)

    @classmethod
    def check(cls, alias: Alias) -> None:
        for member in alias.members:
            if not (member.path or "0").isdecimal():
                raise SetupError(
                    f"a member of the alias {alias.name!r} has {member.path!r} where the number of"
                    ' the database belongs; write "localhost/0"',
                    caller(__name__),
                )

    async def perform(self, request: Command) -> Any:
        await self._upstream()
        try:
            command = getattr(self._client, request.name)(*request.args, **request.kwargs)
        except AttributeError:
            raise AttributeError(f"{self.alias.name}: Redis has no {request.name}") from None
        if not iscoroutine(command):
            raise TypeError(
                f"{self.alias.name}: {request.name} is no command of its own that could be a task"
            )
        try:
            data = await command
        except UnicodeEncodeError:
            raise DataError(f"{self.alias.name}: a text that is no UTF-8") from None
        except exceptions.ConnectionError:
            raise UpstreamError(f"the connection to {self.alias.name} was lost") from None
        except exceptions.OutOfMemoryError:
            raise DatabaseBusy(f"{self.alias.name} has no memory left") from None
        except exceptions.RedisError as error:
            kind = DataError if _OVERFLOW.search(str(error)) else DatabaseError
            raise kind(f"{self.alias.name}: {error}") from error
        return _texts(data) if self.options["text"] else data

    async def _upstream(self) -> None:
        """See that a connection is there, before anything is sent: one that was lost meanwhile is
        replaced.
        """
        name = self.alias.name
        try:
            connection = await self._pool.get_connection()
            try:
                if await connection.can_read():  # That is, it was closed meanwhile.
                    await connection.disconnect()
                    await connection.connect()
            finally:
                await self._pool.release(connection)
        except exceptions.AuthenticationError:
            raise Unreachable(f"{name} refuses the user or the password") from None
        except exceptions.ConnectionError as error:
            if "No connection available" in str(error):
                pool = self.options["max_conns"], self.options["pool_timeout"]
                raise PoolExhausted(name, *pool) from None
            if isinstance(error, exceptions.BusyLoadingError) or _FULL in str(error):
                raise UpstreamBusy(f"{name} takes no connection now ({error})") from None
            raise Unreachable(f"{name} cannot be reached") from None
        except exceptions.TimeoutError:
            raise Unreachable(f"{name} did not answer in time") from None
        except exceptions.RedisError as error:
            raise Unreachable(f"{name} takes no connection ({type(error).__name__})") from None

    async def close(self) -> None:
        await self._client.aclose()
        await self._pool.disconnect()


def _texts(value: Any) -> Any:
    """The result of a command, with bytes as text where they are text."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    kind = type(value)
    if kind is list or kind is tuple or kind is set:
        return kind(map(_texts, value))
    if kind is dict:
        return {_texts(key): _texts(each) for key, each in value.items()}
    return value
