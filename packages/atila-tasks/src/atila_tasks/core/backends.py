"""The backends of a site: created at first use and closed with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from atila import HTTPError
from atila.errors import BUSY
from atila.runtime.keeping import kept
from atila_tasks.core.errors import TaskCancelled
from atila_tasks.core.result import STA_UNSENT

if TYPE_CHECKING:
    from atila import Site
    from atila.app.settings import Config
    from atila.runtime.pool import WorkerPool
    from atila_tasks.core.task import Task


class Closing(Protocol):
    """An object that a site closes."""

    def close(self) -> Awaitable[object] | None:
        """End; the result is awaited on the task loop, and cancelled when the time is over."""


Backend = TypeVar("Backend", bound=Closing)

log = logging.getLogger("atila.tasks")


_CLOSING = "backends"


def site_singleton(site: Site, make: Callable[[Config], Backend]) -> Backend:
    """The object that a site keeps under a function, which makes it from the settings at the first
    use.

    The settings are those of the app with this layer that is mounted nearest to the root.

    Args:
        site: the site.
        make: called at most once for a site; must not block.
    """
    return kept(site, make, lambda: _made(site, make))


def _made(site: Site, make: Callable[[Config], Backend]) -> Backend:
    configs = [mount.app.config for mount in site.mounts]
    # The shortest mount point is the last; an app may have left this layer out.
    config = [config for config in configs if "TASK_THREADS" in config][-1]
    backend = make(config)
    kept(site, _CLOSING, lambda: _closing(site)).append(backend)
    return backend


def _closing(site: Site) -> list[Closing]:
    """The objects to close with a site: all at once, since they share one time limit."""
    backends: list[Closing] = []
    site.on_shutdown(lambda: _close_all(backends))
    return backends


def submit(pool: WorkerPool, run: Callable[[Task], object], task: Task, wanted: str) -> bool:
    """Carry out a task in a thread of a pool; it fails if too many tasks wait already.

    Args:
        pool: the pool.
        run: called with the task.
        task: the task.
        wanted: the resource that tasks wait for, in words: "a thread".

    Returns:
        Whether the pool has taken it.
    """
    if pool.submit(run, task):
        return True
    error = HTTPError(503, f"too many tasks wait for {wanted}", 0, BUSY)
    task.fail(error, STA_UNSENT)
    return False


def withdraw(task: Task) -> bool:
    """Cancel a task that has not begun; False if it has."""
    is_ours = task.try_start()
    if is_ours:
        task.fail(TaskCancelled(), STA_UNSENT)
    return is_ours


async def _close_all(backends: Sequence[Closing]) -> None:
    await asyncio.gather(*map(_close, backends))


async def _close(backend: Closing) -> None:
    try:
        if (closing := backend.close()) is not None:
            await closing
    except Exception:
        # The others are to be closed as well.
        log.exception("closing %s failed", type(backend).__name__)


async def drained(pool: WorkerPool) -> None:
    """Close a pool, and wait until all its jobs have ended."""
    while not pool.close(0):  # noqa: ASYNC110 - its threads tell nobody
        await asyncio.sleep(0.02)
