"""Statements as sqlphile writes them, and what of them is sent: text without any value."""

from __future__ import annotations

import copy
import datetime
import subprocess
import sys
from typing import Any

import pytest
import sqlphile
from hypothesis import given
from hypothesis import strategies as st
from sqlphile import D, F, V, const
from sqlphile import Q as sqlphile_Q
from sqlphile.dbtypes import DB_PGSQL, DB_SQLITE3
from sqlphile.q import _Q

from atila_tasks.databases.sql.conditions import Q
from atila_tasks.databases.sql.statements import Builder, Query, Script


class Maker(Builder):
    """Begins statements; carries none out."""

    def __init__(self, engine: str = DB_PGSQL) -> None:
        self._engine = engine
        self.executed: list[Any] = []

    def execute(self, statement: Any) -> Any:
        self.executed.append(statement.compile())


db = Maker()
lite = Maker(DB_SQLITE3)


def sent(statement: Any) -> tuple[str, list[Any]]:
    query = statement.compile()
    return " ".join(query.sql.split()), list(query.params)


def test_the_statement_of_the_specification() -> None:
    maker = Maker()
    # fmt: off
    (maker.select("my_table").
                filter(name="Hans")
                .with_("a", maker.insert("my_table").set(name="Hans"))
            ).execute()
    # fmt: on
    (query,) = maker.executed
    assert " ".join(query.sql.split()) == (
        "WITH a AS (INSERT INTO my_table (name) VALUES ($1)) SELECT * FROM my_table WHERE name = $2"
    )
    assert list(query.params) == ["Hans", "Hans"]


@pytest.mark.parametrize("q", [Q, sqlphile_Q, sqlphile.Q])
def test_the_statements_of_map_in_the_specification(q: Any) -> None:
    root = (
        db.select("foo")
        .order_by("-created_at")
        .limit(10)
        .filter(q(from_wallet_id=8) | q(detail="ReturnTx"))
    )
    where = "SELECT * FROM foo WHERE (from_wallet_id = $1 OR detail = $2)"
    assert sent(root.clone()) == (
        f"{where} ORDER BY created_at DESC LIMIT 10",
        [8, "ReturnTx"],
    )
    assert sent(root.clone().aggregate("count (id) as cnt")) == (
        where.replace("*", "count (id) as cnt"),
        [8, "ReturnTx"],
    )


def conditions() -> list[tuple[dict[str, Any], str, list[Any]]]:
    day = datetime.date(2026, 1, 2)
    return [
        ({"a": 1}, "a = $1", [1]),
        ({"t1__a__gte": 1}, "t1.a >= $1", [1]),
        ({"a__neq": "x"}, "a <> $1", ["x"]),
        ({"a__exact": "x"}, "a = $1", ["x"]),
        ({"a__between": (1, 2)}, "a BETWEEN $1 AND $2", [1, 2]),
        ({"a__in": [1, 2]}, "a IN ($1,$2)", [1, 2]),
        ({"a__notin": {1}}, "a NOT IN ($1)", [1]),
        ({"a__in": []}, "1 = 0", []),
        ({"a__isnull": True}, "a IS NULL", []),
        ({"a__isnull": False}, "a IS NOT NULL", []),
        ({"a__contains": "50%_\\"}, "a LIKE $1", ["%50\\%\\_\\\\%"]),
        ({"a__istartswith": "x"}, "a ILIKE $1", ["x%"]),
        ({"a__nendswith": "x"}, "a NOT LIKE $1", ["%x"]),
        ({"a__contains": F("b.c")}, "a LIKE '%' || b.c || '%'", []),
        ({"a__regex": "^x"}, "a ~ $1", ["^x"]),
        ({"d___name": "x"}, "d ->> 'name' = $1", ["x"]),
        ({"d___a___b__gt": 5}, "CAST(d -> 'a' ->> 'b' AS bigint) > $1", [5]),
        ({"d___a__1__gt": 5}, "CAST(d #>> '{a, 1}' AS bigint) > $1", [5]),
        ({"d__haskey": "x"}, "d ? $1", ["x"]),
        ({"d__haskeyin": ["x", "y"]}, "d ?| $1", [["x", "y"]]),
        ({"a__year": 2026}, "DATE_PART('YEAR', a) = $1", [2026]),
        ({"a__week_day": 1}, "DATE_PART('DOW', a) = $1", [1]),
        ({"a__date": day}, "CAST(a AS date) = $1", [day]),
        ({"__all": True}, "1 = 1", []),
        ({"a": F("b")}, "a = b", []),
    ]


@pytest.mark.parametrize(("filters", "text", "params"), conditions())
def test_conditions(filters: dict[str, Any], text: str, params: list[Any]) -> None:
    assert sent(db.select("t").filter(**filters)) == (f"SELECT * FROM t WHERE {text}", params)
    negated, _ = sent(db.select("t").exclude(**filters))
    assert negated == f"SELECT * FROM t WHERE NOT ({text})"
    by_q, _ = sent(db.select("t").filter(~Q(**filters)))
    assert by_q == f"SELECT * FROM t WHERE NOT ({text})"


def test_none_says_nothing() -> None:
    assert sent(db.select("t").filter(Q(a=None) | Q(b=1), c=None)) == (
        "SELECT * FROM t WHERE b = $1",
        [1],
    )


def test_conditions_joined_in_every_way() -> None:
    joined = (Q(a=1) & ~(Q("b = c") | Q(d=2, e=3))) | Q(f=4)
    assert sent(db.select("t").filter(joined)) == (
        "SELECT * FROM t WHERE ((a = $1 AND NOT ((b = c OR (d = $2 AND e = $3)))) OR f = $4)",
        [1, 2, 3, 4],
    )
    # A condition is not used up by a statement.
    assert sent(db.delete("t").filter(joined))[1] == [1, 2, 3, 4]


def test_subqueries_keep_their_parameters() -> None:
    inner = db.select("u").get("id").filter(x="x")
    query = (
        db.select("t", "t1")
        .filter(a=1, id__in=inner)
        .join(db.select("v").filter(y="y"), "t2", "t1.id = t2.id", Q(t2__z="z"))
        .filter(b=db.select("w").get("max(b)").filter(c="c"), __exists=db.select("q").filter(d="d"))
        .with_("cte", db.select("e").filter(e="e"))
        .union(db.select("f").filter(f="f"))
    )
    text, params = sent(query)
    # Each placeholder stands where its value belongs.
    for number, value in enumerate(params, 1):
        assert f"= ${number}" in text or value == 1
    assert sorted(map(str, params)) == ["1", "c", "d", "e", "f", "x", "y", "z"]
    assert all(f"{value} = ${params.index(value) + 1}" in text for value in "cdefxy")
    assert sent(query.clone()) == (text, params)


def test_a_clone_goes_its_own_way() -> None:
    root = db.select("t").filter(a=1).join("u", "t.id = u.id")
    one = root.clone().join("v", "t.id = v.id").filter(b=2).get("b")
    other = root.clone().filter(c="3").order_by("c").limit(1)
    assert sent(root) == ("SELECT * FROM t INNER JOIN u ON t.id = u.id WHERE a = $1", [1])
    assert sent(one)[1] == [1, 2]
    assert "JOIN v" not in sent(other)[0]
    # What was rendered can still be added to.
    assert sent(one.get("d"))[0].startswith("SELECT b, d FROM t")


def test_writing() -> None:
    row = {"name": "Hans", "n": None, "d": {"a": 1}, "at": F("now()")}
    insert = db.insert("t").set(**row).upflict("name", n=5).returning("id", "name")
    assert sent(insert) == (
        "INSERT INTO t (name, n, d, at) VALUES ($1, $2, $3, now())"
        " ON CONFLICT (name) DO UPDATE SET n = $4 RETURNING id, name",
        ["Hans", None, {"a": 1}, 5],
    )
    assert sent(db.insert("t").set(a=1).upflict("a"))[0].endswith("DO NOTHING")
    update = db.update("t", "t1").from_("u t2", "t1.id = t2.id").set(a=F("t2.a"), b="b")
    assert sent(update.filter(t1__id=1)) == (
        "UPDATE t AS t1 SET a = t2.a, b = $1 FROM u t2 ON t1.id = t2.id WHERE t1.id = $2",
        ["b", 1],
    )
    with pytest.raises(ValueError, match="all rows"):
        db.delete("t").execute()
    assert sent(db.delete("t").all())[0] == "DELETE FROM t WHERE 1 = 1"


def test_values_without_a_column_have_a_type() -> None:
    query = db.select("t").with_("temp", D(a=1, b="c")).const("k", 2.5).filter(a=const("k"))
    assert sent(query) == (
        "WITH temp (a, b) AS (values (CAST($1 AS bigint), CAST($2 AS text))),"
        " k AS (values (CAST($3 AS float8))) SELECT * FROM t WHERE a = (table k)",
        [1, "c", 2.5],
    )
    assert sent(lite.select("t").const("k", 1))[0] == "WITH k AS (values (?)) SELECT * FROM t"


def test_templates() -> None:
    template = db.template("SELECT {cols} FROM t WHERE {this.filter} AND x = {x} AND y IN {y}")
    query = template.feed(cols="a, b", x=V("it's"), y=V(__in=[1, 2])).filter(z="z")
    assert sent(query) == (
        "SELECT a, b FROM t WHERE z = $1 AND x = $2 AND y IN ($3,$4)",
        ["z", "it's", 1, 2],
    )
    insert = db.template("INSERT INTO t ({more.columns}, {this.columns}) VALUES ({more.values},"
                         " {this.values})").set(a=1, more=D(b="b"))  # fmt: skip
    assert sent(insert) == ("INSERT INTO t (b, a) VALUES ($1, $2)", ["b", 1])


def test_appended_statements_are_sent_one_by_one() -> None:
    script = db.update("t").set(a=1).filter(id=2).append(db.delete("u").filter(id=3)).compile()
    assert isinstance(script, Script)
    assert [list(query.params) for query in script.queries] == [[1, 2], [3]]
    assert all(";" not in query.sql for query in script.queries)


def test_slices() -> None:
    assert sent(db.select("t")[10:30])[0] == "SELECT * FROM t LIMIT 20 OFFSET 10"
    assert db.select("t").limit(0).is_empty
    assert sent(db.select("t").limit("5"))[0] == "SELECT * FROM t LIMIT 5"


def test_sqlite() -> None:
    assert sent(lite.select("t").filter(a__icontains="x%", b__day=3)) == (
        r"SELECT * FROM t WHERE a LIKE ? ESCAPE '\' AND CAST(strftime('%d', b) AS INTEGER) = ?",
        ["%x\\%%", 3],
    )
    assert sent(lite.select("t").filter(a=1).union_all(lite.select("u").filter(b=2))) == (
        "SELECT * FROM t WHERE a = ? UNION ALL SELECT * FROM u WHERE b = ?",
        [1, 2],
    )
    with pytest.raises(TypeError, match="PostgreSQL only"):
        lite.select("t").filter(d___name="x")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"a = 1 OR b": 1}, "no name"),
    ({"a;--": 1}, "no name"),
    ({"d___na'me": 1}, "no name"),
    ({"a__in": "1) OR (1 = 1"}, "takes a list"),
    ({"a__notin": b"1"}, "takes a list"),
    ({"__exists": "SELECT 1"}, "takes a statement"),
    ({"a__contains": 1}, "takes a text"),
    ({"d__haskey": 1}, "takes a text"),
    ({"d__haskeyin": "x"}, "list of texts"),
    ({"a": sqlphile.Template("postgresql").select("u").filter(a="x")}, "prints values"),
]


@pytest.mark.parametrize(("filters", "told"), WRONG)
def test_what_would_be_printed_is_refused(filters: dict[str, Any], told: str) -> None:
    for begin in (db.select("t").filter, db.select("t").exclude):
        with pytest.raises((TypeError, ValueError), match=told):
            begin(**filters)


@pytest.mark.parametrize("number", ["1; DROP TABLE t", "1 OR 1", 1.5, None, -1])
def test_limits_are_numbers(number: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        db.select("t").limit(number)
    with pytest.raises((TypeError, ValueError)):
        db.select("t").offset(number)


def test_names_of_columns_are_checked() -> None:
    for statement in (db.insert("t").set, db.insert("t").upflict):
        with pytest.raises((TypeError, ValueError)):
            statement({"a) VALUES (1); --": 1}) if statement.__name__ == "set" else statement(
                "a", **{"b = 1; --": 1}
            )
    with pytest.raises(ValueError, match="no name"):
        db.select("t").with_("x", D(**{"a) AS (": 1}))


def test_text_that_sqlphile_has_printed_is_refused() -> None:
    # As one of before this library was imported.
    printed = _Q("(a = 'x' OR b = 'y')")
    with pytest.raises(TypeError, match="from atila_tasks import Q"):
        db.select("t").filter(printed)
    used = D(a="x").encode()
    with pytest.raises(TypeError, match="prints values"):
        db.select("t").with_("t", used)
    # One that was not joined still has its value by itself.
    assert sent(db.select("t").filter(_Q(a="x"))) == ("SELECT * FROM t WHERE a = $1", ["x"])


def test_sqlphile_s_own_statements_are_as_ever() -> None:
    own = sqlphile.Template("postgresql").select("t")
    text = str(own.filter(~(sqlphile_Q(a=1) | sqlphile_Q(b="it's")), sqlphile_Q(c=1, d=2)))
    assert " ".join(text.split()) == (
        "SELECT * FROM t WHERE NOT ((a = 1 OR b = 'it''s')) AND (c = 1 AND d = 2)"
    )


def test_nothing_tells_values() -> None:
    secret = Q(password="hunter2") | Q(a=1)
    statement = db.select("t").filter(secret)
    query = statement.compile()
    assert isinstance(query, Query)
    for each in (secret, Q(password="hunter2"), statement, query, Script([query])):
        assert "hunter2" not in repr(each)


@given(st.text(), st.text())
def test_a_text_with_nuls_cannot_stand_for_a_value(raw: str, value: str) -> None:
    # What a developer's own text has of it is refused, whatever it is.
    statement = db.select("t").filter(a=value).filter(f"b = '{raw}\0' AND c = '\0{raw}'")
    with pytest.raises(ValueError, match="NUL"):
        statement.compile()


def test_sqlphile_is_loaded_when_it_is_needed() -> None:
    code = (
        "import sys, atila_tasks; assert 'sqlphile' not in sys.modules;"
        "from atila_tasks import Q; import sqlphile; assert type(sqlphile.Q(a=1)) is type(Q(a=1))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_copies_of_conditions() -> None:
    q = Q(a=1) | Q(b=2)
    assert sent(db.select("t").filter(copy.copy(q))) == sent(db.select("t").filter(q))
