from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from atila import HTTPError, Was
from atila.testing.waits import PATIENCE, patience, wait_until
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


def test_options_belong_to_the_group(run: Run) -> None:
    def use(was: Was) -> Any:
        calls: list[Any] = []

        def total(data: list[int]) -> int:
            calls.append(data)
            return sum(data)

        group = was.Tasks([was.Mask(1), was.Mask(2)], meta={"a": 1}, filter=total, timeout=60)
        named = was.Tasks(a=was.Mask([1]), meta={"b": 2}, filter=lambda data: data["a"])
        nested = was.Tasks(inner=was.Tasks(was.Mask(1), filter=len), filter=dict.copy)
        data = group.fetch(), group.fetch(), named.fetch(), named.one(), nested.fetch()
        return *data, calls, group.meta, named.meta, was.Tasks(was.Mask(1)).meta

    assert run(use) == (3, 3, [1], 1, {"inner": 1}, [[1, 2]], {"a": 1}, {"b": 2}, {})


def test_outcomes_are_not_filtered_and_errors_of_the_filter_are_raised(run: Run) -> None:
    group = run(lambda was: was.Tasks(was.Mask(1), filter=lambda data: 1 // 0))
    assert [result.data for result in group.dispatch()] == [1]
    with pytest.raises(ZeroDivisionError):
        group.fetch()


def _late(was: Was, opened: threading.Event) -> Any:
    late = was.Thread(opened.wait, timeout=3600)
    return was.Tasks(late, was.Tasks(was.Thread(opened.wait)), was.Mask(1), timeout=0.05)


def test_time_of_the_group(run: Run, co_run: Run, gate: threading.Event) -> None:
    def use(was: Was) -> Any:
        return (yield _late(was, gate))

    for group in (run(lambda was: _late(was, gate)), co_run(use)):
        late, inner, done = group.dispatch()
        statuses = [late.status, inner[0].status, done.status]
        assert statuses == [STA_TIMEOUT, STA_TIMEOUT, STA_NORMAL]
        with pytest.raises(TimeoutError, match=re.escape("0.05")):
            group.fetch()


def test_what_has_begun_ends_with_the_time_of_the_group(run: Run, co_run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}"

        def make(was: Was) -> Any:
            # Limits of their own, which the backends know, are longer.
            program = was.Subprocess("sleep 3599.75", timeout=7200)
            # Long enough to connect and ask.
            return was.Tasks(was.get(url, timeout=7200), program, timeout=patience(0.5))

        def use(was: Was) -> Any:
            return (yield make(was))

        def wait(was: Was) -> Any:
            group = make(was)
            group.dispatch()
            return group

        for group in (run(wait), co_run(use)):
            assert [result.status for result in group.dispatch()] == [STA_TIMEOUT] * 2
            connection, _ = hanging.accept()
            with connection:
                connection.settimeout(PATIENCE)
                with connection.makefile("rb") as stream:
                    # To its end.
                    assert stream.read().startswith(b"GET / HTTP/1.1")
            wait_until(lambda: not _programs(), "the program has ended")


def _programs() -> list[Any]:
    running = psutil.process_iter(["cmdline"])
    return [each for each in running if each.info["cmdline"] == ["sleep", "3599.75"]]


def test_tasks_of_these_names_are_members(run: Run) -> None:
    def use(was: Was) -> Any:
        return was.Tasks(meta=was.Mask(1), timeout=was.Mask(2), filter=was.Mask(3)).fetch()

    assert run(use) == {"timeout": 2, "filter": 3, "meta": 1}


@pytest.mark.parametrize("option", [{"timeout": "1"}, {"filter": 3}, {"meta": [1]}])
def test_wrong_options(run: Run, option: dict[str, Any]) -> None:
    (name,) = option

    def use(was: Was) -> str:
        with pytest.raises(TypeError) as caught:
            was.Tasks(was.Mask(1), **option)
        return str(caught.value)

    assert run(use).startswith(f"{name} of was.Tasks must be")
