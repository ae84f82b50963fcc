"""`was.Tasks`: several tasks waited for as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from atila_tasks.core.selectors import ALL, Pick, picks_of
from atila_tasks.core.waitable import Waitable

if TYPE_CHECKING:
    from atila import Was


class Tasks(Waitable):
    """Several tasks, and groups of tasks, that are waited for together.

    Given by position they make a list: `was.Tasks(a, b)` or `was.Tasks([a, b])`. Given by name they
    make a dict: `was.Tasks(a=a, b=b)` or `was.Tasks({"a": a, "b": b})`; tasks by position beside
    them are waited for, and their errors are raised, but they are not in the dict. A list or dict
    among them is a group of its own. A name may select a part of the data, see `selectors`:
    `was.Tasks(count__one__cnt=task)`.

    Args:
        was: the request.
        members: tasks by position.
        named: tasks by name.

    Raises:
        TypeError: a member is no task.
        ValueError: two names select the same key.
    """

    __slots__ = ("_listed", "_named", "_picks")

    def __init__(self, was: Was, /, *members: Any, **named: Any) -> None:
        super().__init__(was)
        if len(members) == 1:
            # A group given as a whole, as in was.Tasks([a, b]).
            (only,) = members
            if isinstance(only, list | tuple):
                members = tuple(only)
            elif isinstance(only, dict):
                members, named = (), {**only, **named}
        self._listed = [_member(was, value) for value in members]
        self._picks = {pick.name: pick for pick in picks_of(named)}
        self._named = {
            name: _member(was, named[pick.spelling]) for name, pick in self._picks.items()
        }

    def __repr__(self) -> str:
        waiting = sum(not member.done for member in self)
        return f"<Tasks: {len(self)}, {waiting} of them not finished>"

    def __len__(self) -> int:
        return len(self._listed) + len(self._named)

    def __iter__(self) -> Iterator[Waitable]:
        """Those by position, then those by name."""
        yield from self._listed
        yield from self._named.values()

    def __getitem__(self, key: int | str) -> Waitable:
        """A member by its position or its name."""
        return self._named[key] if isinstance(key, str) else self._listed[key]

    @property
    def done(self) -> bool:
        return all(member.done for member in self)

    def cancel(self) -> None:
        for member in self:
            member.cancel()

    def fetch(self) -> Any:
        """Wait for the data of all: a list, or a dict by name.

        Raises:
            Exception: the error of the first task that has failed; `dispatch` has the results of
                the others.
        """
        return self._collect(Pick.fetch, _commit)

    def one(self) -> Any:
        """Wait for the data of all, each of which must be a single element; see `fetch`.

        Raises:
            HTTPError: 410 if one has no element, 409 if one has more than one.
        """
        return self._collect(Pick.one, _commit)

    def commit(self) -> None:
        self.fetch()

    def dispatch(self) -> Any:
        """Wait for the outcome of all: a list of `Result`, or a dict by name."""
        return self._collect(Pick.dispatch, lambda member: None)

    def _collect(
        self, take: Callable[[Pick, Waitable], Any], leave_out: Callable[[Waitable], object]
    ) -> Any:
        """Wait for all, then make the result of their data."""
        self.wait()
        if not self._named:
            return [take(ALL, member) for member in self._listed]
        for member in self._listed:
            leave_out(member)
        return {name: take(self._picks[name], member) for name, member in self._named.items()}

    def _block(self) -> None:
        for member in self:
            member.wait()

    async def _arrive(self) -> None:
        # All are under way, so one after the other takes no longer than the slowest.
        for member in self:
            _ = await member


def tasks(was: Was, /, *members: Any, **named: Any) -> Tasks:
    """Several tasks waited for as one: `was.Tasks(a, b)` or `was.Tasks(a=a, b=b)`; see `Tasks`.

    Args:
        was: the request.
        members: tasks by position; a single list or dict of them is taken as a whole.
        named: tasks by name.

    Raises:
        TypeError: a member is no task.
        ValueError: two names name the same.
    """
    return Tasks(was, *members, **named)


def _commit(member: Waitable) -> None:
    # Of a member that stays out of a dict the error at least must not pass unseen.
    member.commit()


def _member(was: Was, value: Any) -> Waitable:
    if isinstance(value, Waitable):
        return value
    if isinstance(value, list | tuple | dict):
        return Tasks(was, value)
    raise TypeError(
        f"was.Tasks takes tasks, not {type(value).__name__}: write was.Mask(value) for a value,"
        " and do not forget the execute() of a statement"
    )
