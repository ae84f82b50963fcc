"""Starts requests to the members of an alias: `was.db(…)`, `was.db.lb(…)`, `was.db.map(…)`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from atila_tasks.core.group import Tasks
from atila_tasks.databases.query_cache import CacheUse
from atila_tasks.upstream.aliases import resolve
from atila_tasks.upstream.balancing import seats_of
from atila_tasks.upstream.calls import DEFAULT_TIMEOUT, call
from atila_tasks.upstream.interfaces import find

if TYPE_CHECKING:
    from typing import Self

    from atila import Was
    from atila_tasks.core.task import Task
    from atila_tasks.core.waitable import Waitable
    from atila_tasks.upstream.aliases import Alias


def one(was: Was, alias: Alias, request: Any, **options: Any) -> Task:
    """A task that carries out a request at one member, whichever is in turn."""
    return call(was, partial(_at_one, was, alias, request), **options)


def balanced(was: Was, alias: Alias, request: Any, **options: Any) -> Task:
    """A task that carries out a request at one member, or the next if that cannot be reached."""
    return call(was, partial(_balanced, was, alias, request), **options)


def mapped(was: Was, alias: Alias, request: Any, **options: Any) -> Tasks:
    """Tasks that carry out a request at all members, in their order."""
    count = len(alias.members)
    tasks = [call(was, partial(_at, n, was, alias, request), **options) for n in range(count)]
    return Tasks(was, *tasks)


# The seats are made on the loop, so they are looked for there.


def _at_one(was: Was, alias: Alias, request: Any) -> Coroutine[Any, Any, Any]:
    return seats_of(was.site, alias).perform(request)


def _balanced(was: Was, alias: Alias, request: Any) -> Coroutine[Any, Any, Any]:
    return seats_of(was.site, alias).balance(request)


def _at(number: int, was: Was, alias: Alias, request: Any) -> Coroutine[Any, Any, Any]:
    return seats_of(was.site, alias).all[number].perform(request)


class Starter:
    """Makes tasks of requests to an alias: called with a request, it gives the task.

    Args:
        was: the request that they are for.
        alias: the alias that they go to.
        way: `one`, `balanced` or `mapped`.
        options: the options of the tasks: timeout, filter, meta.
        cache: their use of the cache; None for none.

    Attributes:
        was: the same.
        alias: the same.
        options: the same.
        cache: the same.
    """

    __slots__ = ("_way", "alias", "cache", "options", "was")

    def __init__(
        self,
        was: Was,
        alias: Alias,
        way: Callable[..., Waitable],
        options: dict[str, Any],
        cache: CacheUse | None = None,
    ) -> None:
        self.was = was
        self.alias = alias
        self.options = options
        self.cache = cache
        self._way = way

    def __call__(self, request: Any) -> Any:
        return self._way(self.was, self.alias, request, **self.options)

    @property
    def is_mapped(self) -> bool:
        """Whether each request goes to all members."""
        return self._way is mapped

    async def open(self, request: Any) -> Any:
        """Carry out a request at one member, without a task. On the task loop."""
        upstreams = seats_of(self.was.site, self.alias)
        return await (upstreams.balance if self._way is balanced else upstreams.perform)(request)


class Access:
    """The methods of `was` for other servers: `was.db` and the like.

    Args:
        was: the request.
        way: `one`, `balanced` or `mapped`.
    """

    def __init__(self, was: Was, way: Callable[..., Waitable] = one) -> None:
        self._was = was
        self._way = way

    @property
    def lb(self) -> Self:
        """The same, with requests tried at the next member where one cannot be reached."""
        return type(self)(self._was, balanced)

    @property
    def map(self) -> Self:
        """The same, with requests carried out at all members."""
        return type(self)(self._was, mapped)


NOT_GIVEN: Any = object()


class Database(Access):
    """`was.db`."""

    def __call__(
        self,
        name: str,
        *,
        timeout: float | None = NOT_GIVEN,
        filter: Callable[[Any], Any] | None = None,
        meta: dict[str, Any] | None = None,
        transaction: bool = False,
        use_cache: str | Sequence[str] | None = None,
        rm_cache: str | Sequence[str] | None = None,
        cache: float | None = None,
    ) -> Any:
        """Talk to a database.

        Args:
            name: its alias: "@mypg".
            timeout: seconds that each task has; None for no limit; by default the alias's, or 30.
            filter: called with a task's result, on the task loop, to give the data.
            meta: any data of the caller, kept in the tasks.
            transaction: commit all or nothing; of SQL databases.
            use_cache: names of things that the data depend on: they may be taken from the cache
                until one of these is updated, by `rm_cache` or `was.setlu`.
            rm_cache: names of things that the tasks update.
            cache: seconds that the data may be taken from the cache.

        Returns:
            The session of its interface; a context manager, too.

        Raises:
            LookupError: there is no such alias.
            TypeError: there are no transactions in databases of its kind.
        """
        alias = resolve(self._was, name)
        if timeout is NOT_GIVEN:
            timeout = alias.options.get("timeout", DEFAULT_TIMEOUT)
        uses = None
        if use_cache is not None or rm_cache is not None or cache is not None:
            uses = CacheUse.of(use_cache, rm_cache, cache)
        options = {"timeout": timeout, "filter": filter, "meta": meta}
        start = Starter(self._was, alias, self._way, options, uses)
        interface = find(alias.kind, alias.name)
        if not transaction:
            return interface.session(start)
        if start.is_mapped:
            raise TypeError("a transaction is at one member; leave out .map")
        return interface.transaction(start)
