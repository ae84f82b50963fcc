"""The backends of a site: created at first use and closed with it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

from atila import HTTPError
from atila_tasks.core.errors import BUSY
from atila_tasks.core.result import STA_UNSENT

if TYPE_CHECKING:
    from atila import Site
    from atila.app.settings import Config
    from atila.runtime.pool import WorkerPool
    from atila_tasks.core.task import Task


class Closing(Protocol):
    """What `kept` keeps."""

    def close(self) -> Awaitable[object] | None:
        """End; what it gives is awaited on the task loop, and cancelled when the time is over."""


Kept = TypeVar("Kept", bound=Closing)

log = logging.getLogger("atila.tasks")

_kept: WeakKeyDictionary[Site, dict[Any, Closing]] = WeakKeyDictionary()
_making = threading.Lock()


def kept(site: Site, make: Callable[[Config], Kept]) -> Kept:
    """What a site keeps under a function, which makes it of the settings when it is first wanted.

    The settings are those of the app with this layer that is mounted nearest to the root.

    Args:
        site: the site.
        make: called at most once for a site; must not block.
    """
    of_site = _kept.get(site)
    if of_site is None or make not in of_site:
        with _making:
            of_site = _kept.get(site)
            if of_site is None:
                of_site = _kept[site] = {}
                made = of_site
                site.on_shutdown(lambda: _close_all(made))
            if make not in of_site:
                configs = [mount.app.config for mount in site.mounts]
                # The shortest mount point is the last; an app may have left this layer out.
                config = [config for config in configs if "TASK_THREADS" in config][-1]
                of_site[make] = make(config)
    backend: Kept = of_site[make]  # type: ignore[assignment]  # made by `make`
    return backend


def submit(pool: WorkerPool, run: Callable[[Task], object], task: Task, wanted: str) -> None:
    """Have a thread of a pool carry out a task, which fails if too many wait for one already.

    Args:
        pool: whose thread.
        run: called with the task.
        task: the task.
        wanted: what the tasks wait for: "a thread".
    """
    if not pool.submit(run, task):
        error = HTTPError(503, f"too many tasks wait for {wanted}", 0, BUSY)
        task.fail(error, STA_UNSENT)


async def _close_all(backends: dict[Any, Closing]) -> None:
    # All at once, since they have one time together.
    await asyncio.gather(*map(_close, backends.values()))


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
