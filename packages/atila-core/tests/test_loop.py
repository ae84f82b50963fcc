"""The task loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from atila.runtime.loop import TaskLoop
from atila.testing.waits import PATIENCE

WAIT = PATIENCE


@pytest.fixture
def loop():
    made = TaskLoop.in_thread()
    yield made
    made.stop()


def test_calls_from_many_threads_all_arrive_in_their_order(loop: TaskLoop) -> None:
    seen: list[tuple[int, int]] = []
    done = threading.Event()

    def send(sender: int) -> None:
        for number in range(500):
            loop.call(seen.append, (sender, number))

    senders = [threading.Thread(target=send, args=(n,)) for n in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    loop.call(done.set)
    assert done.wait(WAIT)
    assert [n for s, n in seen if s == 2] == list(range(500))
    assert len(seen) == 2000


def test_a_call_that_raises_is_logged_and_harms_no_other(
    loop: TaskLoop, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()
    loop.call(lambda: 1 / 0)
    loop.call(done.set)
    assert done.wait(WAIT)
    assert "ZeroDivisionError" in caplog.text


def test_a_coroutine_runs_on_the_loop_and_its_error_is_logged(
    loop: TaskLoop, caplog: pytest.LogCaptureFixture
) -> None:
    on_loop: list[bool] = []
    done = threading.Event()

    async def work() -> None:
        await asyncio.sleep(0)
        on_loop.append(loop.is_current())
        loop.loop.call_soon(done.set)
        raise LookupError("lost")

    loop.spawn(work())
    assert done.wait(WAIT)
    assert on_loop == [True]
    assert not loop.is_current()
    flushed = threading.Event()
    loop.call(flushed.set)
    assert flushed.wait(WAIT)
    assert "LookupError: lost" in caplog.text


def test_stopping_cancels_what_runs(loop: TaskLoop) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def forever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    loop.spawn(forever())
    assert started.wait(WAIT)
    assert loop.busy == 1
    loop.stop()
    assert cancelled.wait(WAIT)


def test_a_coroutine_is_run_to_its_end_on_the_loop(
    loop: TaskLoop, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[bool] = []

    async def closing() -> None:
        await asyncio.sleep(0)
        ended.append(loop.is_current())

    async def failing() -> None:
        raise LookupError("lost")

    loop.run(closing(), 5.0)
    assert ended == [True]
    loop.run(failing(), 5.0)
    assert "LookupError: lost" in caplog.text
    loop.run(asyncio.Event().wait(), 0.01)
    assert "took longer" in caplog.text
    loop.stop()
    loop.run(closing(), 5.0)
    assert ended == [True]


def test_a_loop_that_its_server_has_stopped_still_runs_what_closes() -> None:
    mine = asyncio.new_event_loop()
    loop = TaskLoop(mine)
    ended: list[bool] = []

    async def closing() -> None:
        ended.append(True)

    loop.run(closing(), 5.0)
    loop.stop()
    mine.close()
    loop.run(closing(), 5.0)
    assert ended == [True]
