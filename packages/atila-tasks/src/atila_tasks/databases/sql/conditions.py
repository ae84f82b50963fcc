"""Conditions of SQL statements, as sqlphile writes them: `filter(name__contains="x")`, `Q(a=1)`.

sqlphile prints values into the statement as soon as it joins two conditions. Here a condition stays
a tree until a statement takes it, and its values are bound, each in place of a token.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any

import sqlphile
import sqlphile.q
from sqlphile.dbtypes import DB_PGSQL
from sqlphile.f import F
from sqlphile.q import _Q, OPS

Bind = Callable[[Any], str]
"""Keeps a value for a statement and gives the text that stands for it there."""

_NAME = re.compile(r'(?:[\w.$]|"[^"\0]*")+')
_PATH_NAME = re.compile(r"\w+")

_PATTERNS = {
    "contains": "%{}%",
    "ncontains": "%{}%",
    "notcontain": "%{}%",
    "icontains": "%{}%",
    "startswith": "{}%",
    "nstartswith": "{}%",
    "notstartwith": "{}%",
    "istartswith": "{}%",
    "endswith": "%{}",
    "nendswith": "%{}",
    "notendwith": "%{}",
    "iendswith": "%{}",
    "iexact": "{}",
}
"""Operators that compare with LIKE: the wildcards around the value, whose own are escaped."""

_PARTS = {"iso_year": "ISOYEAR", "week_day": "DOW", "iso_week_day": "ISODOW", "day_of_year": "DOY"}
"""Parts of a date that PostgreSQL calls by another name."""

_SQLITE_PARTS = {
    "year": "%Y",
    "month": "%m",
    "day": "%d",
    "hour": "%H",
    "minute": "%M",
    "second": "%S",
    "week_day": "%w",
    "day_of_year": "%j",
}
"""Parts of a date as SQLite's strftime has them."""


class Clause(_Q):  # type: ignore[misc]  # sqlphile has no types
    """The result of `Q(…)`: a condition, or several joined by `|` and `&` or negated by `~`.

    sqlphile takes it in its own statements, too.

    Args:
        args: text of a condition.
        kargs: one column, with an operator or without, and the value to compare with.
    """

    def __init__(self, *args: Any, **kargs: Any) -> None:
        self.k, self.v = "", None
        self.parts: tuple[str, tuple[_Q, ...]] | None = None
        super().__init__(*args, **kargs)

    @classmethod
    def joined(cls, operator: str, clauses: Iterable[_Q]) -> Clause:
        """Several conditions as one.

        Args:
            operator: "AND" or "OR".
            clauses: the conditions.
        """
        self = cls("")
        self.parts = (operator, tuple(clauses))
        return self

    def _joinwith(self, operator: str, other: Any) -> Any:
        if isinstance(other, str):
            other = Clause(other)
        if self and other:
            return Clause.joined(operator, (self, other))
        return self if self else other

    def __invert__(self) -> Clause:
        turned = copy(self)
        turned._exclude = not self._exclude
        return turned

    def __len__(self) -> int:
        return 1 if self.parts or self._clause or self.v is not None else 0

    def render(
        self, engine: str = DB_PGSQL, field_resolver: Any = None, haystack_resolver: Any = None
    ) -> str:
        """The text with its values printed, as sqlphile's own statements have it."""
        if self.parts is None:
            text: str = super().render(engine, field_resolver, haystack_resolver)
            return text
        operator, clauses = self.parts
        texts = [clause.render(engine, field_resolver, haystack_resolver) for clause in clauses]
        text = f"({f' {operator} '.join(filter(None, texts))})"
        return f"NOT ({text})" if self._exclude else text

    def __str__(self) -> str:
        return copy(self).render() if self._clause is None else self.render()

    def __repr__(self) -> str:
        # Without the values, which may be anybody's secret.
        return f"<Q of {self.k or 'several'}>" if self.k or self.parts else "<Q of text>"


def make_q(args: tuple[Any, ...], kargs: Mapping[str, Any]) -> Clause:
    """The result of `Q(*args, **kargs)`: all conditions joined by AND."""
    clauses = [text if isinstance(text, _Q) else Clause(text) for text in args if text is not None]
    clauses += [Clause(**{name: value}) for name, value in kargs.items()]
    if len(clauses) == 1:
        only: Clause = clauses[0]
        return only
    clauses = [clause for clause in clauses if clause]
    return Clause.joined("AND", clauses) if clauses else Clause("")


def Q(*args: Any, **kargs: Any) -> Clause:
    """A condition, to be joined with others: `Q(a=1) | Q(b__gt=2)`.

    The same as `sqlphile.Q` is, once this module is imported.

    Args:
        args: text of conditions.
        kargs: columns, with an operator or without, and the values they are compared with.
    """
    return make_q(args, kargs)


def _forward(*args: Any, **kargs: Any) -> Any:
    return _make_q(args, kargs)  # type: ignore[name-defined]  # noqa: F821 - in its module


# Whoever has imported sqlphile's Q before has the function itself, hence its code is replaced: its
# own prints the values of Q(a=1, b=2) at once, and those of Q(a=1) | Q(b=2).
sqlphile.q._make_q = make_q
sqlphile.q.Q.__code__ = _forward.__code__


class Conditions:
    """Writes conditions for one statement.

    Args:
        engine: sqlphile's name of the database.
        bind: keeps a value, or the statement that stands in place of one.
        column: gives the name of a column, by its name in a condition.
        text: converts the text of a condition.
    """

    def __init__(
        self, engine: str, bind: Bind, column: Callable[[str], str], text: Callable[[str], str]
    ) -> None:
        self._is_postgresql = engine == DB_PGSQL
        self._bind = bind
        self._column = column
        self._text = text

    def write(self, clause: Any) -> str:
        """The text of a condition; "" for one that says nothing, such as `Q(name=None)`.

        Raises:
            TypeError: it was joined by sqlphile itself, which has printed values into it; or a
                value does not fit its operator.
        """
        if isinstance(clause, str):
            return clause
        parts = getattr(clause, "parts", None)
        if parts is not None:
            texts = [text for text in map(self.write, parts[1]) if text]
            text = f"({f' {parts[0]} '.join(texts)})" if texts else ""
        elif getattr(clause, "k", ""):
            text = "" if clause.v is None else self.compare(clause.k, clause.v)
        elif isinstance(clause, Clause):
            text = self._text(clause._clause) if clause._clause else ""
        else:
            raise TypeError(
                "this Q was joined before atila_tasks was imported, so its values are printed into"
                " it; write `from atila_tasks import Q` at the top of the file"
            )
        return f"NOT ({text})" if text and clause._exclude else text

    def compare(self, name: str, value: Any) -> str:
        """The text that compares a column with a value.

        Args:
            name: the column, and the operator if it is not "eq": "t1__age__gte".
            value: a value, a statement or an `F`.

        Raises:
            TypeError: the value does not fit the operator.
            ValueError: the column is no name.
        """
        column, operator = self._parse(self._column(name), value)
        if operator in _PATTERNS:
            return self._match(column, operator, value)
        special = getattr(self, f"_{operator}", None)
        if special is not None:
            text: str = special(column, operator, value)
            return text
        if OPS[operator] == "date_part":
            return f"{self._date_part(column, operator)} = {self._bind(value)}"
        return f"{column} {OPS[operator]} {self._bind(value)}"

    def _parse(self, name: str, value: Any) -> tuple[str, str]:
        """Column and operator of a name such as "t1__age__gte" or "data___city__neq"."""
        base, *path = name.split("___")
        steps, tail = "", ""
        for number, each in enumerate(path, 1):
            key, *rest = each.split("__")
            _check(key, _PATH_NAME, name)
            arrow = ">>" if number == len(path) else ">"
            if rest and rest[0].isdigit():
                steps += f" #{arrow} '{{{key}, {int(rest[0])}}}'"
                rest = rest[1:]
            else:
                steps += f" -{arrow} '{key}'"
            tail = "__".join(rest)
        if path and not self._is_postgresql:
            raise TypeError(f"{name!r} looks into JSON, which is for PostgreSQL only")
        words = (f"{base}__{tail}" if tail else base).split("__")
        operator = words.pop() if len(words) > 1 and words[-1] in OPS else "eq"
        column = ".".join(words)
        if column:
            _check(column, _NAME, name)
        if steps:
            column = _cast(column + steps, value)
        return column, operator

    def _match(self, column: str, operator: str, value: Any) -> str:
        symbol = OPS[operator]
        escape = ""
        if not self._is_postgresql:
            # Its LIKE takes no heed of the case of ASCII letters, and has no escape by itself.
            symbol, escape = symbol.replace("ILIKE", "LIKE"), r" ESCAPE '\'"
        before, after = _PATTERNS[operator].split("{}")
        if isinstance(value, F):
            text = " || ".join(filter(None, (before and "'%'", str(value), after and "'%'")))
            return f"{column} {symbol} {text}"
        if not isinstance(value, str):
            raise TypeError(f"{operator} takes a text, not {type(value).__name__}")
        escaped = value.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        return f"{column} {symbol} {self._bind(before + escaped + after)}{escape}"

    def _in(self, column: str, operator: str, value: Any) -> str:
        symbol = OPS[operator]
        if isinstance(value, F):
            return f"{column} {symbol} ({value})"
        if hasattr(value, "as_sql"):
            return f"{column} {symbol} {self._bind(value)}"
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            raise TypeError(
                f"{operator} takes a list, a statement or an F, not {type(value).__name__}"
            )
        values = ",".join(self._bind(each) for each in value)
        if not values:
            return "1 = 0" if operator == "in" else "1 = 1"
        return f"{column} {symbol} ({values})"

    _notin = _in

    def _between(self, column: str, operator: str, value: Any) -> str:
        low, high = value
        return f"{column} BETWEEN {self._bind(low)} AND {self._bind(high)}"

    _range = _between

    def _isnull(self, column: str, operator: str, value: Any) -> str:
        return f"{column} IS {'NULL' if value else 'NOT NULL'}"

    def _exists(self, column: str, operator: str, value: Any) -> str:
        if not (hasattr(value, "as_sql") or isinstance(value, F)):
            raise TypeError(f"{operator} takes a statement, not {type(value).__name__}")
        text = self._bind(value) if hasattr(value, "as_sql") else f"({value})"
        return f"{OPS[operator]} {text}"

    _nexists = _notexist = _exists

    def _all(self, column: str, operator: str, value: Any) -> str:
        return "1 = 1" if value else "1 = 0"

    def _haskey(self, column: str, operator: str, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"haskey takes a text, not {type(value).__name__}")
        return f"{column} ? {self._bind(value)}"

    def _haskeyin(self, column: str, operator: str, value: Any) -> str:
        if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise TypeError("haskeyin takes a list of texts")
        return f"{column} ?| {self._bind(list(value))}"

    def _date(self, column: str, operator: str, value: Any) -> str:
        if isinstance(value, datetime.datetime):
            value = value.date()
        kind = f"CAST({column} AS date)" if self._is_postgresql else f"date({column})"
        return f"{kind} = {self._bind(value)}"

    def _time(self, column: str, operator: str, value: Any) -> str:
        if isinstance(value, datetime.datetime):
            value = value.time()
        kind = f"CAST({column} AS time)" if self._is_postgresql else f"time({column})"
        return f"{kind} = {self._bind(value)}"

    def _date_part(self, column: str, operator: str) -> str:
        if self._is_postgresql:
            return f"DATE_PART('{_PARTS.get(operator, operator.upper())}', {column})"
        if operator not in _SQLITE_PARTS:
            raise TypeError(f"{operator} is for PostgreSQL only")
        return f"CAST(strftime('{_SQLITE_PARTS[operator]}', {column}) AS INTEGER)"


def check_name(name: str) -> str:
    """A name of a column that is safe in a statement: letters, digits, "_", "$" and dots, or
    quoted.

    Raises:
        ValueError: it is no name.
    """
    _check(name, _NAME, name)
    return name


def _check(part: str, form: re.Pattern[str], name: str) -> None:
    if not form.fullmatch(part):
        raise ValueError(f"{name!r} is no name of a column")


def _cast(column: str, value: Any) -> str:
    """A member of JSON, which is a text, in the type of the value to compare with."""
    for kind, name in ((bool, "boolean"), (int, "bigint"), (float, "float")):
        if isinstance(value, kind):
            return f"CAST({column} AS {name})"
    return column
