"""`was.Process` on engines that were there before."""

from __future__ import annotations

import math
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from atila import Atila, SetupError, Was
from atila.testing.waits import PATIENCE, wait_until
from atila_tasks import STA_REQFAIL, STA_TIMEOUT, STA_UNSENT
from atila_tasks.local import executors

Run = Callable[..., Any]


class Pool(ThreadPoolExecutor):
    """One thread, and what was made of it."""

    made: list[Pool]

    def __init__(self) -> None:
        super().__init__(1)
        self.made.append(self)
        self.is_shut = False

    def shutdown(self, wait: bool = True) -> None:  # type: ignore[override]  # as Dask's
        self.is_shut = True
        super().shutdown(wait=wait)


@pytest.fixture
def app(app: Atila) -> Atila:
    Pool.made = []
    app.config.PROCESS_EXECUTOR = Pool
    return app


def test_carries_out(app: Atila, run: Run) -> None:
    def use(was: Was) -> Any:
        # No function is pickled here: how it is sent is the executor's.
        return was.Tasks(was.Process(lambda: 7), was.Process(int, "x"), was.Process(int, "7"))

    seven, failed, last = run(use).dispatch()
    assert (seven.data, failed.status, last.data) == (7, STA_REQFAIL, 7)
    assert len(Pool.made) == 1
    app.site.shutdown()
    assert Pool.made[0].is_shut


def test_cancelled_and_late_ones_do_not_begin(run: Run, gate: threading.Event) -> None:
    ran: list[str] = []

    def use(was: Was) -> Any:
        begun = threading.Event()
        running = was.Process(lambda: begun.set() or gate.wait())
        assert begun.wait(PATIENCE)
        cancelled = was.Process(ran.append, "cancelled")
        late = was.Process(ran.append, "late", timeout=0.01)
        last = was.Process(ran.append, "last")
        cancelled.cancel()
        late.wait()
        gate.set()
        return [task.dispatch().status for task in (running, cancelled, late, last)]

    _, cancelled, late, _ = run(use)
    # It may just have been on its way.
    assert cancelled in (STA_UNSENT, STA_REQFAIL)
    assert late == STA_TIMEOUT
    assert ran == ["last"]


def test_broken_one_is_replaced(app: Atila, run: Run) -> None:
    app.config.PROCESS_EXECUTOR = lambda: ProcessPoolExecutor(
        1, multiprocessing.get_context("forkserver")
    )
    pid = run(lambda was: was.Process(os.getpid)).fetch()
    assert pid != os.getpid()
    broken = run(lambda was: was.Process(os._exit, 3)).dispatch()
    assert broken.status == STA_REQFAIL
    assert run(lambda was: was.Process(math.sqrt, 4)).fetch() == 2.0
    app.site.shutdown()


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("where", ["made", "submitted"])
def test_one_that_hangs_is_replaced(
    app: Atila,
    run: Run,
    gate: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    at_once: bool,
) -> None:
    """As a pool of processes does whose fork server does not answer: it holds a lock meanwhile."""
    monkeypatch.setattr(executors, "HAND_OVER_SECONDS", 0.2)
    late = executors._Desk.late
    if not at_once:
        # The other thread has begun a moment later.
        one_more = lambda desk: [task for task in late(desk) if not task.done][:1]  # noqa: E731
        monkeypatch.setattr(executors._Desk, "late", one_more)
    ran: list[int] = []

    class Hanging(Pool):
        def __init__(self) -> None:
            super().__init__()
            self.is_first = len(Pool.made) == 1
            self.lock = threading.Lock()
            if self.is_first and where == "made":
                gate.wait()

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            with self.lock:
                if self.is_first and where == "submitted":
                    gate.wait()
                return super().submit(fn, *args, **kwargs)

    app.config.PROCESS_EXECUTOR = Hanging

    def use(was: Was) -> Any:
        # Two hang; the others wait behind them.
        return [was.Process(ran.append, number) for number in range(5)]

    tasks = run(use)
    results = [task.dispatch() for task in tasks]
    assert [result.status for result in results[:2]] == [STA_UNSENT] * 2
    assert isinstance(results[0].error, TimeoutError)
    assert sorted(ran) == [2, 3, 4]
    assert run(lambda was: was.Process(int, "7")).fetch() == 7
    assert len(Pool.made) == 2
    gate.set()
    wait_until(lambda: all(task.handle for task in tasks[:2]), "those that hung have gone on")
    # Nothing of it is kept, nor used any more.
    wait_until(lambda: Pool.made[0].is_shut, "the executor that hung is shut down")
    assert not Pool.made[1].is_shut
    app.site.shutdown()


def test_tasks_that_find_no_room_are_not_kept(
    app: Atila, run: Run, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    desks: list[executors._Desk] = []

    class Desk(executors._Desk):
        def __init__(self, make: Callable[[], Executor], queue_size: int) -> None:
            super().__init__(make, queue_size)
            desks.append(self)

    def make() -> Executor:
        gate.wait()
        return Pool()

    monkeypatch.setattr(executors, "_Desk", Desk)
    app.config.PROCESS_EXECUTOR = make
    app.config.TASK_QUEUE_SIZE = 1
    tasks = run(lambda was: [was.Process(int, "7") for _ in range(9)])
    refused = [task for task in tasks if task.done]
    assert refused
    assert desks[0].waiting.isdisjoint(refused)
    gate.set()
    app.site.shutdown()


def test_one_that_cannot_be_made_is_tried_again(app: Atila, run: Run) -> None:
    failing: list[str] = []

    def make() -> Executor:
        if not failing:
            failing.append("once")
            raise ConnectionError("no cluster")
        return Pool()

    app.config.PROCESS_EXECUTOR = make
    first = run(lambda was: was.Process(int)).dispatch()
    assert (first.status, str(first.error)) == (STA_UNSENT, "no cluster")
    assert run(lambda was: was.Process(int)).fetch() == 0


def test_what_is_none(app: Atila, run: Run) -> None:
    app.config.PROCESS_EXECUTOR = dict
    with pytest.raises(TypeError, match=r"must make a concurrent.futures.Executor, not dict"):
        run(lambda was: was.Process(int)).fetch()


def test_executor_instead_of_what_makes_one(app: Atila) -> None:
    app.config.PROCESS_EXECUTOR = Pool()
    app.route("/")(lambda was: "")
    with pytest.raises(SetupError, match="each process of the server needs its own"):
        app.test_client().get("/")


def test_one_that_calls_back_in_the_calling_thread(app: Atila, run: Run) -> None:
    class Immediate(Executor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_result(fn(*args, **kwargs))
            return future

    app.config.PROCESS_EXECUTOR = Immediate
    assert run(lambda was: was.Process(int, "7")).fetch() == 7


def test_end_of_a_site(app: Atila, run: Run, gate: threading.Event) -> None:
    def use(was: Was) -> Any:
        begun = threading.Event()
        running = was.Process(lambda: begun.set() or gate.wait(PATIENCE))
        assert begun.wait(PATIENCE)
        return running, was.Process(int)

    running, queued = run(use)
    # Both are with the executor by now.
    wait_until(lambda: queued.handle is not None, "the executor has both")
    app.site.shutdown(1.0)
    gate.set()
    assert queued.dispatch().status == STA_UNSENT
    assert running.fetch() is True
    assert Pool.made[0].is_shut
