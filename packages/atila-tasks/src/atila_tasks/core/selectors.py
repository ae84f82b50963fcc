"""Task names that select a part of the task's data.

- `rows` or `rows__fetch`: all of it,
- `count__one`: its single element,
- `count__one__cnt`: the value `cnt` of its single element, by key or by attribute,
- `first__fetch__0`, `name__fetch__0__name`: an element by its position, and a value of that.

A name in which neither `one` nor `fetch` comes after the first two underscores is a name like any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from atila_tasks.core.result import STA_NORMAL, STA_REQFAIL, Result

if TYPE_CHECKING:
    from atila_tasks.core.waitable import Waitable

_WAYS = frozenset({"one", "fetch"})


class Pick:
    """A name, and the part of the data that it selects.

    Args:
        spelling: the name as it was given.

    Attributes:
        name: the key of the data.
    """

    __slots__ = ("_is_one", "_path", "name", "spelling")

    def __init__(self, spelling: str) -> None:
        self.spelling = spelling
        self.name = spelling
        self._is_one = False
        self._path: tuple[str, ...] = ()
        name, *rest = spelling.split("__")
        if name and rest and rest[0] in _WAYS:
            self.name = name
            self._is_one = rest[0] == "one"
            self._path = tuple(rest[1:])

    def fetch(self, member: Waitable) -> Any:
        """The part of a finished task's data.

        Raises:
            LookupError: there is no such part.
            Exception: the task's error; see `Waitable.one`.
        """
        return self._follow(member.one() if self._is_one else member.fetch())

    def one(self, member: Waitable) -> Any:
        """The same, where all are to be single elements anyway."""
        return self._follow(member.fetch() if self._path and not self._is_one else member.one())

    def dispatch(self, member: Waitable) -> Any:
        """The outcome of a finished task, whose data is that part."""
        outcome = member.dispatch()
        if not self._is_one and not self._path:
            return outcome
        if isinstance(outcome, Result) and outcome.status != STA_NORMAL:
            return outcome
        try:
            return Result(STA_NORMAL, self.fetch(member))
        except Exception as error:
            return Result(STA_REQFAIL, None, error)

    def _follow(self, data: Any) -> Any:
        for step in self._path:
            try:
                data = _part(data, step)
            except (LookupError, AttributeError, TypeError):
                kind = type(data).__name__
                raise LookupError(
                    f"{self.spelling!r} asks for {step!r}, which the {kind} there does not have"
                ) from None
        return data


def _part(data: Any, step: str) -> Any:
    if step.isdecimal() and not isinstance(data, Mapping):
        return data[int(step)]
    try:
        return data[step]
    except (LookupError, TypeError):
        if isinstance(data, Mapping):
            raise
        return getattr(data, step)


_pick = lru_cache(1024)(Pick)
"""The same names come with every request."""

ALL = Pick("")
"""The selector of a name without a suffix: all of the data."""


def picks_of(names: Iterable[str]) -> Iterator[Pick]:
    """The selections of names.

    Raises:
        ValueError: two have the same key.
    """
    spellings: dict[str, str] = {}
    for spelling in names:
        pick = _pick(spelling)
        if pick.name in spellings:
            raise ValueError(
                f"{spellings[pick.name]!r} and {spelling!r} both name {pick.name!r}: rename one"
            )
        spellings[pick.name] = spelling
        yield pick
