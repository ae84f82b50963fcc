"""Redis, by redis-py: `was.db("@myredis").get("foo")`."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import iscoroutine
from typing import TYPE_CHECKING, Any, ClassVar

from redis import asyncio as redis
from redis import exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from atila import SetupError
from atila.errors import caller
from atila_tasks.core.errors import DatabaseError, PoolExhausted, Unreachable, UpstreamError
from atila_tasks.upstream.interfaces import CONNECTIONS, Command, Interface

if TYPE_CHECKING:
    from atila_tasks.upstream.aliases import Alias, Member

PORT = 6379


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

    - text: whether values come as text, which they have to be UTF-8 for; as bytes otherwise.
    - ssl: whether to talk TLS, with a valid certificate.
    """

    def __init__(self, alias: Alias, member: Member) -> None:
        super().__init__(alias, member)
        kind = redis.SSLConnection if self.options["ssl"] else redis.Connection
        self._pool: Any = redis.BlockingConnectionPool(
            max_connections=self.options["max_conns"],
            timeout=self.options["pool_timeout"],
            connection_class=kind,
            host=member.host or "localhost",
            port=member.port or PORT,
            db=int(member.path or 0),
            username=member.user or None,
            password=member.password or None,
            decode_responses=self.options["text"],
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
            return await command
        except exceptions.ConnectionError:
            raise UpstreamError(f"the connection to {self.alias.name} was lost") from None
        except exceptions.RedisError as error:
            raise DatabaseError(f"{self.alias.name}: {error}") from error

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
            raise Unreachable(f"{name} cannot be reached") from None
        except exceptions.TimeoutError:
            raise Unreachable(f"{name} did not answer in time") from None
        except exceptions.RedisError as error:
            raise Unreachable(f"{name} takes no connection ({type(error).__name__})") from None

    async def close(self) -> None:
        await self._client.aclose()
        await self._pool.disconnect()
