"""The query cache: `use_cache`, `rm_cache` and `cache` of `was.db`.

Each worker process keeps its own; by the times of updates, which all workers share, it finds out
whether its data is still valid.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atila import SharedUnavailable
from atila_tasks.core.backends import site_singleton
from atila_tasks.core.errors import Unreachable
from atila_tasks.core.mask import GIVEN
from atila_tasks.core.task import Task
from atila_tasks.databases.sql.rows import Row, Rows
from atila_tasks.upstream.calls import call

if TYPE_CHECKING:
    from atila import Site, Was
    from atila.app.settings import Config
    from atila_tasks.core.waitable import Waitable
    from atila_tasks.databases.sql.statements import Query, Script
    from atila_tasks.upstream.access import Starter

_MUTABLE = (dict, list, set, bytearray)
_CELL = 48
"""Bytes that a value takes beside its content, about."""


@dataclass(slots=True)
class Entry:
    """The result of a statement.

    Attributes:
        rows: the data.
        version: the time of the last update that they depend on, taken before they were read.
        expires: `time.monotonic()` after which they are too old; None for never.
        size: about so many bytes.
    """

    rows: Any
    version: float
    expires: float | None
    size: int


class QueryCache:
    """Results of statements. The least recently used is dropped first.

    Args:
        limit: bytes that it may have, about.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Any, Entry] = OrderedDict()
        self._lock = threading.Lock()
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Any, version: float) -> Any:
        """Data that are still good, as a copy; None if there are none."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            is_old = entry.expires is not None and entry.expires <= time.monotonic()
            if is_old or entry.version != version:
                self._remove(key)
                return None
            self._entries.move_to_end(key)
            rows = entry.rows
        return copied(rows)

    def put(self, key: Any, rows: Any, version: float, seconds: float | None) -> None:
        """Keep a copy of data."""
        size = _size(key, rows)
        if size > self._limit // 4:
            return
        expires = None if seconds is None else time.monotonic() + seconds
        entry = Entry(copied(rows), version, expires, size)
        with self._lock:
            self._remove(key)
            self._entries[key] = entry
            self.size += size
            while self.size > self._limit:
                self._remove(next(iter(self._entries)))

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self.size = 0

    def _remove(self, key: Any) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry.size


@dataclass(frozen=True, slots=True)
class CacheUse:
    """How tasks use the cache.

    Attributes:
        names: the names of things that the data depend on.
        updates: names of things that the tasks update.
        seconds: how long the data may be used; None for no limit.
        reads: the data may come from the cache.
    """

    names: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    seconds: float | None = None
    reads: bool = False

    @classmethod
    def of(
        cls,
        use_cache: str | Sequence[str] | None,
        rm_cache: str | Sequence[str] | None,
        cache: float | None,
    ) -> CacheUse:
        """The arguments of `was.db` about the cache."""
        if cache is not None and cache < 0:
            raise ValueError("cache takes seconds, 0 or more")
        reads = (use_cache is not None or bool(cache)) and rm_cache is None
        return cls(_names(use_cache), _names(rm_cache), cache or None, reads)

    def start(self, start: Starter, request: Query | Script) -> Any:
        """A task that takes its data from the cache, puts it there, or invalidates entries."""
        if not self.reads or start.is_mapped:
            return self._updating(start, request)
        key = _key(start, request)
        if key is None:
            return start(request)
        was = start.was
        cache = cache_of(was.site)
        try:
            version = was.site.updates.get(*self.names)
        except SharedUnavailable:
            # Nobody knows whether what is kept is still good.
            return start(request)
        rows = cache.get(key, version)
        if rows is not None:
            options = {name: start.options[name] for name in ("filter", "meta")}
            return Task(was, GIVEN, rows, **options)

        async def work() -> Any:
            found = await start.open(request)
            cache.put(key, found, version, self.seconds)
            return found

        return call(was, work, **start.options)

    def _updating(self, start: Starter, request: Query | Script) -> Any:
        if not self.updates:
            return start(request)
        if start.is_mapped:
            tasks = start(request)
            start.was.site.loop.spawn(self._forget_after(tasks, start.was))
            return tasks

        async def work() -> Any:
            try:
                data = await start.open(request)
            except Unreachable:
                raise
            except BaseException:
                # Nobody knows whether it was done: what is kept may be old.
                await self.forget(start.was)
                raise
            await self.forget(start.was)
            return data

        return call(start.was, work, **start.options)

    async def _forget_after(self, tasks: Waitable, was: Was) -> None:
        _ = await tasks
        await self.forget(was)

    async def forget(self, was: Was) -> None:
        """Note, for all workers, that things were updated, and emit their events in this one."""
        for name in self.updates:
            # It takes a lock of the system, for which the loop must not wait; nor must this wait
            # for a thread that waits for this task.
            with contextlib.suppress(SharedUnavailable):
                # Logged, and noted later; the update itself was done.
                await asyncio.get_running_loop().run_in_executor(None, was.setlu, name)


def _make(config: Config) -> QueryCache:
    return QueryCache(config.QUERY_CACHE_SIZE)


def cache_of(site: Site) -> QueryCache:
    """The cache of a site."""
    return site_singleton(site, _make)


def copied(rows: Any) -> Any:
    """Rows that can be changed without those of the cache being changed."""
    return Rows(
        (
            Row((k, deepcopy(v) if isinstance(v, _MUTABLE) else v) for k, v in row.items())
            if type(row) is Row
            else deepcopy(row)
            for row in rows
        ),
        getattr(rows, "rowcount", -1),
    )


def _names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def _key(start: Starter, request: Any) -> Any:
    """The key of a statement; None if it has none."""
    params = getattr(request, "params", None)
    if params is None:
        return None
    values = params.items() if isinstance(params, dict) else params
    # 1, 1.0 and True are equal, and are not the same to a database.
    return start.alias, request.sql, tuple((type(v).__name__, repr(v)) for v in values)


def _size(key: Any, rows: Any) -> int:
    size = len(key[1]) + sum(len(text) for _, text in key[2]) + 512
    for row in rows:
        size += 256
        for value in row.values():
            content = len(value) if isinstance(value, str | bytes) else 0
            size += _CELL + (content or (len(repr(value)) if isinstance(value, _MUTABLE) else 0))
    return size
