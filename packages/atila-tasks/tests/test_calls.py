"""Coroutines on the task loop: the asyncio task in which each of them runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from atila import Was
from atila.runtime.loop import TaskLoop
from atila_tasks.upstream.calls import call

Run = Callable[..., Any]


async def where() -> Any:
    return asyncio.current_task()


def test_a_call_yielded_at_once_runs_in_the_asyncio_task_of_its_request(
    co_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_begun = threading.Event()
    begin = TaskLoop.begin

    def begin_and_say_so(self: TaskLoop, coroutine: Any) -> None:
        begin(self, coroutine)
        has_begun.set()

    monkeypatch.setattr(TaskLoop, "begin", begin_and_say_so)

    def use(was: Was) -> Any:
        # Else it depends on the threads whether the loop sees the call long before the yield.
        was.site.loop.call(has_begun.wait, 10)
        first = yield call(was, where)
        second = yield call(was, where)
        return first.fetch() is second.fetch()

    assert co_run(use)


def test_a_call_that_nobody_awaits_yet_runs_beside_its_request(co_run: Run) -> None:
    def use(was: Was) -> Any:
        has_run = threading.Event()

        async def run() -> Any:
            has_run.set()
            return asyncio.current_task()

        early = call(was, run)
        assert has_run.wait(10)
        yield early
        late = yield call(was, where)
        return early.fetch() is late.fetch()

    assert not co_run(use)
