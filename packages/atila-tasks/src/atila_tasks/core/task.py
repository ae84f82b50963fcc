"""A task: one piece of running work, whichever backend runs it."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from atila import current
from atila.runtime.spare_threads import waiting
from atila_tasks.core.errors import TaskTimeout
from atila_tasks.core.result import STA_NORMAL, Result, single, status_of
from atila_tasks.core.waitable import Waitable

if TYPE_CHECKING:
    from atila import Site, Was
    from atila_tasks.core.backend import Backend
    from atila_tasks.upstream.response_head import Head

log = logging.getLogger("atila.tasks")


class Task(Waitable):
    """Work that starts as soon as the task is created.

    Args:
        was: the request.
        backend: carries it out.
        work: the order, in the backend's terms.
        timeout: seconds from now until it counts as failed, waiting for its turn included; None for
            no limit. Work that has begun may go on then, as in a thread; that is up to the backend.
        filter: called with the data; its result is the data of the task.
        meta: any data of the caller, kept for later.

    Attributes:
        context: the context variables that the work runs with, `atila.current` among them. Gone
            when a coroutine that awaits the task runs it within its own.
        deadline: the time of `time.monotonic` at which its time is over; None for no limit.
        handle: data of the backend.
        timeout: its time limit in seconds; None for none.
    """

    __slots__ = (
        "_backend",
        "_begun",
        "_callbacks",
        "_filter",
        "_is_limited",
        "_lock",
        "_result",
        "context",
        "deadline",
        "handle",
        "timeout",
        "work",
    )

    def __init__(
        self,
        was: Was,
        backend: Backend,
        work: Any,
        *,
        timeout: float | None = None,
        filter: Callable[[Any], Any] | None = None,
        meta: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(was, meta)
        self.work = work
        self.handle: Any = None
        self.context = copy_context()
        if current.get(None) is not was:
            self.context.run(current.set, was)
        self._backend = backend
        self._filter = filter
        self.timeout = timeout
        # Nothing watches the clock: whoever waits, or looks, finds that the time is over.
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self._is_limited = False
        self._lock = threading.Lock()
        self._begun = False
        self._result: Result | None = None
        self._callbacks: tuple[Callable[[], object], ...] = ()
        backend.start(self)
        if self._result is None:
            was.on_cancel(self.cancel)
            if self._result is not None:
                # It has finished meanwhile, and found nothing to be forgotten.
                was.off_cancel(self.cancel)

    def __repr__(self) -> str:
        # Without work and data, which may be anybody's secret.
        kind = type(self._backend).__name__
        if self._result is not None:
            return f"<Task of {kind}: {self._result!r}>"
        return f"<Task of {kind}: {'running' if self._begun else 'waiting'}>"

    # For whoever made it ------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        if self._result is not None:
            return True
        if self.deadline is not None and self.deadline <= time.monotonic():
            self._expire()
        return self._result is not None

    def cancel(self) -> None:
        if not self.done:
            self._backend.cancel(self)

    def limit(self, seconds: float) -> None:
        remaining = self.remaining()
        if remaining is None or seconds < remaining:
            self.timeout, self.deadline = seconds, time.monotonic() + seconds
            self._is_limited = True

    def dispatch(self) -> Result:
        self.wait()
        result = self._result
        if result is None:
            raise RuntimeError("the wait for a task ended before the task")
        return result

    def fetch(self) -> Any:
        result = self._result or self.dispatch()
        if result.error is None:
            return result.data
        try:
            raise result.error
        finally:
            # Else error, traceback, this frame and the error again would be a cycle.
            del self, result

    def one(self) -> Any:
        return single(self.fetch())

    def commit(self) -> None:
        self.fetch()

    # For backends -------------------------------------------------------------------------------

    @property
    def site(self) -> Site:
        """Where it runs."""
        return self._was.site

    @property
    def is_of_coroutine(self) -> bool:
        """Whether the handler of its request is a generator coroutine."""
        return bool(self._was.endpoint.route.options.get("coroutine"))

    @property
    def is_begun(self) -> bool:
        """Whether it was claimed, or has ended without."""
        return self._begun or self._result is not None

    def try_start(self) -> bool:
        """Begin. Of all callers only one gets True; none if the task is finished already, because
        it was cancelled or its time is over.
        """
        with self._lock:
            if self._begun or self._result is not None:
                return False
            self._begun = self.remaining() != 0
        if not self._begun:
            self._expire()
        return self._begun

    def remaining(self) -> float | None:
        """Seconds until the time is over, 0 if it is; None for no limit."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def settle(self, data: Any, response: Head | None = None) -> None:
        """Finish with data, which is filtered in the calling thread.

        Args:
            data: the result of the work.
            response: status and headers, if a server answered with it.
        """
        if self.done:
            return
        try:
            filtered = data if self._filter is None else self._filter(data)
        except BaseException as error:
            self.fail(error)
        else:
            self._conclude(Result(STA_NORMAL, filtered, None, response))

    def settle_by(self, func: Callable[[], Any]) -> None:
        """Finish with the result of func(), or with the error that it raises."""
        try:
            data = func()
        except BaseException as error:
            self.fail(error)
        else:
            self.settle(data)

    def fail(self, error: BaseException, status: int | None = None) -> None:
        """Finish with an error.

        Args:
            error: the error that `fetch` raises.
            status: one of STA_*; None to derive it from the error.
        """
        if self.done:
            return
        if not isinstance(error, Exception):
            # SystemExit and the like end a thread, not a request that looks at their task.
            cause, error = error, RuntimeError(f"a task ended with {type(error).__name__}")
            error.__cause__ = cause
        status = status_of(error) if status is None else status
        self._conclude(Result(status, None, error, getattr(error, "response", None)))

    def when_done(self, func: Callable[[], object]) -> None:
        """Call func() when the task is finished: in the thread that finishes it, or now."""
        with self._lock:
            if self._result is None:
                self._callbacks = (*self._callbacks, func)
                return
        func()

    # Inside -------------------------------------------------------------------------------------

    def _expire(self) -> None:
        error = TaskTimeout(self.timeout or 0.0)
        self._conclude(Result(status_of(error), None, error))
        if self._begun:
            # The limit of a group, or of an executor's task, is not known where the work runs.
            self._backend.cancel(self)

    def _conclude(self, result: Result) -> None:
        with self._lock:
            if self._result is not None:
                return
            self._result = result
            callbacks, self._callbacks = self._callbacks, ()
        # Arguments may be large, and whoever keeps the task wants its data only. A stream may make
        # tasks without end, so the request must not keep those that are through.
        self.work = self._filter = None
        self._was.off_cancel(self.cancel)
        for callback in callbacks:
            try:
                callback()
            except BaseException:
                # Such as a loop that is closed already, or SystemExit. The others wait as well.
                log.exception("a callback at the end of %r failed", self)

    def _block(self) -> None:
        self._backend.help_out(self)
        if self.done:
            return
        finished = threading.Lock()
        finished.acquire()
        self.when_done(finished.release)
        remaining = self.remaining()
        limit = -1 if remaining is None else min(remaining, threading.TIMEOUT_MAX)
        with waiting():
            is_finished = finished.acquire(timeout=limit)
        if not is_finished:
            self._expire()

    def _arrive(self) -> Coroutine[Any, Any, None]:
        if not self._begun and self._was.site.loop.loop is asyncio.get_running_loop():
            carried = self._backend.run_inline(self)
            if carried is not None:
                return carried
        return self._settled()

    async def _settled(self) -> None:
        loop = asyncio.get_running_loop()
        # The task loop takes calls in batches; any other loop is somebody's own.
        task_loop = self._was.site.loop
        call = task_loop.call if task_loop.loop is loop else loop.call_soon_threadsafe
        future: asyncio.Future[None] = loop.create_future()
        self.when_done(lambda: call(_release, future))
        # What a backend has begun keeps the time that it began with.
        keeps_time = self._backend.keeps_time and not self._is_limited
        remaining = None if keeps_time else self.remaining()
        timer = None if remaining is None else loop.call_later(remaining, self._expire)
        try:
            await future
        finally:
            if timer is not None:
                timer.cancel()


def _release(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
