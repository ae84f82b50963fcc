"""Rows of SQL databases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Row(dict[str, Any]):
    """A row: its columns by key and by attribute, in the order of the statement.

    Attributes may be set as well. A column with the name of a method of dict, such as "items" or
    "values", is read by key only.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"the row has no column {name!r}, only {', '.join(self) or 'none'}"
            ) from None

    __setattr__ = dict.__setitem__
    __delattr__ = dict.__delitem__

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __copy__(self) -> Row:
        return Row(self)

    copy = __copy__

    def __reduce__(self) -> tuple[Any, ...]:
        return Row, (dict(self),)


class Rows(list[Row]):
    """The result of a statement: a list of its rows, which is empty if it gives none.

    Attributes:
        rowcount: the number of rows that it gave, inserted, updated or deleted (PEP 249); -1 for a
            statement of another kind, such as CREATE TABLE.
    """

    __slots__ = ("rowcount",)

    def __init__(self, rows: Iterable[Row] = (), rowcount: int = -1) -> None:
        super().__init__(rows)
        self.rowcount = rowcount

    def __reduce__(self) -> tuple[Any, ...]:
        return Rows, (list(self), self.rowcount)
