from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from atila import HTTPError, Was
from atila_tasks import STA_NORMAL, STA_REQFAIL, STA_TIMEOUT

Run = Callable[..., Any]


def test_by_position(run: Run) -> None:
    def use(was: Was) -> Any:
        a, b = was.Tasks([was.Mask(1), was.Thread(int, "2")]).fetch()
        return [a, b], was.Tasks(was.Mask(1), was.Mask(2)).fetch(), was.Tasks().fetch()

    assert run(use) == ([1, 2], [1, 2], [])


def test_by_name(run: Run) -> None:
    def use(was: Was) -> Any:
        by_keyword = was.Tasks(a=was.Mask(1), b=was.Thread(int, "2"))
        by_dict = was.Tasks({"a": was.Mask(1), "b c": was.Mask(2)})
        return by_keyword.fetch(), by_dict.fetch()

    assert run(use) == ({"a": 1, "b": 2}, {"a": 1, "b c": 2})


def test_position_beside_names(run: Run) -> None:
    def use(was: Was) -> Any:
        ran: list[int] = []
        # Nothing for one() to find in what stays out of the dict, and that is fine.
        tasks = was.Tasks(was.Thread(ran.append, 1), files=was.Mask([2]), result=was.Mask([3]))
        return tasks.fetch(), tasks.one(), list(tasks.dispatch()), ran

    assert run(use) == (
        {"files": [2], "result": [3]},
        {"files": 2, "result": 3},
        ["files", "result"],
        [1],
    )


def test_error_of_what_stays_out_of_the_dict(run: Run) -> None:
    tasks = run(lambda was: was.Tasks(was.Thread(int, "x"), a=was.Mask(1)))
    assert tasks.dispatch()["a"].data == 1
    for method in (tasks.fetch, tasks.commit):
        with pytest.raises(ValueError, match="invalid literal"):
            method()


def test_nested(run: Run) -> None:
    def use(was: Was) -> Any:
        one, two = was.Mask(1), was.Mask(2)
        return was.Tasks(a=was.Tasks(one, two), b=[one, {"c": two}], d=one).fetch()

    assert run(use) == {"a": [1, 2], "b": [1, {"c": 2}], "d": 1}


def test_members(run: Run) -> None:
    def use(was: Was) -> None:
        a, b = was.Mask(1), was.Mask(2)
        tasks = was.Tasks(a, b=b)
        assert list(tasks) == [a, b]
        assert len(tasks) == 2
        assert tasks[0] is a
        assert tasks["b"] is b
        assert tasks.done

    run(use)


def test_one(run: Run) -> None:
    def use(was: Was) -> Any:
        with pytest.raises(HTTPError) as caught:
            was.Tasks(was.Mask([1]), was.Mask([])).one()
        return was.Tasks(was.Mask([1]), was.Mask([2])).one(), caught.value.code

    assert run(use) == ([1, 2], 410)


def test_error_of_one_does_not_lose_the_others(run: Run, gate: threading.Event) -> None:
    def use(was: Was) -> Any:
        return was.Tasks(
            was.Thread(int, "x"), was.Thread(gate.wait, timeout=0.01), was.Thread(int, "3")
        )

    tasks = run(use)
    results = tasks.dispatch()
    assert [result.status for result in results] == [STA_REQFAIL, STA_TIMEOUT, STA_NORMAL]
    assert results[2].data == 3
    with pytest.raises(ValueError, match="invalid literal"):
        tasks.fetch()
    assert "3, 0 of them not finished" in repr(tasks)


def test_what_is_no_task_is_refused(run: Run) -> None:
    def use(was: Was) -> None:
        with pytest.raises(TypeError, match=r"was\.Mask"):
            was.Tasks(was.Mask(1), a=2)
        with pytest.raises(TypeError, match=r"not str"):
            was.Tasks(["text"])

    run(use)


def test_cancel(run: Run, gate: threading.Event) -> None:
    def use(was: Was) -> Any:
        was.app.config.TASK_THREADS = 1
        first = was.Thread(gate.wait)
        tasks = was.Tasks(was.Thread(str), [was.Thread(str)])
        tasks.cancel()
        gate.set()
        first.wait()
        return str(tasks.dispatch())

    assert run(use) == "[<Result STA_UNSENT>, [<Result STA_UNSENT>]]"
