"""How a request gets to the members of an alias: `was.db(…)`, `was.db.lb(…)`, `was.db.map(…)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila_tasks.aliases import resolve
from atila_tasks.calls import DEFAULT_TIMEOUT, call
from atila_tasks.group import Tasks
from atila_tasks.interfaces import Start, find
from atila_tasks.members import seats_of

if TYPE_CHECKING:
    from typing import Self

    from atila import Was
    from atila_tasks.aliases import Alias


def one(was: Was, alias: Alias, request: Any, **options: Any) -> Any:
    """A task that carries out a request at one member, whichever is in turn."""
    return call(was, lambda: seats_of(was.site, alias).perform(request), **options)


def balanced(was: Was, alias: Alias, request: Any, **options: Any) -> Any:
    """A task that carries out a request at one member, or the next if that cannot be reached."""
    return call(was, lambda: seats_of(was.site, alias).balance(request), **options)


def mapped(was: Was, alias: Alias, request: Any, **options: Any) -> Any:
    """Tasks that carry out a request at all members, in their order."""
    tasks = []
    for number in range(len(alias.members)):
        # The seats are made on the loop, so they are looked for there.
        def at_member(number: int = number) -> Any:
            return seats_of(was.site, alias).all[number].perform(request)

        tasks.append(call(was, at_member, **options))
    return Tasks(was, *tasks)


class Access:
    """What begins with `was.db` or the like.

    Args:
        was: the request.
        way: `one`, `balanced` or `mapped`.
    """

    def __init__(self, was: Was, way: Callable[..., Any] = one) -> None:
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

    def start_at(self, alias: Alias, **options: Any) -> Start:
        """What makes tasks at the members of an alias.

        Args:
            alias: which.
            options: of the tasks: timeout, filter, meta.
        """
        return lambda request: self._way(self._was, alias, request, **options)


class Database(Access):
    """`was.db`."""

    def __call__(
        self,
        name: str,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        filter: Callable[[Any], Any] | None = None,
        meta: dict[str, Any] | None = None,
    ) -> Any:
        """Talk to a database.

        Args:
            name: its alias: "@mypg".
            timeout: seconds that each task has; None for no limit.
            filter: called with what a task gives, on the task loop, to give the data.
            meta: whatever shall be found in the tasks later.

        Returns:
            What its interface has for it; a context manager, too.

        Raises:
            LookupError: there is no such alias.
        """
        alias = resolve(self._was, name)
        start = self.start_at(alias, timeout=timeout, filter=filter, meta=meta)
        return find(alias.kind, alias.name).session(start)
