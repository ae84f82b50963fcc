"""Values of all types that databases have: as they are read, written, and stand in JSON."""

from __future__ import annotations

import copy
import datetime
import ipaddress
import pathlib
import pickle
import uuid
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from atila import Was
from atila.values import json
from atila_tasks import DatabaseError, DataError
from atila_tasks.databases.sql.intervals import Interval

Ask = Callable[[Callable[[Was], Any]], Any]

# What is read -------------------------------------------------------------------------------------

TYPES: dict[tuple[str, str], Any] = {
    # Type and literal of PostgreSQL: what it is in JSON.
    ("uuid", "6e5d6a0a-4a46-4f0f-9b4c-0d4b6a1d2c3e"): "6e5d6a0a-4a46-4f0f-9b4c-0d4b6a1d2c3e",
    ("int8", "9223372036854775807"): 9223372036854775807,
    ("numeric", "123456789012345678901234567890.5"): "123456789012345678901234567890.5",
    ("numeric", "1.10"): "1.10",
    ("numeric", "NaN"): "NaN",
    ("float8", "1.5"): 1.5,
    ("float8", "NaN"): None,
    ("bool", "t"): True,
    ("text", "a"): "a",
    ("bytea", "\\x00ff"): "AP8=",
    ("date", "2026-01-02"): "2026-01-02",
    ("time", "10:00:01.5"): "10:00:01.500000",
    ("timetz", "10:00:01+09"): "10:00:01+09:00",
    ("timestamp", "2026-01-02 03:04:05"): "2026-01-02T03:04:05",
    ("timestamptz", "2026-01-02 03:04:05+00"): "2026-01-02T03:04:05+00:00",
    ("interval", "1 day 90 seconds"): "P1DT90S",
    ("interval", "1 month"): "P1M",
    ("interval", "1 year -2 days 00:00:01.5"): "P12M-2DT1.5S",
    ("interval", "-1 month"): "P-1M",
    ("int4range", "[1,5)"): "[1,5)",
    ("numrange", "(,1.5]"): "(,1.5]",
    ("daterange", "[2026-01-01,2026-02-01)"): "[2026-01-01,2026-02-01)",
    ("tsrange", "[2026-01-01 10:00,)"): "[2026-01-01T10:00:00,)",
    ("int8range", "empty"): "empty",
    ("int4multirange", "{[1,3),[5,7)}"): ["[1,3)", "[5,7)"],
    ("bit(5)", "10110"): "10110",
    ("varbit", "101101"): "101101",
    ("inet", "10.0.0.1"): "10.0.0.1",
    ("inet", "10.0.0.1/8"): "10.0.0.1/8",
    ("cidr", "10.0.0.0/8"): "10.0.0.0/8",
    ("macaddr", "08:00:2b:01:02:03"): "08:00:2b:01:02:03",
    ("point", "(1,2)"): [1.0, 2.0],
    ("box", "(3,4),(1,2)"): [[3.0, 4.0], [1.0, 2.0]],
    ("path", "((1,2),(3,4))"): [[1.0, 2.0], [3.0, 4.0]],
    ("polygon", "((1,2),(3,4))"): [[1.0, 2.0], [3.0, 4.0]],
    ("circle", "<(1,2),3>"): [[1.0, 2.0], 3.0],
    ("jsonb", '{"a": [1, null]}'): {"a": [1, None]},
    ("jsonb", "123456789012345678901234567890"): 123456789012345678901234567890,
    ("jsonb", "[1e400, 1.5]"): [10**400, 1.5],
    ("json", "[1e400, -1e999, 1.5]"): ["1E+400", "-1E+999", 1.5],
    ("json", '{"n": 18446744073709551616}'): {"n": 18446744073709551616},
    ("int4[]", "{1,2}"): [1, 2],
    ("uuid[]", "{6e5d6a0a-4a46-4f0f-9b4c-0d4b6a1d2c3e}"): ["6e5d6a0a-4a46-4f0f-9b4c-0d4b6a1d2c3e"],
    ("interval[]", "{1 month,1 day}"): ["P1M", "P1D"],
    ("tsvector", "'a':1 'b':2"): "'a':1 'b':2",
    ("money", "1.50"): "$1.50",
}


@pytest.mark.parametrize(("kind", "literal"), TYPES)
def test_types_of_postgresql(ask: Ask, kind: str, literal: str) -> None:
    """Read, written as JSON, given back as it was read, and given as a text."""
    expected = TYPES[kind, literal]

    def look(was: Was) -> None:
        db = was.db("@pg")
        quoted = literal.replace("'", "''")
        row = db.execute(f"SELECT '{quoted}'::{kind} AS v").one()
        assert json.loads(json.dumps(row)) == {"v": expected}
        # A list as the only argument would be a list of arguments.
        back = db.execute(f"SELECT $1::{kind} AS v", [row.v]).one()
        assert alike(back.v, row.v)
        if kind not in ("json", "jsonb", "bytea"):
            text = db.execute(f"SELECT $1::{kind} AS v", literal).one()
            assert alike(text.v, row.v)
            if not isinstance(expected, list | float | bool | None):
                # What JSON has is a text for the same value.
                again = db.execute(f"SELECT $1::{kind} AS v", str(expected)).one()
                assert alike(again.v, row.v)
            same = f"SELECT count(*) AS c FROM (SELECT '{quoted}'::{kind} AS v) t"
            if kind not in ("point", "path", "polygon", "box", "circle"):
                assert db.execute(f"{same} WHERE v = $1", [row.v]).one().c == 1

    ask(look)


def alike(one: Any, other: Any) -> bool:
    """Paths of asyncpg tell themselves apart by their addresses only."""
    return type(one) is type(other) and json.dumps(one) == json.dumps(other)


def test_texts_in_lists_and_cursors(ask: Ask) -> None:
    def look(was: Was) -> None:
        db = was.db("@pg")
        row = db.execute("SELECT $1::interval[] AS v", [["1 month", "2 days"]]).one()
        assert [each.isoformat() if hasattr(each, "isoformat") else each for each in row.v] == [
            "P1M",
            datetime.timedelta(days=2),
        ]
        day = datetime.date(2026, 1, 31)
        row = db.execute("SELECT $2::date + $1::interval AS v", "1 month", day).one()
        assert row.v == datetime.datetime(2026, 2, 28)
        (rows,) = db.cursor("SELECT i FROM generate_series(1, 9) i WHERE i < $1", "4")
        assert [row.i for row in rows] == [1, 2, 3]
        row = db.execute("SELECT $1::date AS d, $2::bool AS b", "Jan 2 2026", "on").one()
        assert (row.d, row.b) == (datetime.date(2026, 1, 2), True)

    ask(look)


def test_a_dict_is_a_value(ask: Ask, name: str) -> None:
    def look(was: Was) -> None:
        db = was.db(name)
        db.execute(f"CREATE TABLE documents (v {'jsonb' if name == '@pg' else 'text'})").commit()
        try:
            mark = "$1" if name == "@pg" else "?"
            value = {"name": "Hans", "n": 2**70}
            db.execute(f"INSERT INTO documents VALUES ({mark})", value).commit()
            found = db.execute("SELECT v FROM documents").one().v
            assert (found if name == "@pg" else json.loads(found)) == value
            if name == "@lite":
                row = db.execute("SELECT :a AS a, :b AS b", {"a": 1, "b": "x"}).one()
                assert row == {"a": 1, "b": "x"}
        finally:
            db.execute("DROP TABLE documents").commit()

    ask(look)


def test_numbers_of_numeric(ask: Ask) -> None:
    numbers = [1.1, 0.1, 1e22, 1e-7, 5, 10**30, Decimal("1.10"), -1.5, float("nan")]

    def look(was: Was) -> None:
        for number in numbers:
            row = was.db("@pg").execute("SELECT $1::numeric AS v, ($1::numeric)::text AS t", number)
            assert row.one().v == Decimal(row.one().t) or number != number
            expected = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
            assert row.one().v == expected or number != number
        row = was.db("@pg").execute("SELECT $1::numeric[] AS v", [[1.1, "2.20"]]).one()
        assert row.v == [Decimal("1.1"), Decimal("2.20")]

    ask(look)


# What does not fit --------------------------------------------------------------------------------

UNFIT: list[tuple[str, str, Any]] = [
    ("@pg", "int4", 2**31),
    ("@pg", "int8", 2**63),
    ("@pg", "int8", 10**30),
    ("@pg", "int8", str(10**30)),
    ("@pg", "int4", 1.5),
    ("@pg", "int4", Decimal("2.5")),
    ("@pg", "int4", "abc"),
    ("@pg", "int4[]", [1, 2**40]),
    ("@pg", "float8", 10**400),
    ("@pg", "numeric(3,1)", 12345),
    ("@pg", "date", "2026-02-30"),
    ("@pg", "uuid", "nonsense"),
    ("@pg", "interval", "one moon"),
    ("@pg", "int4range", "[5,1)"),
    ("@pg", "text", "a\0b"),
    ("@pg", "text", "\ud800"),
    ("@pg", "varchar(2)[]", ["a\0b"]),
    ("@pg", "jsonb", {"a": "\0"}),
    ("@pg", "inet", "1.2.3.4.5"),
    ("@pg", "bit(3)", "12"),
    ("@lite", "integer", 2**63),
    ("@lite", "integer", -(2**63) - 1),
    ("@lite", "text", "\ud800"),
]


@pytest.mark.parametrize(("alias", "kind", "value"), UNFIT, ids=lambda value: ascii(value)[:20])
def test_what_does_not_fit(ask: Ask, alias: str, kind: str, value: Any) -> None:
    """Nothing is rounded, cut off or answered with 500; and no text of an error has the value."""

    def look(was: Was) -> None:
        text = f"SELECT $1::{kind} AS v" if alias == "@pg" else "SELECT ? AS v"
        ways = [was.db(alias).execute(text, [value]), was.db(alias).cursor(text, [value]).next()]
        for task in ways:
            error = task.dispatch().error
            if "range" in kind and not isinstance(error, DataError):
                # 22000, which says nothing about whose fault it is.
                assert isinstance(error, DatabaseError)
                continue
            assert isinstance(error, DataError), repr(error)
            assert (error.code, error.kind) == (400, "data")
            assert "1000000" not in f"{error} {error.detail}"
            assert "nonsense" not in f"{error} {error.detail}"
        assert was.db(alias).execute("SELECT 1 AS a").one().a == 1

    ask(look)


def test_what_does_not_fit_in_a_transaction(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        def write() -> None:
            with was.db(name, transaction=True) as db:
                db.insert(table).set(id=1).execute()
                db.insert(table).set(id=2**70).execute()

        with pytest.raises(DatabaseError):
            write()
        assert was.db(name).select(table).execute().fetch() == []

    ask(look)


def test_the_number_of_parameters(ask: Ask) -> None:
    def look(was: Was) -> None:
        for params in ([1.5, 2.5], [1, 2], []):
            error = was.db("@pg").execute("SELECT $1::float8 AS v", params).dispatch().error
            assert type(error) is DatabaseError
            assert "expects 1 argument" in str(error)

    ask(look)


def test_faults_of_the_program_are_no_clients(ask: Ask, name: str) -> None:
    def look(was: Was) -> None:
        for text in ("SELECT 1 / 0 AS a", "SELEC", "SELECT nothing FROM nowhere"):
            error = was.db(name).execute(text).dispatch().error
            # SQLite divides by zero without a word.
            assert (name == "@lite" and "0" in text) or not isinstance(error, DataError)

    ask(look)


def test_long_integers_without_a_column(ask: Ask) -> None:
    def look(was: Was) -> None:
        db = was.db("@pg")
        statement = db.with_("given", db.select("x")).const("big", 2**70)
        assert "numeric" in statement.select("big").as_sql()

    ask(look)


# What Python gives --------------------------------------------------------------------------------


def test_values_of_python_in_sqlite(ask: Ask) -> None:
    values = [
        (uuid.UUID(int=1), str(uuid.UUID(int=1))),
        (Decimal("1.10"), "1.10"),
        (datetime.timedelta(days=1), "P1D"),
        (datetime.time(10, tzinfo=datetime.UTC), "10:00:00+00:00"),
        (datetime.datetime(2026, 1, 2, 3), "2026-01-02 03:00:00"),
        (ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
        (pathlib.Path("/a"), "/a"),
        (deque([1, 2]), "[1,2]"),
        ({"a": 2**70}, f'{{"a":{2**70}}}'),
        (b"\x00", b"\x00"),
        (bytearray(b"\x00"), b"\x00"),
        (2**63 - 1, 2**63 - 1),
    ]

    def look(was: Was) -> None:
        for value, kept in values:
            assert was.db("@lite").execute("SELECT ? AS v", [value]).one().v == kept
        error = was.db("@lite").execute("SELECT ? AS v", [object()]).dispatch().error
        assert isinstance(error, DatabaseError)

    ask(look)


def test_values_of_python_in_json_of_postgresql(ask: Ask) -> None:
    value = {
        "uuid": uuid.UUID(int=1),
        "delta": datetime.timedelta(days=1),
        "path": pathlib.Path("/a"),
        "deque": deque([1]),
        "big": 2**70,
        "ip": ipaddress.ip_address("::1"),
    }
    expected = {**value, "uuid": str(value["uuid"]), "delta": "P1D", "path": "/a", "deque": [1]}
    expected["ip"] = "::1"

    def look(was: Was) -> None:
        for kind in ("json", "jsonb"):
            assert was.db("@pg").execute(f"SELECT $1::{kind} AS v", [value]).one().v == expected
        # Nobody would find again what a program did not mean to keep: "<object object at …>".
        error = was.db("@pg").execute("SELECT $1::jsonb AS v", [{"a": object()}]).dispatch().error
        assert isinstance(error, DatabaseError)

    ask(look)


# Intervals ----------------------------------------------------------------------------------------


def test_intervals_with_months() -> None:
    interval = Interval(14, 3, 1_500_000)
    assert interval == datetime.timedelta(days=365 + 60 + 3, seconds=1.5)
    assert interval.isoformat() == "P14M3DT1.5S"
    assert interval.months == 14
    for same in (pickle.loads(pickle.dumps(interval)), copy.deepcopy(interval)):
        assert (type(same), same.parts) == (Interval, (14, 3, 1_500_000))
    assert Interval(-1, 0, 0) == datetime.timedelta(days=-30)
    assert Interval(1, 0, -60_000_000).isoformat() == "P1MT-60S"


# How many rows ------------------------------------------------------------------------------------


def test_how_many_rows_were_changed(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        db = was.db(name)

        def count(statement: Any) -> Any:
            rows = db.execute(statement).fetch()
            return rows.rowcount, len(rows)

        insert = f"INSERT INTO {table} (id, n) VALUES (1, 1), (2, 1), (3, 2)"
        assert count(insert) == (3, 0)
        assert count(db.update(table).set(n=5).filter(n=1)) == (2, 0)
        assert count(db.update(table).set(n=5).filter(n=99)) == (0, 0)
        assert count(db.select(table)) == (3, 3)
        assert count(db.select(table).limit(0)) == (0, 0)
        assert count(db.delete(table).filter(id=1).returning("id")) == (1, 1)
        assert count([db.delete(table).filter(id=1), db.update(table).set(n=1).all()]) == (2, 0)
        with was.db(name, transaction=True) as tx:
            assert tx.delete(table).all().execute().fetch().rowcount == 2
        assert count(f"CREATE TABLE {table}_2 (id integer)")[0] == -1
        assert count(f"DROP TABLE {table}_2")[0] == -1
        upsert = db.insert(table).set(id=1, n=1).upflict("id", n=2)
        assert count(upsert) == (1, 0)

    ask(look)


def test_the_number_is_kept_with_the_rows(ask: Ask, name: str, table: str) -> None:
    def look(was: Was) -> None:
        was.db(name).insert(table).set(id=1).execute().commit()
        for _ in range(2):
            rows = was.db(name, cache=60).execute(f"SELECT * FROM {table}").fetch()
            assert rows.rowcount == len(rows) == 1
        for same in (copy.deepcopy(rows), copy.copy(rows), pickle.loads(pickle.dumps(rows))):
            assert (same, same.rowcount, type(same)) == (rows, 1, type(rows))
        assert was.db(name).execute(f"SELECT * FROM {table}").one() == rows[0]
        assert json.dumps(rows) == json.dumps(list(rows))

    ask(look)


def test_texts_of_sqlite_that_are_no_utf_8(ask: Ask) -> None:
    def look(was: Was) -> None:
        db = was.db("@lite")
        text = "SELECT CAST(x'ff00' AS TEXT) AS bad, 'é' AS good"
        for _ in range(2):
            assert db.execute(text).one() == {"bad": b"\xff\x00", "good": "é"}
        (rows,) = db.cursor(text)
        assert rows == [{"bad": b"\xff\x00", "good": "é"}]
        assert json.loads(json.dumps(rows)) == [{"bad": "/wA=", "good": "é"}]

    ask(look)
