"""Maintenance jobs: `@app.maintain(10)` runs at each tenth MAINTAIN_INTERVAL of its app."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atila.errors import SetupError, SharedUnavailable, source_of
from atila.runtime.context import current
from atila.runtime.leases import Lease
from atila.serving import background_context
from atila.serving.provision import called
from atila.typevars import Function

if TYPE_CHECKING:
    from atila import Atila

Thread = threading.Thread

INTERVAL = 60.0
"""Seconds of MAINTAIN_INTERVAL, if no setting says otherwise."""

HELD = 0.9
"""The part of a job's interval for which a worker has it to itself. Less than all of it, so that
the same worker is next again, though it may come a little early."""

log = logging.getLogger("atila.maintenance")


@dataclass(slots=True, eq=False)
class Job:
    """One job.

    Attributes:
        function: (was, now, count).
        every: at which intervals it is due: 10 for each 10th.
        threaded: it has a thread of its own, so that others do not wait for it.
        once: one worker runs it, of all that share a state.
        running: held while it runs in that thread.
    """

    function: Callable[..., Any]
    every: int
    threaded: bool
    once: bool = False
    running: threading.Lock = field(default_factory=threading.Lock)


def maintain(
    app: Atila, interval: int = 1, threading: bool = False, once: bool = False
) -> Callable[[Function], Function]:
    """Call a function from time to time: @app.maintain(10).

    Args:
        app: the app.
        interval: 10 for each 10th MAINTAIN_INTERVAL (a setting in seconds, 60 by default).
        threading: call it in a thread of its own, for long jobs. It is left out while its last run
            has not ended.
        once: one worker of the host calls it, or with `app.shared` one of all hosts; not before
            most of an interval has passed since the last call, in any worker. If that worker is
            killed, another one does within two intervals.

    Functions get a context without a request, the time in seconds since the epoch, and the number
    of the interval since the start, beginning with 1. Each worker process calls them, unless `once`
    is set. Errors are logged.

    Raises:
        SetupError: there is a job of this name already, or the interval is no positive number.
    """

    def decorate(function: Function) -> Function:
        if interval < 1 or interval != int(interval):
            raise SetupError(
                f"@app.maintain({interval}): write a whole number of intervals, 1 or more",
                source_of(function),
            )
        name = getattr(function, "__name__", "")
        other = app.jobs.get(name)
        if other is not None:
            raise SetupError(
                f"there is a maintenance job {name} already, at {source_of(other.function)};"
                " give one of them another name",
                source_of(function),
            )
        app.jobs[name] = Job(function, interval, threading, once)
        return function

    return decorate


class Maintainer:
    """The thread that calls the maintenance jobs of a site.

    Args:
        apps: the apps; those without jobs cost nothing.
    """

    def __init__(self, apps: Sequence[Atila]) -> None:
        self._apps = [app for app in apps if app.jobs]
        self._over = threading.Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to count the intervals, if there are jobs at all."""
        if self._apps:
            self._thread = Thread(target=self._run, name="atila-maintenance", daemon=True)
            self._thread.start()

    def stop(self, timeout: float) -> None:
        """Call no further job, and wait at most `timeout` seconds for the one under way."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                log.warning("a maintenance job was still running when the server stopped")

    def _run(self) -> None:
        started = time.monotonic()
        counts = dict.fromkeys(self._apps, 0)
        while True:
            due, app = min(
                ((started + (counts[app] + 1) * _interval(app), app) for app in self._apps),
                key=lambda item: item[0],
            )
            if self._over.wait(max(0.0, due - time.monotonic())):
                return
            before, counts[app] = counts[app], counts[app] + 1
            # Intervals that passed while a job ran too long count, but are not made up for.
            passed = int((time.monotonic() - started) / _interval(app))
            counts[app] = max(counts[app], passed)
            self._maintain(app, before, counts[app])

    def _maintain(self, app: Atila, before: int, count: int) -> None:
        for job in tuple(app.jobs.values()):
            if count // job.every > before // job.every and not self._over.is_set():
                _begin(app, job, count)


def _interval(app: Atila) -> float:
    return max(0.01, float(app.config.MAINTAIN_INTERVAL))


def _begin(app: Atila, job: Job, count: int) -> None:
    work = _work_once if job.once else _work
    if not job.threaded:
        work(app, job, count)
    elif job.running.acquire(blocking=False):
        name = f"atila-maintenance-{job.function.__name__}"
        Thread(target=_work_alone, args=(work, app, job, count), name=name, daemon=True).start()


def _work_alone(work: Callable[[Atila, Job, int], None], app: Atila, job: Job, count: int) -> None:
    try:
        work(app, job, count)
    finally:
        job.running.release()


def _work_once(app: Atila, job: Job, count: int) -> None:
    """Do it, unless another worker does, or has just done it."""
    name = f"{app.import_name} {app.site.place_of(app)} {job.function.__name__}"
    try:
        lease = Lease(app.site.shared, name, HELD * job.every * _interval(app))
        if not lease.take():
            return
        try:
            _work(app, job, count)
        finally:
            lease.give_back()
    except SharedUnavailable as error:
        # Perhaps another worker runs it.
        text = "the maintenance job %s was left out, or its lease not given back: %s"
        log.warning(text, source_of(job.function), error.report)


def _work(app: Atila, job: Job, count: int) -> None:
    was = background_context.context(app)
    # In it alone: the next job of this thread knows nothing of the context variables of this one.
    was.detach()
    context = was.variables
    context.run(current.set, was)
    try:
        context.run(called, was, job.function, time.time(), count)
    except BaseException:
        # Even SystemExit: the thread has the other jobs, and is nobody else's.
        log.exception("the maintenance job %s failed", source_of(job.function))
    finally:
        was.variables = None
