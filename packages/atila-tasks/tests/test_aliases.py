"""Aliases, their members, and interfaces of one's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from atila import Atila, SetupError, Was
from atila_tasks import (
    DB_SQLITE3,
    STA_NETERR,
    STA_NORMAL,
    Command,
    Interface,
    Unreachable,
    UpstreamError,
    add_database_interface,
    alias,
)
from atila_tasks.upstream.aliases import Member

Run = Callable[[Callable[[Was], Any]], Any]

KIND = "*test"
down: set[str] = set()
asked: list[str] = []
closed: list[str] = []


class Place(Interface):
    """A server that tells where it is; it breaks off whatever is called `break_off`."""

    defaults: ClassVar[dict[str, Any]] = {"max_conns": 10}

    async def perform(self, request: Any) -> Any:
        assert isinstance(request, Command)
        place = self.member.location
        asked.append(place)
        if place in down:
            raise Unreachable(f"{place} is down")
        if request.name == "break_off":
            raise UpstreamError(f"{place} broke off")
        return place

    async def close(self) -> None:
        closed.append(self.member.location)


add_database_interface(KIND, Place)


@pytest.fixture(autouse=True)
def clean() -> None:
    down.clear()
    asked.clear()
    closed.clear()


@pytest.mark.parametrize(
    ("text", "host", "port", "path", "user", "password"),
    [
        ("localhost/mydb", "localhost", None, "mydb", "", ""),
        ("user:pass@localhost/mydb", "localhost", None, "mydb", "user", "pass"),
        ("user@db.example.com:5433/a/b", "db.example.com", 5433, "a/b", "user", ""),
        ("u:p@ss:w@[::1]:5432/x", "::1", 5432, "x", "u", "p@ss:w"),
        ("postgresql://u%40x:p%2Fq@h:1/d", "h", 1, "d", "u@x", "p/q"),
        ("s1.myserver.com", "s1.myserver.com", None, "", "", ""),
    ],
)
def test_the_parts_of_an_address(
    text: str, host: str, port: int | None, path: str, user: str, password: str
) -> None:
    member = Member(text)
    assert (member.host, member.port, member.path) == (host, port, path)
    assert (member.user, member.password) == (user, password)
    assert not password or password not in repr(member)


def test_members_are_asked_by_their_weight(app: Atila, run: Run) -> None:
    app.alias("@weighed", KIND, ["u:pw@a 20", "b 10", "c"])
    seen = run(lambda was: [was.db("@weighed").ask().fetch() for _ in range(62)])
    assert Counter(seen) == {"a": 40, "b": 20, "c": 2}


def test_a_dead_member_fails_one_task_then_rests(app: Atila, run: Run) -> None:
    app.alias("@pair", KIND, ["a", "b"])
    down.add("a")

    def ask(was: Was) -> list[int]:
        return [was.db("@pair").ask().dispatch().status for _ in range(8)]

    assert Counter(run(ask)) == {STA_NORMAL: 7, STA_NETERR: 1}
    assert Counter(asked) == {"a": 1, "b": 7}


def test_balancing_takes_the_next_member(app: Atila, run: Run) -> None:
    app.alias("@three", KIND, ["a", "b", "c"])
    down.update("ab")
    assert run(lambda was: [was.db.lb("@three").ask().fetch() for _ in range(4)]) == ["c"] * 4
    down.add("c")
    with pytest.raises(Unreachable):
        raise run(lambda was: was.db.lb("@three").ask().dispatch().error)


def test_what_was_sent_is_not_sent_again(app: Atila, run: Run) -> None:
    app.alias("@two", KIND, ["a", "b"])
    error = run(lambda was: was.db.lb("@two").break_off().dispatch().error)
    assert type(error) is UpstreamError
    assert len(asked) == 1


def test_mapping_asks_all_and_tells_each_outcome(app: Atila, run: Run) -> None:
    app.alias("@all", KIND, ["a", "b", "c"])
    down.add("b")
    results = run(lambda was: was.db.map("@all").ask().dispatch())
    assert [result.status for result in results] == [STA_NORMAL, STA_NETERR, STA_NORMAL]
    assert [result.data for result in results] == ["a", None, "c"]


def test_what_an_unreachable_server_answers_a_client(app: Atila) -> None:
    app.alias("@dead", KIND, "a")
    down.add("a")

    @app.route("/")
    def index(was: Was) -> Any:
        return was.db("@dead").ask().fetch()

    response = app.test_client().get("/")
    assert response.status_code == 502


def test_an_app_s_own_alias_hides_that_of_the_process(app: Atila, run: Run) -> None:
    alias("@both", KIND, ["process"])
    assert run(lambda was: was.db("@both").ask().fetch()) == "process"
    app.alias("@both", KIND, ["app"])
    assert run(lambda was: was.db("@both").ask().fetch()) == "app"


def test_a_name_that_is_no_alias(run: Run) -> None:
    def ask(was: Was) -> str:
        with pytest.raises(LookupError) as error:
            was.db("@nowhere")
        return str(error.value)

    assert 'skitai.alias("@nowhere"' in run(ask)


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        (("noat", KIND, ["a"]), {}, 'write "@"'),
        (("@x", "*unknown", ["a"]), {}, "none of"),
        (("@x", KIND, []), {}, "no members"),
        (("@x", KIND, ["a 0"]), {}, "weight"),
        (("@x", KIND, ["a"]), {"max_cons": 1}, "takes max_conns; did you mean 'max_conns'?"),
        (("@x", KIND, ["a"]), {"max_conns": "many"}, "max_conns='many'; it must be a number"),
        (("@x", KIND, ["a"]), {"max_conns": True}, "max_conns=True; it must be a number"),
        (("@x", KIND, ["a"]), {"max_conns": 2.5}, "max_conns=2.5; it must be a number"),
        (("@x", DB_SQLITE3, ["a"]), {"timeout": "5"}, "'5'; it must be a number of seconds, or"),
        (("@x", DB_SQLITE3, ["a"]), {"foreign_keys": 1}, "=1; it must be True or False"),
    ],
)
def test_mistakes_are_told_where_they_are_made(
    arguments: tuple[Any, ...], options: dict[str, Any], told: str
) -> None:
    with pytest.raises(SetupError) as error:
        alias(*arguments, **options)
    assert told in str(error.value)
    assert "test_aliases.py" in str(error.value)


def test_a_class_that_is_no_interface() -> None:
    with pytest.raises(SetupError, match="subclass"):
        add_database_interface("*other", dict)


def test_connections_are_closed_when_the_site_ends(app: Atila) -> None:
    app.alias("@kept", KIND, ["a"])

    @app.route("/")
    def index(was: Was) -> Any:
        return was.db("@kept").ask().fetch()

    with app.test_client() as client:
        assert client.get("/").text == "a"
        assert closed == []
    assert closed == ["a"]
