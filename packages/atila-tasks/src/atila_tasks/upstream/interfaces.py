"""Interfaces: how to call servers and databases of one kind.

The built-in ones and those of `skitai.add_database_interface` are alike: subclasses of `Interface`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from atila import SetupError
from atila.errors import caller

if TYPE_CHECKING:
    from typing import Self

    from atila_tasks.core.task import Task
    from atila_tasks.upstream.aliases import Alias, Member

Start = Callable[[Any], "Task"]
"""Makes a task of a request, in the terms of the interface."""


@dataclass(frozen=True, slots=True)
class Command:
    """A request that is a method called by its name, as of Redis.

    Attributes:
        name: the name of the method.
        args: its positional arguments.
        kwargs: its keyword arguments.
    """

    name: str
    args: tuple[Any, ...] = field(default=(), repr=False)
    kwargs: Mapping[str, Any] = field(default_factory=dict, repr=False)


class WithBlock:
    """A context manager that does nothing at its end: `with was.db(alias) as db: …`."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        pass


class Commands(WithBlock):
    """The result of `was.db(alias)` where each method is a command that makes a task.

    Args:
        start: makes a task of a `Command`.
    """

    def __init__(self, start: Start) -> None:
        self._start = start

    def __getattr__(self, name: str) -> Callable[..., Task]:
        if name.startswith("_"):
            raise AttributeError(name)

        def command(*args: Any, **kwargs: Any) -> Task:
            return self._start(Command(name, args, kwargs))

        return command


CONNECTIONS: Mapping[str, Any] = {
    "max_conns": 20,
    "timeout": 30.0,
    "connect_timeout": 5.0,
    "pool_timeout": 10.0,
}
"""Options of an alias of servers with a connection for each request:

- max_conns: the most connections of each worker process to each member.
- timeout: seconds that a task has, unless `was.db` says otherwise; None for no limit.
- connect_timeout: seconds to connect.
- pool_timeout: seconds that a task waits for a free connection.
"""


class Interface:
    """One member of an alias: a server or database, and its open connections.

    Made on the task loop, when the first task needs it. All its methods but the class methods run
    there, so none may block.

    Args:
        alias: the alias.
        member: its address.
    """

    defaults: ClassVar[Mapping[str, Any]] = {}
    """The options that an alias of this kind may have, with their defaults."""

    def __init__(self, alias: Alias, member: Member) -> None:
        self.alias = alias
        self.member = member
        self.options = alias.options

    @classmethod
    def check(cls, alias: Alias) -> None:
        """Refuse an alias with a mistake; called when it is named, before anything connects.

        Raises:
            SetupError: a member or an option is wrong, or a library is not installed.
        """

    @classmethod
    def session(cls, start: Start) -> Any:
        """The result of `was.db(alias)`: its methods make tasks by `start(request)`. A context
        manager, too, which does nothing at its end.
        """
        return Commands(start)

    @classmethod
    def transaction(cls, start: Any) -> Any:
        """The result of `was.db(alias, transaction=True)`: a context manager, whose tasks are
        committed together or not at all.

        Raises:
            TypeError: there are no transactions.
        """
        raise TypeError(f"{cls.__name__} has no transactions")

    async def perform(self, request: Any) -> Any:
        """Carry out one request and give its data. Cancelled if its time is over.

        Raises:
            Unreachable: there is no connection, so nothing was sent.
            UpstreamError: the connection failed on the way.
            Exception: any other error of the server about the request.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Close all connections: the site ends."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """An interface of ours, which is not imported before an alias asks for it.

    Attributes:
        module: the module that has it.
        name: its name there.
        needs: the module of the library that it is made with; "" for none.
        extra: the extra that installs that library: pip install "atila-tasks[extra]".
    """

    module: str
    name: str
    needs: str = ""
    extra: str = ""


DB_PGSQL = DB_POSTGRESQL = "*postgresql"
"""Kinds of servers, as sqlphile calls them."""
DB_SQLITE3 = "*sqlite3"
DB_REDIS = "*redis"
DB_MONGODB = "*mongodb"

_interfaces: dict[str, type[Interface] | BuiltIn] = {
    DB_PGSQL: BuiltIn("atila_tasks.databases.postgresql", "PostgreSQL", "asyncpg", "postgresql"),
    DB_SQLITE3: BuiltIn("atila_tasks.databases.sqlite", "SQLite"),
    DB_REDIS: BuiltIn("atila_tasks.databases.redis", "Redis", "redis", "redis"),
    DB_MONGODB: BuiltIn("atila_tasks.databases.mongodb", "MongoDB", "pymongo", "mongodb"),
}


def add_database_interface(kind: str, interface: Any) -> None:
    """Have `skitai.alias(name, kind, …)` name servers that are talked to in a way of your own.

    Args:
        kind: a name for it: "*mydbi". A second one of the same name takes its place.
        interface: the interface: a subclass of `Interface`.

    Raises:
        SetupError: it is no subclass of `atila_tasks.Interface`.
    """
    if not (isinstance(interface, type) and issubclass(interface, Interface)):
        raise SetupError(
            f"the interface of {kind!r} must be a subclass of atila_tasks.Interface",
            caller(__name__),
        )
    _interfaces[kind] = interface


def find(kind: str, name: str) -> type[Interface]:
    """The interface of a kind.

    Args:
        kind: the kind.
        name: the alias that asks for it.

    Raises:
        SetupError: there is none.
    """
    interface = _interfaces.get(kind)
    if interface is None:
        raise SetupError(
            f"the alias {name!r} has the kind {kind!r}, which is none of"
            f" {', '.join(sorted(_interfaces))}; skitai.add_database_interface adds others",
            caller(__name__),
        )
    if isinstance(interface, BuiltIn):
        interface = _interfaces[kind] = _imported(interface, kind, name)
    return interface


def _imported(built_in: BuiltIn, kind: str, name: str) -> type[Interface]:
    if built_in.needs and find_spec(built_in.needs) is None:
        raise SetupError(
            f"the alias {name!r} has the kind {kind!r}, which needs {built_in.needs};"
            f' pip install "atila-tasks[{built_in.extra}]"',
            caller(__name__),
        )
    interface: type[Interface] = getattr(import_module(built_in.module), built_in.name)
    return interface
