"""Whatever a value is, it is compared and kept as what it is, through every operator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlphile import D, V, const

from atila import Was
from atila_tasks.databases.sql.conditions import Q

Ask = Callable[[Callable[[Was], Any]], Any]

ATTACKS = (
    "'; DROP TABLE victim; --",
    "' OR '1'='1",
    "x' UNION SELECT id, name FROM victim --",
    "\\' OR 1=1 --",
    "$1",
    "$$; DROP TABLE victim; $$",
    "?",
    ":name",
    "%s %(name)s {this} {0}",
    "%",
    "_",
    "\\",
    "1); DELETE FROM victim WHERE (1=1",
    "NULL",
    "",
    "\u2019 OR 1=1",
)

# PostgreSQL keeps no NUL, and UTF-8 no lone surrogates.
texts = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20
) | st.sampled_from(ATTACKS)


def contains(case: bool) -> Callable[[str, str], bool]:
    return lambda kept, value: value in kept if case else value.lower() in kept.lower()


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda kept, value: kept == value,
    "exact": lambda kept, value: kept == value,
    "neq": lambda kept, value: kept != value,
    "gt": lambda kept, value: kept > value,
    "gte": lambda kept, value: kept >= value,
    "lt": lambda kept, value: kept < value,
    "lte": lambda kept, value: kept <= value,
    "contains": contains(True),
    "ncontains": lambda kept, value: value not in kept,
    "notcontain": lambda kept, value: value not in kept,
    "startswith": str.startswith,
    "nstartswith": lambda kept, value: not kept.startswith(value),
    "notstartwith": lambda kept, value: not kept.startswith(value),
    "endswith": str.endswith,
    "nendswith": lambda kept, value: not kept.endswith(value),
    "notendwith": lambda kept, value: not kept.endswith(value),
}
"""Operators whose outcome Python knows as well, with how it tells it of a text and a value."""

ASCII = str.maketrans({c: c.lower() for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"})
FOLDING: dict[str, Callable[[str, str], bool]] = {
    "iexact": lambda kept, value: kept == value,
    "icontains": lambda kept, value: value in kept,
    "istartswith": str.startswith,
    "iendswith": str.endswith,
}
"""The same for those that take no heed of the case; of ASCII letters, in Python."""


@pytest.fixture(scope="module", autouse=True)
def tables(ask: Ask) -> Iterator[None]:
    def make(was: Was) -> None:
        for name, json in (("@pg", "jsonb"), ("@lite", "text")):
            db = was.db(name)
            collation = 'COLLATE "C"' if name == "@pg" else ""
            columns = f"id integer PRIMARY KEY, name text {collation}, d {json}"
            db.execute(f"CREATE TABLE kept ({columns})").commit()
            db.execute("CREATE TABLE victim (id integer PRIMARY KEY, name text)").commit()
            db.execute("INSERT INTO victim (id, name) VALUES (1, 'alive')").commit()

    ask(make)
    yield

    def look(was: Was) -> list[Any]:
        return [was.db(name).select("victim").execute().fetch() for name in ("@pg", "@lite")]

    assert ask(look) == [[{"id": 1, "name": "alive"}]] * 2


def fill(was: Was, name: str, kept: list[str]) -> None:
    with was.db(name, transaction=True) as db:
        db.delete("kept").all().execute().commit()
        for number, text in enumerate(kept):
            db.insert("kept").set(id=number, name=text).execute().commit()


def ids(task: Any) -> list[int]:
    return sorted(row.id for row in task.fetch())


quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(kept=st.lists(texts, min_size=1, max_size=4), value=texts)
@example(kept=list(ATTACKS), value="' OR '1'='1")
@example(kept=["a%c", "abc", "a_c", "a\\c"], value="a%c")
@example(kept=["a%c", "abc", "a_c", "a\\c"], value="_")
@example(kept=["a%c", "abc", "a_c", "a\\c"], value="\\")
def test_operators(ask: Ask, name: str, kept: list[str], value: str) -> None:
    kept = [*kept, value]

    def look(was: Was) -> None:
        fill(was, name, kept)
        db = was.db(name)
        if name == "@lite":
            # Its LIKE takes no heed of the case of ASCII letters otherwise.
            known = {k: v for k, v in OPERATORS.items() if "with" not in k and "contain" not in k}
        else:
            known = OPERATORS
        for operator, tells in known.items():
            wanted = [number for number, text in enumerate(kept) if tells(text, value)]
            condition = {f"name__{operator}": value}
            assert ids(db.select("kept").filter(**condition).execute()) == wanted, operator
            rest = sorted(set(range(len(kept))) - set(wanted))
            assert ids(db.select("kept").exclude(**condition).execute()) == rest, operator
            by_q = db.select("kept").filter(~Q(**condition) | Q(name=value) & Q(id=-1))
            assert ids(by_q.execute()) == rest, operator

    ask(look)


@quick
@given(kept=st.lists(texts.filter(str.isascii), min_size=1, max_size=4), value=texts)
@example(kept=["A%C", "abc", "A_c", "a\\C"], value="a%c")
@example(kept=["A%C", "abc", "A_c", "a\\C"], value="A_C")
def test_operators_that_fold_case(ask: Ask, name: str, kept: list[str], value: str) -> None:
    value = value.encode("ascii", "ignore").decode()
    kept = [*kept, value]

    def look(was: Was) -> None:
        fill(was, name, kept)
        for operator, tells in FOLDING.items():
            folded = value.translate(ASCII)
            wanted = [n for n, text in enumerate(kept) if tells(text.translate(ASCII), folded)]
            found = was.db(name).select("kept").filter(**{f"name__{operator}": value}).execute()
            assert ids(found) == wanted, operator

    ask(look)


@quick
@given(kept=st.lists(texts, min_size=2, max_size=4), value=texts)
@example(kept=["1) OR (1=1", "x"], value="1) OR (1=1")
def test_operators_of_several_values(ask: Ask, name: str, kept: list[str], value: str) -> None:
    def look(was: Was) -> None:
        fill(was, name, kept)
        db = was.db(name)
        chosen = [kept[0], value]
        wanted = [number for number, text in enumerate(kept) if text in chosen]
        rest = sorted(set(range(len(kept))) - set(wanted))
        assert ids(db.select("kept").filter(name__in=chosen).execute()) == wanted
        assert ids(db.select("kept").filter(name__notin=chosen).execute()) == rest
        low, high = sorted((kept[0], value))
        between = [number for number, text in enumerate(kept) if low <= text <= high]
        for operator in ("between", "range"):
            condition = {f"name__{operator}": (low, high)}
            assert ids(db.select("kept").filter(**condition).execute()) == between

    ask(look)


@quick
@given(value=texts)
@example(value="'; DROP TABLE victim; --")
@example(value="\\")
def test_values_written_are_read_back(ask: Ask, name: str, value: str) -> None:
    """Through set, upflict, returning, CTEs, constants, templates, V, joins and plain text."""

    def look(was: Was) -> None:
        db = was.db(name)
        db.delete("kept").all().execute().commit()
        insert = db.insert("kept").set(id=1, name=value, d={"k": value}).returning("name")
        assert insert.execute().one().name == value
        db.insert("kept").set(id=1, name="").upflict("id", name=f"{value}2").execute().commit()
        assert db.select("kept").execute().one().name == f"{value}2"
        update = db.update("kept").set(name=value).filter(name=f"{value}2").returning("name")
        assert update.execute().one().name == value
        by_d = db.select("temp").with_("temp", D(a=value, b=1)).filter(a=value)
        assert by_d.execute().one() == {"a": value, "b": 1}
        by_cte = db.select("c").with_("c", db.select("kept").get("name").filter(name=value))
        assert by_cte.execute().one().name == value
        if name == "@pg":
            by_const = db.select("kept").const("k", value).filter(name=const("k"))
            assert by_const.execute().one().name == value
            assert db.select("kept").execute().one().d == {"k": value}
            for condition in ({"d___k": value}, {"d__haskey": "k"}, {"d__haskeyin": ["k", value]}):
                assert db.select("kept").filter(**condition).execute().one().name == value
            assert db.select("kept").filter(d__haskey=f"{value}-").execute().fetch() == []
        template = db.template("SELECT name FROM kept WHERE name = {x} AND name IN {y}")
        assert template.feed(x=V(value), y=V(__in=[value])).execute().one().name == value
        pattern = db.template("SELECT name FROM kept WHERE name LIKE {x}").feed(
            x=V(__contains=value)
        )
        assert pattern.execute().one().name == value
        joined = (
            db.select("kept", "a").get("a.name").join("kept", "b", "a.id = b.id", b__name=value)
        )
        assert joined.execute().one().name == value
        unified = db.select("kept").get("name").filter(name=value)
        assert unified.union(unified.clone()).execute().one().name == value
        mark = "$1" if name == "@pg" else "?"
        plain = db.execute(f"SELECT name FROM kept WHERE name = {mark}", value)
        assert plain.one().name == value
        listed = db.execute(f"SELECT name FROM kept WHERE name = {mark}", [value])
        assert listed.one().name == value

    ask(look)


def test_several_statements_in_one_text_are_refused(ask: Ask, name: str) -> None:
    def look(was: Was) -> Any:
        return was.db(name).execute("SELECT 1; DROP TABLE victim").dispatch()

    result = ask(look)
    assert result.error is not None
