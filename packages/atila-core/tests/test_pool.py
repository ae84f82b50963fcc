"""The worker pool."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from atila.runtime.pool import WorkerPool
from atila.testing.waits import PATIENCE, wait_until

WAIT = PATIENCE


def test_jobs_run_in_threads_of_the_pool() -> None:
    pool = WorkerPool(threads=2, name="tried")
    names: list[str] = []
    done = threading.Event()
    assert pool.submit(lambda: (names.append(threading.current_thread().name), done.set()))
    assert done.wait(WAIT)
    assert names[0].startswith("tried-")


def test_fast_jobs_keep_to_one_thread_and_slow_ones_spread() -> None:
    pool = WorkerPool(threads=8)
    running = threading.Barrier(8)
    done = threading.Semaphore(0)

    def slow() -> None:
        running.wait(WAIT)
        done.release()

    for _ in range(8):
        assert pool.submit(slow)
    # Each of the eight waits for the other seven, so they end only if eight threads are awake.
    assert all(done.acquire(timeout=WAIT) for _ in range(8))

    one_by_one = Counter[str]()
    for _ in range(200):
        ended = threading.Event()
        pool.submit(lambda e=ended: (one_by_one.update([threading.current_thread().name]), e.set()))
        assert ended.wait(WAIT)
    assert one_by_one.most_common(1)[0][1] > 150


def test_an_eager_pool_wakes_a_thread_for_each_job_at_once() -> None:
    pool = WorkerPool(threads=4, one_thread_per_job=True)
    pool._watching = True  # so that no stall is ever noticed
    together = threading.Barrier(4)
    done = threading.Semaphore(0)
    for _ in range(4):
        pool.submit(lambda: (together.wait(WAIT), done.release()))
    assert all(done.acquire(timeout=WAIT) for _ in range(4))


def test_a_full_queue_refuses_and_recovers() -> None:
    pool = WorkerPool(threads=1, queue_size=2)
    started, release = threading.Event(), threading.Event()
    pool.submit(lambda: (started.set(), release.wait(WAIT)))
    assert started.wait(WAIT)
    assert pool.submit(int)
    assert pool.submit(int)
    assert not pool.submit(int)
    pool.resubmit(int)
    release.set()
    done = threading.Event()
    pool.resubmit(done.set)
    assert done.wait(WAIT)
    assert pool.submit(int)


def test_a_job_that_raises_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    pool = WorkerPool(threads=1)
    done = threading.Event()
    pool.submit(lambda: 1 / 0)
    pool.submit(done.set)
    assert done.wait(WAIT)
    assert "ZeroDivisionError" in caplog.text


def test_no_job_is_lost_when_many_threads_submit() -> None:
    pool = WorkerPool(threads=4, queue_size=100_000)
    counted: list[int] = []
    done = threading.Event()
    total = 8 * 2000

    def job(number: int) -> None:
        counted.append(number)
        if len(counted) == total:
            done.set()

    def submit_many(first: int) -> None:
        for number in range(first, first + 2000):
            assert pool.submit(job, number)

    senders = [threading.Thread(target=submit_many, args=(n * 2000,)) for n in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert done.wait(WAIT)
    assert sorted(counted) == list(range(total))


def test_closing_waits_for_what_runs_and_takes_nothing_new() -> None:
    pool = WorkerPool(threads=1)
    started, release, ended = threading.Event(), threading.Event(), threading.Event()
    pool.submit(lambda: (started.set(), release.wait(WAIT), ended.set()))
    assert started.wait(WAIT)
    assert not pool.close(timeout=0.02)
    assert not pool.submit(int)
    release.set()
    assert pool.close(timeout=WAIT)
    assert ended.is_set()


@pytest.mark.parametrize(("threads", "queue"), [(0, 1), (1, 0)])
def test_a_pool_of_nothing_is_refused(threads: int, queue: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        WorkerPool(threads, queue)


def test_a_blocked_thread_does_not_slow_down_others() -> None:
    pool = WorkerPool(threads=4)
    started, release = threading.Event(), threading.Event()
    pool.submit(lambda: (started.set(), release.wait(WAIT)))
    assert started.wait(WAIT)
    once = threading.Event()
    pool.submit(once.set)  # found out to be stalled, once
    assert once.wait(WAIT)
    pool._watching = True  # from now on no stall is noticed
    for _ in range(20):
        ended = threading.Event()
        pool.submit(ended.set)
        assert ended.wait(WAIT)
    release.set()


def test_a_pool_with_all_threads_blocked_rests() -> None:
    pool = WorkerPool(threads=2, queue_size=100)
    release, done = threading.Event(), threading.Semaphore(0)
    for _ in range(50):
        pool.submit(lambda: (release.wait(WAIT), done.release()))
    wait_until(lambda: not pool._watching, "it rests")
    release.set()
    assert all(done.acquire(timeout=WAIT) for _ in range(50))


def test_jobs_that_wait_can_be_taken_back() -> None:
    pool = WorkerPool(threads=1, queue_size=4)
    told: list[str] = []
    pool.all_busy = lambda: told.append("busy")
    started, release, done = threading.Event(), threading.Event(), threading.Event()
    ran: list[int] = []

    def job(number: int) -> None:
        ran.append(number)
        if number == 3:
            done.set()

    pool.submit(lambda: (started.set(), release.wait(WAIT)))
    assert started.wait(WAIT)
    assert all(pool.submit(job, number) for number in range(4))
    assert not pool.submit(job, 4)
    wait_until(lambda: told, "the pool has said that all threads are busy")
    assert pool.queued() == [(0,), (1,), (2,), (3,)]
    assert pool.withdraw(lambda arguments: arguments[0] in (0, 2, 9)) == [(0,), (2,)]
    assert pool.submit(job, 4), "there is room again"
    release.set()
    assert done.wait(WAIT)
    assert pool.close(WAIT)
    assert ran == [1, 3, 4]


def test_no_job_is_lost_or_run_twice_while_others_are_taken_back() -> None:
    pool = WorkerPool(threads=4, queue_size=1_000_000)
    count, ended, withdrawn = 20_000, Counter[int](), Counter[int]()
    stop = threading.Event()

    def withdraw() -> None:
        while not stop.is_set():
            withdrawn.update(n for (n,) in pool.withdraw(lambda arguments: arguments[0] % 7 == 0))

    thief = threading.Thread(target=withdraw)
    thief.start()
    for number in range(count):
        pool.submit(lambda n: ended.update([n]), number)
    wait_until(lambda: sum(ended.values()) + sum(withdrawn.values()) >= count, "all came to an end")
    stop.set()
    thief.join(WAIT)
    assert ended + withdrawn == Counter(range(count))
