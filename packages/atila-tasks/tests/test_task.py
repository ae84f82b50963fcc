"""The task itself: its states, and waiting for it, with a backend made for that."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any

import pytest

from atila import HTTPError, Was, current
from atila.testing.waits import PATIENCE
from atila_tasks import (
    STA_NETERR,
    STA_NORMAL,
    STA_REQFAIL,
    STA_TIMEOUT,
    STA_UNSENT,
    Backend,
    Task,
    TaskCancelled,
    TaskTimeout,
)

Run = Callable[..., Any]


class ByHand(Backend):
    """Does nothing by itself; cancels what has not begun."""

    def start(self, task: Task) -> None:
        task.handle = "started"

    def cancel(self, task: Task) -> None:
        if task.try_start():
            task.fail(TaskCancelled(), STA_UNSENT)


def make(was: Was, **options: Any) -> Task:
    return Task(was, ByHand(), "work", **options)


def test_is_started_when_made(run: Run) -> None:
    task = run(make)
    assert task.handle == "started"
    assert task.work == "work"
    assert not task.done


def test_settled(run: Run) -> None:
    task = run(make)
    assert task.try_start()
    assert not task.try_start()
    task.settle([1])
    assert task.done
    assert task.fetch() == [1]
    assert task.one() == 1
    assert task.commit() is None
    result = task.dispatch()
    assert (result.status, result.data, result.error) == (STA_NORMAL, [1], None)


def test_first_outcome_counts(run: Run) -> None:
    task = run(make)
    task.settle(1)
    task.settle(2)
    task.fail(ValueError("late"))
    assert task.fetch() == 1


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("bad"), STA_REQFAIL),
        (ConnectionResetError("gone"), STA_NETERR),
        (TimeoutError("slow"), STA_TIMEOUT),
    ],
)
def test_failed(run: Run, error: Exception, status: int) -> None:
    task = run(make)
    task.fail(error)
    assert task.dispatch().status == status
    assert task.dispatch().data is None
    assert task.dispatch().error is error
    for method in (task.fetch, task.one, task.commit):
        with pytest.raises(type(error)) as caught:
            method()
        assert caught.value is error


def test_exit_of_a_thread_is_an_error(run: Run) -> None:
    task = run(make)
    task.fail(SystemExit(3))
    with pytest.raises(RuntimeError, match="SystemExit"):
        task.fetch()


@pytest.mark.parametrize("data", [[], (), None, set()])
def test_one_of_none(run: Run, data: Any) -> None:
    task = run(make)
    task.settle(data)
    with pytest.raises(HTTPError) as caught:
        task.one()
    assert caught.value.code == 410


def test_one_of_several(run: Run) -> None:
    task = run(make)
    task.settle([1, 2])
    with pytest.raises(HTTPError) as caught:
        task.one()
    assert caught.value.code == 409


@pytest.mark.parametrize("data", [{"a": 1, "b": 2}, "text", "", b"xy", 7, 0])
def test_one_of_what_is_no_collection(run: Run, data: Any) -> None:
    task = run(make)
    task.settle(data)
    assert task.one() == data


def test_filter(run: Run) -> None:
    task = run(lambda was: make(was, filter=sorted))
    task.settle([2, 1])
    assert task.fetch() == [1, 2]


def test_filter_that_fails(run: Run) -> None:
    task = run(lambda was: make(was, filter=lambda data: data["missing"]))
    task.settle({})
    assert task.dispatch().status == STA_REQFAIL
    with pytest.raises(KeyError):
        task.fetch()


def test_meta(run: Run) -> None:
    assert run(make).meta == {}
    assert run(lambda was: make(was, meta={"a": 1})).meta == {"a": 1}


def test_timeout_of_a_waiting_thread(run: Run) -> None:
    task = run(lambda was: make(was, timeout=0.01))
    assert task.dispatch().status == STA_TIMEOUT
    with pytest.raises(TaskTimeout, match=r"0\.01 s") as caught:
        task.fetch()
    assert isinstance(caught.value, TimeoutError)
    assert (caught.value.code, caught.value.errno) == (504, 0)
    assert not task.try_start()


def test_data_that_comes_too_late(run: Run) -> None:
    task = run(lambda was: make(was, timeout=0))
    task.settle("late")
    assert task.dispatch().status == STA_TIMEOUT


def test_is_not_begun_when_its_time_is_over(run: Run) -> None:
    task = run(lambda was: make(was, timeout=0))
    assert not task.try_start()
    assert task.done


def test_cancel(run: Run) -> None:
    task = run(make)
    task.cancel()
    assert task.dispatch().status == STA_UNSENT
    with pytest.raises(TaskCancelled):
        task.fetch()
    task.settle(1)
    assert task.dispatch().status == STA_UNSENT


def test_threads_wait(run: Run) -> None:
    task = run(make)
    seen: list[Any] = []
    threads = [threading.Thread(target=lambda: seen.append(task.fetch())) for _ in range(3)]
    for thread in threads:
        thread.start()
    task.settle("data")
    for thread in threads:
        thread.join(PATIENCE)
    assert seen == ["data"] * 3


def test_waiting_on_a_loop_is_refused(run: Run) -> None:
    task = run(make)

    async def use() -> None:
        for method in (task.fetch, task.one, task.commit, task.dispatch, task.wait):
            with pytest.raises(RuntimeError, match="yield"):
                method()
        task.settle(1)
        assert task.fetch() == 1
        task.wait()

    asyncio.run(use())


def test_is_awaited_on_any_loop(run: Run) -> None:
    task = run(make)

    async def use() -> None:
        asyncio.get_running_loop().call_later(0.001, task.fail, ValueError())
        # The task itself comes back, and what it failed with is not raised.
        assert await task is task
        assert await task is task
        assert task.dispatch().status == STA_REQFAIL

    asyncio.run(use())


def test_timeout_of_a_waiting_coroutine(run: Run) -> None:
    task = run(lambda was: make(was, timeout=0.01))

    async def use() -> None:
        await task
        assert task.dispatch().status == STA_TIMEOUT

    asyncio.run(use())


def test_cancelled_with_the_coroutine_that_waits(run: Run) -> None:
    task = run(make)

    async def use() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(task, 0.001)

    asyncio.run(use())
    assert task.dispatch().status == STA_UNSENT


def test_closed_loop_does_not_keep_others_waiting(run: Run) -> None:
    task = run(make)
    told = []

    def broken() -> None:
        raise RuntimeError("the loop is closed")

    task.when_done(broken)
    task.when_done(lambda: told.append(1))
    task.settle(1)
    task.when_done(lambda: told.append(2))
    assert told == [1, 2]


def test_context(run: Run) -> None:
    was = run(lambda was: was)
    # Even if the task is made where no request is known.
    assert Context().run(make, was).context.run(current.get) is was


def test_repr_tells_no_secret(run: Run) -> None:
    task = run(lambda was: Task(was, ByHand(), "password", meta={"key": "password"}))
    texts = [repr(task)]
    task.try_start()
    texts.append(repr(task))
    task.settle("password")
    texts += [repr(task), repr(task.dispatch()), str(task.dispatch())]
    assert not any("password" in text for text in texts)
    assert "waiting" in texts[0]
    assert "running" in texts[1]
    assert "STA_NORMAL" in texts[2]


def test_finished_task_lets_go_of_its_work(run: Run) -> None:
    task = run(make)
    task.settle(1)
    assert task.work is None


def test_mask(run: Run) -> None:
    task = run(lambda was: was.Mask([1, 2], meta={"a": 1}))
    assert task.done
    assert task.fetch() == [1, 2]
    assert task.meta == {"a": 1}


def test_statuses_are_those_of_skitai() -> None:
    statuses = (STA_REQFAIL, STA_UNSENT, STA_TIMEOUT, STA_NETERR, STA_NORMAL)
    assert statuses == (-1, 0, 1, 2, 3)
