"""SQL statements: sqlphile's builder, with every value bound as a parameter.

Where sqlphile would print a value, a token stands in the text: a number between two NULs, which no
statement can have otherwise. When a statement is compiled the tokens become the placeholders of
the database, and their values the list of parameters.
"""

from __future__ import annotations

import datetime
import decimal
import itertools
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import index
from typing import TYPE_CHECKING, Any

from sqlphile.d import D
from sqlphile.dbtypes import DB_PGSQL
from sqlphile.f import F
from sqlphile.q import _Q, OPS, V
from sqlphile.sql import SQL, SQLComposer, SQLTemplateRenderer

from atila_tasks.databases.sql.conditions import Conditions, check_name

if TYPE_CHECKING:
    from typing import Self

_numbers = itertools.count(1)
_TOKEN = re.compile("\0(\\d+)\0")

_CASTS: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "bigint"),
    (float, "float8"),
    (decimal.Decimal, "numeric"),
    (str, "text"),
    (bytes, "bytea"),
    (datetime.datetime, "timestamp"),
    (datetime.date, "date"),
    (datetime.time, "time"),
    (datetime.timedelta, "interval"),
    (uuid.UUID, "uuid"),
    (dict, "jsonb"),
)
"""Types of PostgreSQL for values that no column gives a type."""


@dataclass(slots=True)
class Query:
    """A statement as a database takes it.

    Attributes:
        sql: its text, with the placeholders of the database.
        params: its values.
    """

    sql: str
    params: Sequence[Any] = field(default=(), repr=False)


@dataclass(slots=True)
class Script:
    """Several statements that are carried out in one transaction; the last one gives the data."""

    queries: Sequence[Query]


class Bound:
    """Added to sqlphile's statements: values are kept, never printed."""

    _engine: str
    _feed: dict[str, Any]
    _data: dict[str, Any]
    _conn: Any
    _statements: list[Any]

    def _setup(self) -> None:
        self._values: dict[int, Any] = {}
        self._in_transaction = False
        self._conditions = Conditions(
            self._engine,
            self._operand,
            lambda name: self._resolve_field(name, True),  # type: ignore[attr-defined]
            self._resolve_haystack,  # type: ignore[attr-defined]
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} with {len(self._values)} values>"

    # Values -------------------------------------------------------------------------------------

    def _operand(self, value: Any, *, typed: bool = False) -> str:
        """The text for a value: a token, or the text of a statement or an F in parentheses.

        Args:
            value: the value to compare, set or feed.
            typed: give its type, where PostgreSQL cannot infer it from a column.
        """
        if isinstance(value, F):
            return str(value)
        if isinstance(value, SQL):
            return f"({self._adopt(value)})"
        if isinstance(value, _Q):
            value = value.v
        number = next(_numbers)
        self._values[number] = value
        token = f"\0{number}\0"
        return f"CAST({token} AS {_type_of(value)})" if typed and self._is_postgresql else token

    @property
    def _is_postgresql(self) -> bool:
        return bool(self._engine == DB_PGSQL)

    def _adopt(self, other: SQL) -> str:
        """The text of a statement within this one, which takes over its values."""
        text: str = other.as_sql()
        if not isinstance(other, Bound):
            raise TypeError(
                "a statement within a statement must be made by was.db, not by sqlphile, which"
                " prints values into it"
            )
        self._values.update(other._values)
        return text

    def _bound(self, data: D, *, typed: bool = False) -> D:
        if data._encoded:
            raise TypeError("this D was encoded by sqlphile, which prints values into the text")
        values = {check_name(k): F(self._operand(v, typed=typed)) for k, v in data._feed.items()}
        return D(**values)

    def _columns(self, data: dict[str, Any]) -> dict[str, Any]:
        """Columns by their names with the values to set."""
        columns: dict[str, Any] = {}
        for name, value in data.items():
            name = check_name(self._resolve_field(name))  # type: ignore[attr-defined]
            columns[name] = self._bound(value) if isinstance(value, D) else self._operand(value)
        return columns

    # What sqlphile would print ------------------------------------------------------------------

    def filter(self, *Qs: Any, **filters: Any) -> Self:
        """Take only rows for which all of this holds; see `Q`. None says nothing."""
        for text in self._texts(Qs, filters):
            self._filters.append(text)  # type: ignore[attr-defined]
        return self

    def exclude(self, *Qs: Any, **filters: Any) -> Self:
        """Leave out rows for which all of this holds."""
        if texts := self._texts(Qs, filters):
            self._filters.append(f"NOT ({' AND '.join(texts)})")  # type: ignore[attr-defined]
        return self

    def _texts(self, Qs: Sequence[Any], filters: dict[str, Any]) -> list[str]:
        texts = [self._conditions.write(q) for q in Qs if q]
        texts += [self._conditions.compare(k, v) for k, v in filters.items() if v is not None]
        return [text for text in texts if text]

    def set(self, values: dict[str, Any] | None = None, /, **karg: Any) -> Self:
        """The columns to insert or update, by their names; a D adds several under a prefix."""
        model, is_new = self._model, not self._check_filter  # type: ignore[attr-defined]
        if self._data and model and is_new:
            raise ValueError("the data of a model are validated as a whole: call set() once")
        data = {**(values or {}), **karg}
        if model:
            try:
                data = model.validate(data, is_new)
            except NotImplementedError:
                pass
        for name, value in self._columns(data).items():
            if isinstance(value, D):
                self._feed[name] = value.encode(self._engine)
            else:
                self._data[name] = value
        return self

    data = set

    def upflict(self, field_name: str, /, **data: Any) -> Self:
        """Update instead, or do nothing, where a row of that unique column is there already."""
        if not self._template.startswith("INSERT INTO "):  # type: ignore[attr-defined]
            raise ValueError("upflict() is for insert()")
        pairs = ", ".join(f"{name} = {value}" for name, value in self._columns(data).items())
        action = f"UPDATE SET {pairs}" if pairs else "NOTHING"
        self._conflict = f"ON CONFLICT ({field_name}) DO {action}"
        return self

    def with_(self, alias: Any, sql: Any = None) -> Self:
        """A statement, or a D, that the others may refer to by its alias."""
        if sql is None:
            self._with_count += 1  # type: ignore[attr-defined]
            alias, sql = f"cte_{self._with_count}", alias  # type: ignore[attr-defined]
        if isinstance(sql, D):
            data = self._bound(sql, typed=True).encode(self._engine)
            text = f"{alias} ({data.columns}) AS (values ({data.values}))"
        else:
            text = f"{alias} AS ({self._adopt(sql) if isinstance(sql, SQL) else sql})"
        self._cte.append(text)  # type: ignore[attr-defined]
        return self

    def const(self, var: str, val: Any) -> Self:
        """A value that others may refer to by `sqlphile.const(var)`."""
        text = f"{var} AS (values ({self._operand(val, typed=True)}))"
        self._cte.append(text)  # type: ignore[attr-defined]
        return self

    def feed(self, **karg: Any) -> Self:
        """Parts of a template by their names: text as it is, values as `V(…)`, conditions as Q."""
        for name, value in karg.items():
            if isinstance(value, D):
                self._feed[name] = self._bound(value).encode(self._engine)
            elif isinstance(value, V):
                self._feed[name] = self._fed(value)
            elif isinstance(value, _Q):
                self._feed[name] = self._conditions.write(value) or "1 = 1"
            elif name == "select":
                self._feed[name] = [value] if isinstance(value, str) else value
            else:
                self._feed[name] = self._adopt(value) if isinstance(value, SQL) else str(value)
        return self

    def _fed(self, value: V) -> str:
        if value.v is None:
            return "NULL"
        # What follows the operator: V(__in=[1, 2]) is "(1, 2)".
        text = self._conditions.compare(f"x{value.k}", value.v)
        operator = value.k.rpartition("__")[2]
        return text.removeprefix(f"x {OPS.get(operator, '=')} ")

    def limit(self, val: Any) -> Self:
        """At most so many rows; of 0 the database is not even asked."""
        number = _whole(val, "limit")
        self._explicit_empty = number == 0
        self._limit: Any = f"LIMIT {number}"
        return self

    def offset(self, val: Any) -> Self:
        """All but the first so many rows."""
        self._offset: Any = f"OFFSET {_whole(val, 'offset')}"
        return self

    def tran(self) -> Self:
        """Carry out the appended statements in one transaction with this one, as always."""
        self._in_transaction = True
        return self

    def maybe_union(self, current: str) -> str:
        """The text with those of other statements that are joined to it."""
        if self._is_postgresql:
            text: str = super().maybe_union(current)  # type: ignore[misc]
            return text
        # SQLite takes no parentheses around them.
        others = [f"{kind}\n{other}" for other, kind in self._unionables]  # type: ignore[attr-defined]
        return "\n".join((current, *others))

    # Rendering ----------------------------------------------------------------------------------

    def as_sql(self) -> str:
        """The text with its tokens; for the text that the database gets see `compile`."""
        select = self._feed.get("select")
        appended, self._statements = self._statements, []
        try:
            text: str = super().as_sql()  # type: ignore[misc]
        finally:
            # sqlphile leaves its own text there, to which nothing can be added any more.
            if select is not None:
                self._feed["select"] = select
            self._statements = appended
        for other, _ in self._unionables:  # type: ignore[attr-defined]
            self._adopt(other)
        return text

    def clone(self, conn: Any = None) -> Self:
        """A copy, so that later additions to one do not show in the other."""
        new: Any = super().clone(conn)  # type: ignore[misc]
        new._values = dict(self._values)
        new._in_transaction = self._in_transaction
        for name in ("_joins", "_unionables", "_statements"):
            setattr(new, name, list(getattr(self, name, ())))
        new._talias, new._fk = dict(self._talias), dict(self._fk)  # type: ignore[attr-defined]
        copied: Self = new
        return copied

    branch = clone

    def compile(self) -> Query | Script:
        """The statement and parameters that are sent to the database."""
        query = to_query(self.as_sql(), self._values, self._engine)
        if not self._statements:
            return query
        queries = [query]
        for each in self._statements:
            other = each.compile()
            queries += other.queries if isinstance(other, Script) else [other]
        return Script(queries)

    @property
    def is_empty(self) -> bool:
        """Whether it asks for no rows at all."""
        return bool(self._explicit_empty)

    def execute(self) -> Any:
        """Carry it out.

        Returns:
            A task: its data are the rows, as a list.

        Raises:
            ValueError: it would change all rows of a table, without `.all()`.
        """
        if self._check_filter and not self._filters:  # type: ignore[attr-defined]
            raise ValueError("this changes all rows of the table; write .all() if it is to")
        return self._conn.execute(self)

    def cursor(self, size: int = 1000) -> Any:
        """Carry it out, and take the rows in pieces; see `Session.cursor`."""
        return self._conn.cursor(self, size=size)


class Statement(Bound, SQLComposer):  # type: ignore[misc]  # sqlphile has no types
    """A statement that `db.select`, `db.insert`, `db.update`, `db.delete` or `db.with_` begins."""

    def __init__(self, template: Any, engine: str, conn: Any, check_filter: bool = False) -> None:
        SQLComposer.__init__(self, template, engine, conn, check_filter)
        self._setup()

    def is_model(self, model: Any, alias: str | None, set_model: bool = True) -> Any:
        if isinstance(model, Bound):
            self._adopt(model)
        return super().is_model(model, alias, set_model)

    def _join(self, jtype: str, obj: Any, alias: Any, on: Any, *Qs: Any, **filters: Any) -> Any:
        if isinstance(alias, _Q):
            on, alias, Qs = alias, "", ((on,) if on is not None else ()) + Qs
        texts = [self._conditions.write(q) for q in (on, *Qs) if q]
        texts += self._texts((), filters)
        if isinstance(obj, SQL):
            self._adopt(obj)
        joined = " AND ".join(filter(None, texts)) or None
        return super()._join(jtype, obj, alias, joined)


class Template(Bound, SQLTemplateRenderer):  # type: ignore[misc]  # sqlphile has no types
    """A statement of one's own text, `db.template(text)`, with places in it that are fed."""

    def __init__(self, template: Any, engine: str, conn: Any, check_filter: bool = False) -> None:
        SQLTemplateRenderer.__init__(self, template, engine, conn, check_filter)
        self._joins: list[str] = []
        self._setup()


class Builder:
    """Begins statements.

    Args:
        engine: sqlphile's name of the database.
    """

    _engine: str

    def select(self, table: Any, alias: str | None = None) -> Statement:
        """SELECT of a table, or of a statement that has an alias."""
        return self.sql().select(table, alias)  # type: ignore[no-any-return]

    def insert(self, table: Any, alias: str | None = None) -> Statement:
        """INSERT into a table."""
        return self.sql().insert(table, alias)  # type: ignore[no-any-return]

    def update(self, table: Any, alias: str | None = None) -> Statement:
        """UPDATE of a table."""
        return self.sql().update(table, alias)  # type: ignore[no-any-return]

    def delete(self, table: Any, alias: str | None = None) -> Statement:
        """DELETE from a table."""
        return self.sql().delete(table, alias)  # type: ignore[no-any-return]

    def with_(self, alias: Any, statement: Any = None) -> Statement:
        """Begin with a statement that the one to come may refer to by its alias."""
        return self.sql().with_(alias, statement)

    def sql(self) -> Statement:
        """An empty statement."""
        return Statement(None, self._engine, self)

    def template(self, template: str) -> Template:
        """A statement of one's own text; see sqlphile's "Using Template"."""
        return Template(template, self._engine, self)

    from_string = template


def to_query(text: str, values: dict[int, Any], engine: str) -> Query:
    """The statement and parameters of a text with tokens.

    Raises:
        ValueError: there is a NUL in the text itself.
    """
    params: list[Any] = []
    if "\0" not in text:
        return Query(text, params)
    places: dict[str, str] = {}
    is_postgresql = engine == DB_PGSQL

    def place(match: re.Match[str]) -> str:
        number = match[1]
        placeholder = places.get(number)
        if int(number) not in values:
            raise ValueError("there is a NUL in the text of a statement")
        if placeholder is None or not is_postgresql:
            params.append(values[int(number)])
            placeholder = places[number] = f"${len(params)}" if is_postgresql else "?"
        return placeholder

    sql = _TOKEN.sub(place, text)
    if "\0" in sql:
        raise ValueError("there is a NUL in the text of a statement")
    return Query(sql, params)


def _type_of(value: Any) -> str:
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return "timestamptz"
    if isinstance(value, list | tuple):
        return f"{_type_of(value[0])}[]" if value else "text[]"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "numeric"
    return next((name for kind, name in _CASTS if isinstance(value, kind)), "text")


def _whole(value: Any, name: str) -> int:
    try:
        number = int(value) if isinstance(value, str) else index(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} takes a whole number, not {type(value).__name__}") from None
    if number < 0:
        raise ValueError(f"{name} takes no number below 0")
    return number


__all__ = ["Builder", "F", "Query", "Script", "Statement", "Template"]
