"""`was.Map` and its kin, with a layer of the test to write the answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import atila_tasks
from atila import PROTOCOL, Atila, Layer, Was
from atila.testing.waits import PATIENCE
from atila_tasks import STA_NORMAL, STA_REQFAIL
from atila_tasks.core.selectors import Pick

Run = Callable[..., Any]
JSON = {"accept": "application/json"}


def api(was: Was, /, *values: Any, **fields: Any) -> str:
    was.response.set_header("content-type", "application/json")
    return json.dumps(values[0] if values else fields)


def page_or_api(was: Was, template: str, /, **fields: Any) -> str:
    thread = threading.current_thread().name
    return api(was, {"template": template, "in_worker": thread.startswith("atila-"), **fields})


@pytest.fixture
def app() -> Atila:
    names = type("Names", (), {"API": api, "render_or_API": page_or_api})
    render = Layer("render", PROTOCOL, was=names)
    return Atila(
        __name__, layers={"tasks": atila_tasks.layer, "render": render, "auth": None, "ws": None}
    )


def answer(app: Atila, handler: Callable[[Was], Any], **options: Any) -> Any:
    path = f"/{len(app.routes)}"
    app.route(path, **options)(handler)
    return app.test_client().get(path, headers=JSON)


def test_map(app: Atila, gate: threading.Event) -> None:
    waited: list[bool] = []

    def handler(was: Was) -> Any:
        threading.Timer(0.05, gate.set).start()
        return was.Map(
            was.Thread(lambda: waited.append(gate.wait(PATIENCE))),
            [was.Mask("in a list")],
            rows=was.Thread(list, "ab"),
            count__one=was.Mask([{"cnt": 3}]),
            a__one__cnt=was.Mask([{"cnt": 4}]),
            g__fetch__1=was.Mask("xyz"),
            text="constant",
            none=None,
            values=[1, {"a": 2}],
            nested=[was.Mask(1), {"deep": [was.Mask(2), "three"]}, 4],
            group=was.Tasks(b__one=was.Mask([5])),
            my__name=was.Mask(6),
        )

    assert answer(app, handler).json() == {
        "rows": ["a", "b"],
        "count": {"cnt": 3},
        "a": 4,
        "g": "y",
        "text": "constant",
        "none": None,
        "values": [1, {"a": 2}],
        "nested": [1, {"deep": [2, "three"]}, 4],
        "group": {"b": 5},
        "my__name": 6,
    }
    assert waited == [True]


@pytest.mark.parametrize("status", ["201 Created", 201])
def test_status(app: Atila, status: Any) -> None:
    for handler in (
        lambda was: was.Map(status, id=was.Mask(7)),
        lambda was: was.Mapped(status, was.Tasks(id=was.Mask(7))),
    ):
        response = answer(app, handler)
        assert (response.status_code, response.json()) == (201, {"id": 7})
    response = answer(app, lambda was: was.render_or_Map("a.j2", status, id=was.Mask(7)))
    assert response.status_code == 201


def test_without_names(app: Atila) -> None:
    assert answer(app, lambda was: was.Map(was.Mask(1))).json() == {}
    assert answer(app, lambda was: was.Map()).json() == {}


def test_mapped(app: Atila) -> None:
    assert answer(app, lambda was: was.Mapped(was.Tasks(a=was.Mask(1)))).json() == {"a": 1}
    assert answer(app, lambda was: was.Mapped(was.Tasks(was.Mask(1)))).json() == [1]
    assert answer(app, lambda was: was.Mapped(was.Mask({"a": 1}))).json() == {"a": 1}
    assert answer(app, lambda was: was.Mapped(was.Mask("a"))).json() == "a"


def test_pages(app: Atila) -> None:
    expected = {"template": "a.j2", "in_worker": True, "n": 1}
    by_map = answer(app, lambda was: was.render_or_Map("a.j2", n=was.Thread(int, 1)))
    assert by_map.json() == expected
    tasks = answer(app, lambda was: was.render_or_Mapped("a.j2", was.Tasks(n=was.Mask(1))))
    assert tasks.json() == expected
    single = answer(app, lambda was: was.render_or_Mapped("a.j2", was.Mask({"n": 1})))
    assert single.json() == expected
    wrong = answer(app, lambda was: was.render_or_Mapped("a.j2", was.Mask([1])))
    assert wrong.status_code == 500


def test_out_of_coroutines(app: Atila) -> None:
    def generator(was: Was) -> Any:
        task = yield was.Mask(1)
        return was.Map(a=task, b=was.Thread(int, 2))

    async def asynchronous(was: Was) -> Any:
        return was.Map(a=await was.Mask(1), b=was.Thread(int, 2))

    assert answer(app, generator, coroutine=True).json() == {"a": 1, "b": 2}
    assert answer(app, asynchronous).json() == {"a": 1, "b": 2}


def test_errors(app: Atila) -> None:
    def refused(was: Was) -> Any:
        def fail() -> None:
            raise was.Error("409 Conflict", "taken")

        return was.Map(was.Thread(fail), a=was.Mask(1))

    assert answer(app, refused).status_code == 409
    assert answer(app, lambda was: was.Map(a__one=was.Mask([]))).status_code == 410
    assert answer(app, lambda was: was.Map(a__one=was.Mask([1, 2]))).status_code == 409
    late = answer(app, lambda was: was.Map(a=was.Thread(threading.Event().wait, 1, timeout=0.01)))
    assert late.status_code == 504


def test_part_that_is_not_there(app: Atila, caplog: pytest.LogCaptureFixture) -> None:
    assert answer(app, lambda was: was.Map(a__one__cnt=was.Mask([{"n": 1}]))).status_code == 500
    assert "'a__one__cnt' asks for 'cnt', which the dict there does not have" in caplog.text
    assert answer(app, lambda was: was.Map(g__fetch__2=was.Mask([1]))).status_code == 500


def test_wrong_use_is_told_at_once(run: Run) -> None:
    def use(was: Was) -> None:
        with pytest.raises(TypeError, match=r"was\.Mask\(value\)"):
            was.Map(None)
        with pytest.raises(ValueError, match="'a__one' and 'a__fetch' both name 'a'"):
            was.Map(a__one=was.Mask(1), a__fetch=was.Mask(2))
        with pytest.raises(TypeError, match=r"was\.Mapped takes a task or was\.Tasks"):
            was.Mapped({"a": was.Mask(1)})
        with pytest.raises(TypeError, match="nothing"):
            was.render_or_Mapped("a.j2")

    run(use)


def test_without_the_layer_that_writes(gate: threading.Event) -> None:
    app = Atila(
        __name__,
        layers={"tasks": atila_tasks.layer, "render": None, "auth": None, "ws": None},
    )
    advice = []

    @app.route("/")
    def handler(was: Was) -> str:
        for call in (
            lambda: was.Map(a=1),
            lambda: was.Mapped(was.Mask(1)),
            lambda: was.render_or_Map("a.j2"),
            lambda: was.render_or_Mapped("a.j2", was.Mask(1)),
        ):
            with pytest.raises(AttributeError) as raised:
                call()
            advice.append(str(raised.value))
        return ""

    assert app.test_client().get("/").status_code == 200
    assert all('pip install "atila-core[render]"' in text for text in advice)
    assert len(advice) == 4


def test_hooks_are_shown_the_answer(app: Atila) -> None:
    seen: list[Any] = []
    app.finish_request(lambda was, response: seen.append(response))
    answer(app, lambda was: was.Map(a=was.Thread(int, 1)))
    answer(app, lambda was: was.Thread(int, "1", filter=str))
    answer(app, lambda was: was.Tasks(was.Thread(str, 1)))
    answer(app, lambda was: was.Mask("m").then(lambda was, task: task))
    assert answer(app, lambda was: was.Thread(int, "x")).status_code == 500
    assert seen == ['{"a": 1}', "1", ["1"], "m"]


# Names


def test_picks_in_tasks(run: Run) -> None:
    def use(was: Was) -> Any:
        tasks = was.Tasks(
            a__one=was.Mask([1]),
            b__one__n=was.Mask([{"n": 2}]),
            c__fetch__0__n=was.Mask([{"n": 3}]),
            d__fetch=was.Mask(4),
            e__one__real=was.Mask([5]),
            f=was.Tasks(x__one=was.Mask([6]), y=was.Mask(7)),
            g__fetch__x=was.Tasks(x=was.Mask(8)),
        )
        return tasks, tasks.fetch()

    tasks, data = run(use)
    expected = {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": {"x": 6, "y": 7}, "g": 8}
    assert data == expected
    assert tasks["b"].fetch() == [{"n": 2}]
    outcomes = tasks.dispatch()
    assert {name: outcomes[name].data for name in "abcdeg"} == {
        name: expected[name] for name in "abcdeg"
    }
    assert outcomes["f"]["x"].status == STA_NORMAL


def test_outcome_of_a_part_that_is_not_there(run: Run) -> None:
    def use(was: Was) -> Any:
        return was.Tasks(
            none__one=was.Mask([]), absent__fetch__n=was.Mask({}), failed__one=was.Thread(int, "x")
        ).dispatch()

    none, absent, failed = run(use).values()
    assert none.error.code == 410
    assert isinstance(absent.error, LookupError)
    assert isinstance(failed.error, ValueError)
    assert {none.status, absent.status, failed.status} == {STA_REQFAIL}


def test_one_of_several(run: Run) -> None:
    def use(was: Was) -> Any:
        return was.Tasks(a=was.Mask([1]), b__fetch__0=was.Mask([2]), c__one=was.Mask([3])).one()

    assert run(use) == {"a": 1, "b": 2, "c": 3}


@given(st.text(st.sampled_from("abone_fetch01"), min_size=1))
def test_any_name_says_something(spelling: str) -> None:
    pick = Pick(spelling)
    name, *rest = spelling.split("__")
    if name and rest and rest[0] in ("one", "fetch"):
        assert pick.name == name
    else:
        # No other name may lose anything.
        assert pick.name == spelling
