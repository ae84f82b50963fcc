"""The task loop: the one asyncio loop of a process, reachable from every thread."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from atila.runtime import event_loops
from atila.runtime.call_queue import CallQueue
from atila.typevars import Value

GRACE = 1.0
"""How much longer than its limit a coroutine is waited for."""
CANCEL_MARGIN = 2 * GRACE
"""How much longer than its seconds `TaskLoop.cancel` takes where the loop is blocked."""

log = logging.getLogger("atila.loop")


def in_event_loop() -> bool:
    """Whether the calling thread is running an event loop, so that it must not block."""
    return asyncio._get_running_loop() is not None


class TaskLoop(CallQueue):
    """An asyncio loop, with calls from other threads handed over in batches.

    Args:
        loop: the loop of the server, or None for one of its own, which `run_in_thread` starts.

    Attributes:
        loop: the asyncio loop.
        thread_id: the identity of the thread that it runs in.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__("the task loop", log)
        # One that is made for a request must not keep it.
        self.loop = loop if loop is not None else Context().run(event_loops.make)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_stopped = False
        self._thread: threading.Thread | None = None
        self.thread_id = threading.get_ident() if loop is not None else 0

    @classmethod
    def in_thread(cls, name: str = "atila-loop") -> TaskLoop:
        """A loop in a daemon thread of its own, running."""
        self = cls()
        ready = threading.Event()

        def run() -> None:
            self.thread_id = threading.get_ident()
            asyncio.set_event_loop(self.loop)
            self.loop.call_soon(ready.set)
            while not self._is_stopped:
                try:
                    self.loop.run_forever()
                except BaseException:
                    # asyncio lets KeyboardInterrupt and SystemExit out of whatever raises them.
                    log.exception(
                        "a call on the task loop raised an error that would have ended the loop"
                    )

        self._thread = threading.Thread(target=run, name=name, daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def is_current(self) -> bool:
        """Whether the caller is on the loop's thread, where nothing may block."""
        return threading.get_ident() == self.thread_id

    def call(self, func: Callable[..., object], *args: Any) -> None:
        """Have func(*args) called on the loop soon. From any thread.

        Many calls made before the loop gets to them cost a single wake-up.
        """
        self._calls.append((func, args))
        if not self._woken:
            self._woken = True
            if threading.get_ident() == self.thread_id:
                # It is awake: no need to write to the socket that wakes it.
                self.loop.call_soon(self._drain)
            else:
                self.loop.call_soon_threadsafe(self._drain)

    def spawn(self, coroutine: Coroutine[Any, Any, Any], context: Context | None = None) -> None:
        """Run a coroutine to its end on the loop. From any thread; its errors are logged.

        Args:
            coroutine: the coroutine.
            context: the context variables it runs with; None for a copy of the loop's own.
        """
        if threading.get_ident() == self.thread_id:
            _ = self._create_task(coroutine, context)
        else:
            self.call(self._create_task, coroutine, context)

    def begin(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine to its end, as `spawn` does, but on the loop begin at once, where Python
        can (3.12): a coroutine that never waits costs no turn of the loop then.
        """
        if threading.get_ident() == self.thread_id:
            self._begin(coroutine)
        else:
            self.call(self._begin, coroutine)

    def _begin(self, coroutine: Coroutine[Any, Any, None]) -> None:
        if sys.version_info < (3, 12):
            task = self.loop.create_task(coroutine)
        else:
            task = asyncio.Task(coroutine, loop=self.loop, eager_start=True)
        if not task.done():
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        elif not task.cancelled() and task.exception() is not None:
            self._ended(task)

    def hold(self) -> asyncio.Task[Any]:
        """Count the running task, which is the server's, among ours until it is let go: `cancel`
        ends it, too.
        """
        # The loop is named: none runs in a forked child, which is to end. Callers are in a task.
        task: asyncio.Task[Any] = asyncio.current_task(self.loop)  # type: ignore[assignment]
        self._tasks.add(task)
        return task

    def let_go(self, task: asyncio.Task[Any]) -> None:
        """Forget a task that was held."""
        self._tasks.discard(task)

    def start(self, coroutine: Coroutine[Any, Any, Value]) -> asyncio.Task[Value]:
        """Like `spawn`, for callers that wait for the task or cancel it. On the loop only."""
        return self._create_task(coroutine, None)

    def _create_task(
        self, coroutine: Coroutine[Any, Any, Value], context: Context | None
    ) -> asyncio.Task[Value]:
        task = self.loop.create_task(coroutine, context=context)
        # asyncio itself holds its tasks weakly.
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a coroutine on the task loop failed", exc_info=error)

    @property
    def busy(self) -> int:
        """How many spawned coroutines, and tasks of the server that are held, have not ended."""
        return len(self._tasks)

    def cancel(self, timeout: float = 5.0) -> None:
        """Cancel all running tasks and let them clean up. Not to be called on the running loop.

        Args:
            timeout: seconds that the cancelled coroutines have.
        """
        self.run(self._cancel_all(timeout), timeout + GRACE)

    async def _cancel_all(self, seconds: float) -> None:
        if tasks := tuple(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=seconds)

    def run(self, coroutine: Coroutine[Any, Any, Any], timeout: float) -> None:
        """Run a coroutine to its end and wait for it, also on a loop that its server has stopped
        already, as granian does. Not to be called on the running loop. Its errors are logged.

        Args:
            coroutine: the coroutine.
            timeout: seconds until it is cancelled.
        """
        limited = asyncio.wait_for(coroutine, timeout)
        try:
            if self.loop.is_closed():
                limited.close()
                coroutine.close()
            elif self.loop.is_running():
                waiting = asyncio.run_coroutine_threadsafe(limited, self.loop)
                waiting.result(timeout + GRACE)
            else:
                self.loop.run_until_complete(limited)
        except TimeoutError:
            log.warning("a coroutine took longer than its %g s at the end of the site", timeout)
        except Exception:
            log.exception("a coroutine failed at the end of the site")

    def stop(self) -> None:
        """Cancel all running tasks, then end the loop's own thread.

        Not to be called on the running loop.
        """
        if self.loop.is_closed():
            return
        self.cancel()
        if self._thread is not None:
            self._is_stopped = True
            self.call(self.loop.stop)
            self._thread.join(5.0)
            if not self._thread.is_alive():
                self.loop.close()
