"""MongoDB, by pymongo: `was.db("@mymongo").find({"city": "New York"})`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ClassVar

from bson.errors import BSONError
from pymongo import AsyncMongoClient, errors, results

from atila import SetupError
from atila.errors import caller
from atila_tasks.core.errors import (
    DatabaseError,
    DataConflict,
    DataError,
    PoolExhausted,
    Unreachable,
    UpstreamError,
)
from atila_tasks.upstream.interfaces import CONNECTIONS, Interface, Start, WithBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from atila_tasks.core.task import Task
    from atila_tasks.upstream.aliases import Alias, Member

PORT = 27017
DATABASE = "test"
"""MongoDB's own choice where none is named."""

_SHORT = {
    "insert": ("insert_one", "insert_many"),
    "update": ("update_many", "update_many"),
    "delete": ("delete_many", "delete_many"),
    "count": ("count_documents", "count_documents"),
}
"""Names for the usual: with a document, and with a list of them."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation on a collection.

    Attributes:
        collection: its name; "" for that of the alias.
        name: a method of `pymongo.asynchronous.collection.AsyncCollection`, or of ours.
        args: its positional arguments.
        kwargs: its keyword arguments.
    """

    collection: str
    name: str
    args: tuple[Any, ...] = field(default=(), repr=False)
    kwargs: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Documents(WithBlock):
    """The result of `was.db(alias)`: a collection, whose methods make tasks; `db["other"]` is
    another collection of the same database.

    - find(filter, …), aggregate(pipeline, …): a list of documents.
    - find_one(filter): a document, or None.
    - insert(document), insert([document, …]): the `_id` of it, or a list of them.
    - update(filter, changes), delete(filter): the number of documents changed, or deleted.
    - count(filter): their number.

    And all others of pymongo's collections, by their own names.

    Args:
        start: makes a task of an `Operation`.
        collection: its name; "" for that of the alias.
    """

    def __init__(self, start: Start, collection: str = "") -> None:
        self._start = start
        self._collection = collection

    def __getitem__(self, collection: str) -> Documents:
        return Documents(self._start, collection)

    def __getattr__(self, name: str) -> Callable[..., Task]:
        if name.startswith("_"):
            raise AttributeError(name)

        def operation(*args: Any, **kwargs: Any) -> Task:
            return self._start(Operation(self._collection, name, args, kwargs))

        return operation


class MongoDB(Interface):
    """A MongoDB server and the connections to it. A member is "[user:password@]host[:port]
    /[database/]collection"; requests are an `Operation` each.
    """

    defaults: ClassVar[Mapping[str, Any]] = {
        **CONNECTIONS,
        "auth_source": None,
        "tls": False,
    }
    """Options of an alias, besides `CONNECTIONS`:

    - auth_source: the database that knows the user; "admin" if it is not given.
    - tls: whether to talk TLS, with a valid certificate.
    """

    def __init__(self, alias: Alias, member: Member) -> None:
        super().__init__(alias, member)
        database, _, self._collection = member.path.rpartition("/")
        options: dict[str, Any] = {}
        if member.user:
            options = {"username": member.user, "password": member.password}
            options["authSource"] = self.options["auth_source"] or "admin"
        milliseconds = int(self.options["connect_timeout"] * 1000)
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            member.host or "localhost",
            member.port or PORT,
            maxPoolSize=self.options["max_conns"],
            waitQueueTimeoutMS=int(self.options["pool_timeout"] * 1000),
            serverSelectionTimeoutMS=milliseconds,
            connectTimeoutMS=milliseconds,
            tls=self.options["tls"],
            tz_aware=True,
            **options,
        )
        self._database = self._client[database or DATABASE]

    @classmethod
    def check(cls, alias: Alias) -> None:
        for member in alias.members:
            if not member.path or member.path.count("/") > 1:
                raise SetupError(
                    f"a member of the alias {alias.name!r} names no collection; write"
                    ' "localhost/collection" or "localhost/database/collection"',
                    caller(__name__),
                )

    @classmethod
    def session(cls, start: Start) -> Documents:
        return Documents(start)

    async def perform(self, request: Operation) -> Any:
        collection = self._database[request.collection or self._collection]
        name = request.name
        if name in _SHORT:
            is_list = bool(request.args) and isinstance(request.args[0], list)
            name = _SHORT[name][is_list]
        method = getattr(type(collection), name, None)
        if method is None:
            raise AttributeError(f"{self.alias.name}: a collection has no {request.name}")
        try:
            # Bound by hand: any other name would be taken for that of a collection below this.
            value = method(collection, *request.args, **request.kwargs)
            if isawaitable(value):
                value = await value
            if hasattr(value, "to_list"):
                value = await value.to_list()
        except (OverflowError, UnicodeEncodeError) as error:
            raise DataError(f"{self.alias.name}: {_what(error)}") from None
        except BSONError as error:
            kind = DataError if "NULL byte" in str(error) else DatabaseError
            raise kind(f"{self.alias.name}: {str(error).partition(':')[0]}") from None
        except errors.PyMongoError as error:
            raise self._translated(error) from None
        return _plain(value)

    def _translated(self, error: errors.PyMongoError) -> Exception:
        name = self.alias.name
        if isinstance(error, errors.ServerSelectionTimeoutError):
            return Unreachable(f"{name} cannot be reached")
        if isinstance(error, errors.WaitQueueTimeoutError):
            return PoolExhausted(name, self.options["max_conns"], self.options["pool_timeout"])
        if isinstance(error, errors.ConnectionFailure):
            return UpstreamError(f"the connection to {name} was lost")
        code = getattr(error, "code", None)
        if code in _REFUSALS:
            return Unreachable(f"{name} refuses the user or the password")
        if isinstance(error, errors.DuplicateKeyError):
            made = DataConflict(f"{name}: a value that must be unique is there already")
            made.kind = "unique"
            return made
        # Its text may cite the document.
        return DatabaseError(f"{name}: {type(error).__name__}" + (f" ({code})" if code else ""))

    async def close(self) -> None:
        await self._client.close()


def _what(error: Exception) -> str:
    if isinstance(error, OverflowError):
        return "an integer of more than 64 bits"
    return "a text that is no UTF-8"


_REFUSALS = frozenset({13, 18})
"""Codes of MongoDB: Unauthorized, AuthenticationFailed."""


def _plain(value: Any) -> Any:
    """A result of pymongo as data: identities, or a number of documents."""
    if isinstance(value, results.InsertOneResult):
        return value.inserted_id
    if isinstance(value, results.InsertManyResult):
        return value.inserted_ids
    if isinstance(value, results.UpdateResult):
        return value.modified_count if value.upserted_id is None else 1
    if isinstance(value, results.DeleteResult):
        return value.deleted_count
    return value
