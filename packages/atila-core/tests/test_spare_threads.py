"""Threads that wait for what others hold, and what is done meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from atila import HTTPError
from atila.runtime.pool import WorkerPool
from atila.runtime.spare_threads import Gate, Lock, ServerThreads, own, waiting
from atila.testing.waits import patience, wait_until


class Work:
    """A job that waits until `release` is set.

    Args:
        pool: that carries it out.
        kind: `waiting`, or what else goes around the wait.
    """

    def __init__(self, pool: WorkerPool, kind: Callable[[], object] = waiting) -> None:
        self.pool = pool
        self.kind = kind
        self.release = threading.Event()
        self.begun = 0
        self.ended = 0
        self.failed: list[HTTPError] = []
        self._lock = threading.Lock()

    def run(self) -> None:
        with self._lock:
            self.begun += 1
        try:
            with self.kind():
                assert self.release.wait(patience())
        except HTTPError as error:
            self.failed.append(error)
        with self._lock:
            self.ended += 1

    def start(self, times: int) -> None:
        for _ in range(times):
            assert self.pool.submit(self.run)

    def end(self, times: int) -> None:
        self.release.set()
        wait_until(lambda: self.ended == times, f"{times} jobs ended")


def does_something(pool: WorkerPool) -> bool:
    done = threading.Event()
    assert pool.submit(done.set)
    return done.wait(patience(2))


def test_a_thread_that_waits_is_replaced_and_the_spare_one_goes() -> None:
    pool = WorkerPool(threads=2, spare=2)
    work = Work(pool)
    work.start(2)
    wait_until(lambda: pool.threads[2] == 2, "both threads wait")
    assert does_something(pool)
    work.end(2)
    assert does_something(pool)
    wait_until(lambda: sum(pool.threads) <= 2 and pool.threads[2] == 0, "spare threads ended")
    assert pool.close(patience())


def test_of_one_function_no_more_wait_in_threads_than_there_are_threads() -> None:
    pool = WorkerPool(threads=2, queue_size=100, spare=10)
    work, other = Work(pool), Work(pool)
    work.start(20)
    wait_until(lambda: pool.threads[2] >= 2, "two wait")
    assert does_something(pool)
    # One or two may have begun before the second came to its wait.
    assert 2 <= work.begun <= 4
    assert pool.waiting >= 16
    other.start(1)
    wait_until(lambda: other.begun == 1, "another function is no part of the crowd")
    other.end(1)
    work.end(20)
    assert pool.waiting == 0
    assert pool.close(patience())


def test_parked_jobs_count_as_queued() -> None:
    pool = WorkerPool(threads=1, queue_size=4, spare=1)
    work = Work(pool)
    work.start(1)
    wait_until(lambda: pool.threads[2] == 1, "it waits")
    work.start(4)
    # They have been looked at, and are no less in the queue for that.
    wait_until(lambda: not pool._jobs, "four are parked")
    assert pool.is_full
    assert not pool.submit(int)
    work.end(5)
    assert pool.submit(int)
    assert pool.close(patience())


def test_parked_jobs_that_need_not_wait_any_more_bring_the_others_along() -> None:
    pool = WorkerPool(threads=1, queue_size=100, spare=1)
    done: list[int] = []
    release = threading.Event()

    def job() -> None:
        if not release.is_set():
            with waiting():
                release.wait(patience())
        done.append(1)

    for _ in range(50):
        pool.submit(job)
    wait_until(lambda: not pool._jobs, "one waits, the rest is parked")
    release.set()
    wait_until(lambda: len(done) == 50, "all are done")


def test_closing_waits_for_parked_jobs() -> None:
    pool = WorkerPool(threads=1, spare=1)
    work = Work(pool)
    work.start(3)
    wait_until(lambda: pool.threads[2] == 1 and not pool._jobs, "one waits, two are parked")
    assert not pool.close(0.02)
    threading.Timer(0.05, work.release.set).start()
    assert pool.close(patience())
    assert work.ended == 3


def test_without_a_spare_thread_the_wait_holds_the_thread_or_fails() -> None:
    pool = WorkerPool(threads=1, spare=1)
    first = Work(pool)
    first.start(1)
    wait_until(lambda: pool.threads[2] == 1, "the spare thread is needed")
    second = Work(pool, lambda: waiting(sheds=True))
    second.start(1)
    wait_until(lambda: second.ended == 1, "it has failed at once")
    assert second.failed[0].code == 503
    assert ("retry-after", "1") in second.failed[0].headers
    third = Work(pool)
    third.start(1)
    wait_until(lambda: third.begun == 1, "it waits in the spare thread")
    third.end(1)
    assert not third.failed
    first.end(1)


def test_waits_in_waits_count_once() -> None:
    pool = WorkerPool(threads=1, spare=5)
    seen: list[int] = []

    def job() -> None:
        with waiting(), waiting(), waiting(sheds=True):
            seen.append(pool.threads[2])
        seen.append(pool.threads[2])

    assert pool.submit(job)
    wait_until(lambda: len(seen) == 2, "done")
    assert seen == [1, 0]


def test_a_wait_that_fails_gives_its_thread_back() -> None:
    pool = WorkerPool(threads=1, spare=1)

    def job() -> None:
        with waiting():
            raise LookupError

    for _ in range(3):
        assert pool.submit(job)
    assert does_something(pool)
    assert pool.threads[2] == 0


def test_other_threads_just_wait() -> None:
    found: list[object] = []

    def wait() -> None:
        with waiting(sheds=True), waiting():
            found.append(own.lender)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    assert found == [None]


def test_many_jobs_that_wait_and_work_are_all_done() -> None:
    pool = WorkerPool(threads=4, queue_size=100_000, spare=3)
    lock, gate = Lock(), Gate(2)
    count = refused = 0
    total = 6_000

    def locked() -> None:
        nonlocal count
        with lock, lock:
            count += 1

    def gated() -> None:
        nonlocal count, refused
        try:
            with gate:
                pass
        except HTTPError:
            with lock:
                refused += 1
        with lock:
            count += 1

    def plain() -> None:
        locked()

    for _ in range(total // 3):
        for job in (locked, gated, plain):
            assert pool.submit(job)
    wait_until(lambda: count == total, f"{total} jobs done, {refused} refused")
    assert pool.close(patience())
    assert pool.threads[2] == pool.waiting == 0
    assert sum(pool.threads) <= 4


def test_a_gate_on_the_loop_never_waits() -> None:
    gate = Gate(1)

    async def enter() -> None:
        with gate, pytest.raises(HTTPError, match="too many") as error, gate:
            pass
        assert error.value.code == 503

    asyncio.run(enter())
    with gate:
        pass


def test_threads_of_a_wsgi_server() -> None:
    threads = ServerThreads()
    # What cannot be refused waits as ever.
    assert not threads.lend(sheds=False)
    lent = 0
    while threads.lend(sheds=True):
        lent += 1
    assert lent == 4
    threads.take_back(sheds=True)
    assert threads.lend(sheds=True)
