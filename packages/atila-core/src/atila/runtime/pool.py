"""Worker threads with a bounded queue; the number awake follows the work.

Fast handlers gain nothing from a second awake thread, which only competes for the interpreter. So
one thread stays hot, and another is woken only when the job at the head of the queue has waited for
`STALL` seconds, as it does when a handler blocks.
"""

from __future__ import annotations

import logging
import threading
import time
from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Callable
from typing import Any

from atila.runtime.crowds import Crowds, Job
from atila.runtime.spare_threads import own

STALL = 0.001
"""Seconds that the oldest job waits before one more thread is woken."""

log = logging.getLogger("atila.pool")


class WorkerPool:
    """Runs jobs in threads.

    Args:
        threads: the most threads that work at a time; they are started as they are needed.
        queue_size: the most jobs that may wait; a further one is refused.
        spare: the most threads there may be besides, in place of those that wait; see
            `spare_threads`. Of one function as many jobs wait in threads as there are threads.
        name: prefix of the threads' names.
        eager: wake a thread for each job at once, for jobs that are known to block.

    Attributes:
        all_busy: called, on any thread, when a job waits and no thread can be woken for it.
    """

    def __init__(
        self,
        threads: int = 32,
        queue_size: int = 1024,
        name: str = "atila",
        *,
        spare: int = 0,
        one_thread_per_job: bool = False,
    ) -> None:
        if threads < 1 or queue_size < 1:
            raise ValueError("a worker pool needs at least one thread and one place in its queue")
        self.size = threads
        self.queue_size = queue_size
        self.name = name
        self._one_thread_per_job = one_thread_per_job
        self._jobs: deque[Job] = deque()
        # A thread is known here by the lock on which it sleeps.
        self._threads: list[LockType] = []
        self._asleep: deque[LockType] = deque()
        self._blocked: set[LockType] = set()
        self._starting = threading.Lock()
        self.all_busy: Callable[[], object] | None = None
        self._spare = spare
        self._lent = 0
        self._crowds = Crowds(threads)
        self._started = 0
        self._closing = False
        self._is_sorting = False
        self._watching = False
        self._alarm = allocate_lock()
        self._alarm.acquire()
        self._watcher: threading.Thread | None = None

    @property
    def is_full(self) -> bool:
        """Whether `submit` would refuse a job now."""
        return self.waiting >= self.queue_size or self._closing

    @property
    def waiting(self) -> int:
        """How many jobs wait for a thread."""
        return len(self._jobs) + self._crowds.parked

    @property
    def threads(self) -> tuple[int, int, int]:
        """How many threads there are: those that work, those that have nothing to do, and those
        that wait while spare threads work for them.
        """
        idle = min(len(self._asleep), len(self._threads))
        lent = min(self._lent, len(self._threads) - idle)
        return len(self._threads) - idle - lent, idle, lent

    def submit(self, func: Callable[..., object], *args: Any) -> bool:
        """Have a thread call func(*args). From any thread.

        Returns:
            False if the queue is full or the pool is closed: the job will not run.
        """
        if len(self._jobs) + self._crowds.parked >= self.queue_size or self._closing:
            return False
        self._jobs.append((func, args))
        self._notify()
        return True

    def resubmit(self, func: Callable[..., object], *args: Any) -> None:
        """Like `submit` for the rest of a job that was once accepted: never refused."""
        self._jobs.append((func, args))
        self._notify()

    def queued(self) -> list[tuple[Any, ...]]:
        """The arguments of the jobs that wait for a thread."""
        # A copy, made at once, whatever the threads take meanwhile.
        return [args for _, args in self._jobs.copy()]

    def withdraw(self, is_unwanted: Callable[[tuple[Any, ...]], bool]) -> list[tuple[Any, ...]]:
        """Take jobs out of the queue, by their arguments.

        Returns:
            The arguments of those that no thread will run any more.
        """
        jobs, found = self._jobs, []
        self._is_sorting = True
        try:
            for _ in range(len(jobs)):
                job = jobs.popleft()
                if is_unwanted(job[1]):
                    found.append(job[1])
                else:
                    jobs.append(job)
        except IndexError:
            pass  # The threads were faster.
        finally:
            self._is_sorting = False
        if jobs:
            # A thread may have found the queue empty.
            self._notify()
        return found

    def close(self, timeout: float) -> bool:
        """Take no new jobs and wait for the accepted ones, at most `timeout` seconds.

        Returns:
            Whether all of them ended in time.
        """
        self._closing = True
        deadline = time.monotonic() + timeout
        while self._jobs or self._is_sorting or len(self._asleep) < len(self._threads):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def lend(self, *, sheds: bool) -> bool:
        """See `spare_threads.Lender`."""
        with self._starting:
            if self._lent >= self._spare:
                return False
            self._lent += 1
        if not sheds:
            self._crowds.join(own.doing[0])
        if self._jobs:
            self._notify()
        return True

    def take_back(self, *, sheds: bool) -> None:
        """See `spare_threads.Lender`."""
        with self._starting:
            self._lent -= 1
        if sheds:
            return
        for job in self._crowds.leave(own.doing[0]):
            self._jobs.append(job)
            self._notify()

    def _notify(self) -> None:
        # A thread that falls asleep puts its lock into _asleep first and looks at _jobs again
        # after that; a job is appended before _asleep is looked at here. One of the two sees it.
        if self._one_thread_per_job or len(self._asleep) + len(self._blocked) >= len(self._threads):
            self._wake()
        elif not self._watching:
            self._watch()

    def _wake(self) -> bool:
        """Wake the thread that slept last, or start another; False if all are awake."""
        try:
            self._asleep.pop().release()
        except IndexError:
            with self._starting:
                if len(self._threads) < self.size + self._lent:
                    self._start_thread()
                    return True
            if self.all_busy is not None:
                self.all_busy()
            return False
        return True

    def _start_thread(self) -> None:
        sleeping = allocate_lock()
        sleeping.acquire()
        self._threads.append(sleeping)
        self._started += 1
        name = f"{self.name}-{self._started}"
        threading.Thread(target=self._work, args=(sleeping,), name=name, daemon=True).start()

    def _work(self, sleeping: LockType) -> None:
        jobs, asleep, blocked = self._jobs, self._asleep, self._blocked
        if self._spare:
            own.lender = self
        doing = own.doing = [id]
        crowds, waiting = self._crowds, self._crowds.waiting
        while True:
            try:
                func, args = job = jobs.popleft()
            except IndexError:
                if len(self._threads) > self.size and self._retire(sleeping):
                    return
                asleep.append(sleeping)
                if not jobs or not _withdraw(asleep, sleeping):
                    sleeping.acquire()
                continue
            if waiting and func in waiting and crowds.park(job):
                continue
            doing[0] = func
            try:
                func(*args)
            except BaseException:
                log.exception("a job ended with an error")
            # A job left in these names would keep its request alive until the next one.
            doing[0] = id
            del func, args, job
            if blocked:
                blocked.discard(sleeping)
                if len(self._threads) > self.size and self._retire(sleeping):
                    return

    def _retire(self, sleeping: LockType) -> bool:
        """Whether a thread is to end: those that waited have come back, and need no spare one."""
        with self._starting:
            if len(self._threads) <= self.size + self._lent:
                return False
            self._threads.remove(sleeping)
        if self._jobs:
            self._notify()
        return True

    def _watch(self) -> None:
        with self._starting:
            if self._watching:
                return
            self._watching = True
            if self._watcher is None:
                self._watcher = threading.Thread(
                    target=self._watch_forever, name=f"{self.name}-watch", daemon=True
                )
                self._watcher.start()
        self._alarm.release()

    def _watch_forever(self) -> None:
        while True:
            self._alarm.acquire()
            needed = self._wake_while_stalled()
            self._watching = False
            # A job that came since the last look, or a thread lent, found _watching still set.
            if self._jobs and (needed or len(self._threads) < self.size + self._lent):
                self._watch()

    def _wake_while_stalled(self) -> bool:
        """Wake more and more threads as long as the oldest job waits.

        Returns:
            False if all are awake, so that there is nothing to watch for.
        """
        wave = 1
        while True:
            try:
                head = self._jobs[0]
            except IndexError:
                return True
            time.sleep(STALL)
            if not self._is_head(head):
                wave = 1
                continue
            # Whoever is awake now does not take the job, so for what comes next they do not count.
            threads = set(self._threads)
            self._blocked.intersection_update(threads)
            self._blocked.update(threads.difference(tuple(self._asleep)))
            for _ in range(min(wave, len(self._jobs))):
                if not self._wake():
                    return False
            wave *= 2

    def _is_head(self, job: Job) -> bool:
        try:
            return self._jobs[0] is job
        except IndexError:
            return False


def _withdraw(asleep: deque[LockType], lock: LockType) -> bool:
    """Take a lock back out of the sleepers; False if somebody is about to release it already."""
    try:
        asleep.remove(lock)
    except ValueError:
        return False
    return True
