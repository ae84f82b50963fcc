"""State that all worker processes of a host share and that outlives each of them.

`Shared` is the protocol of implementations. `LocalShared` is for a process that serves alone;
`EmbeddedShared` (shared_embedded.py) for the workers of one host, in the folder of the run;
`RedisShared` (shared_redis.py) for those of many hosts.

Values are bytes here; `store.py` encodes those of users.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

import orjson

from atila.errors import SetupError
from atila.runtime import server_run
from atila.runtime.spare_threads import Lock

if TYPE_CHECKING:
    from atila import Atila

Entry = tuple[bytes, float | None]
"""A value, and when it ends in seconds since the epoch; None for never."""

PURGE_EVERY = 256
"""Writes with a time limit after which those that have ended are deleted."""


class Shared(Protocol):
    """Values by name, in spaces of names, that all workers see. To be used from any thread.

    Each operation is whole in itself, and is seen by all that begin after its end. Each raises
    `SharedUnavailable` while what keeps the values is away; it works again as soon as that is back.
    """

    def get(self, space: str, name: str) -> bytes | None:
        """The value of a name; None if there is none."""

    def set(self, space: str, name: str, value: bytes, seconds: float | None = None) -> None:
        """Give a name a value, for some seconds or for ever."""

    def add(self, space: str, name: str, value: bytes, seconds: float | None = None) -> bool:
        """Give a name a value unless it has one; whether it had none."""

    def replace(
        self, space: str, name: str, old: bytes, value: bytes, seconds: float | None = None
    ) -> bool:
        """Give a name another value, or another time limit, if it has the old one; whether it had.
        Unlike `lock`, this keeps nobody waiting when the worker is killed.
        """

    def take(self, space: str, name: str) -> bytes | None:
        """Remove a name; its last value, which nobody else gets. None if there is none."""

    def incr(self, space: str, name: str, by: int = 1) -> int:
        """Add to the integer, in JSON, that a name has, or to 0; the sum. A time limit stays.

        Raises:
            TypeError: the value is no integer.
        """

    def names(self, space: str) -> list[str]:
        """The names of a space, in no order."""

    def lock(self, space: str) -> AbstractContextManager[object]:
        """Keep all others from writing to a space. May be held again by the thread that has it."""

    @property
    def is_used(self) -> bool:
        """Whether anything outside of this process keeps the values, and was asked for them."""

    def check(self) -> None:
        """Find out whether it can be used, by a write.

        Raises:
            SharedUnavailable: it cannot.
        """

    def close(self) -> None:
        """Stop using it; its values stay for the other workers."""


def choose(*, alone: bool = False, url: str | None = None) -> Shared:
    """The shared state of this process.

    Args:
        alone: share nothing with other processes.
        url: the URL of a Redis that all hosts share; None for the state of this host's workers.
    """
    if url and not alone:
        from atila.runtime.shared_redis import RedisShared

        return RedisShared(url)
    folder = None if alone else server_run.find_folder()
    if folder is None:
        return LocalShared()
    from atila.runtime.shared_embedded import EmbeddedShared

    return EmbeddedShared(folder)


def url_of(apps: Iterable[Atila]) -> str | None:
    """The URL of the Redis that the apps of a site want: `app.shared`, or `pref.shared`.

    Raises:
        SetupError: they want different ones.
    """
    urls = {str(url) for app in apps if (url := vars(app).get("shared"))}
    if len(urls) > 1:
        raise SetupError("the apps of one site have different values of app.shared; give them one")
    return urls.pop() if urls else None


def until(seconds: float | None, now: float) -> float | None:
    """When a value ends that is given now."""
    return now + seconds if seconds else None


def is_over(until: float | None, now: float) -> bool:
    """Whether a value has ended."""
    return until is not None and until <= now


def added(value: bytes | None, by: int) -> int:
    """The sum of an integer in JSON, 0 for None, and a number.

    Raises:
        TypeError: the value is no integer.
    """
    number = 0 if value is None else orjson.loads(value)
    if type(number) is not int:
        raise TypeError(f"only an integer can be counted up, not a {type(number).__name__}")
    return number + by


class LocalShared:
    """Shared by the threads of this process alone; see `Shared`."""

    def __init__(self) -> None:
        self._spaces: dict[str, dict[str, Entry]] = {}
        self._lock = Lock()
        self._writes = 0

    def get(self, space: str, name: str) -> bytes | None:
        """See `Shared`."""
        entry = self._spaces.get(space, {}).get(name)
        return None if entry is None or is_over(entry[1], time.monotonic()) else entry[0]

    def set(self, space: str, name: str, value: bytes, seconds: float | None = None) -> None:
        """See `Shared`."""
        with self._lock:
            if seconds:
                self._purge()
            self._spaces.setdefault(space, {})[name] = value, until(seconds, time.monotonic())

    def add(self, space: str, name: str, value: bytes, seconds: float | None = None) -> bool:
        """See `Shared`."""
        with self._lock:
            is_new = self.get(space, name) is None
            if is_new:
                self.set(space, name, value, seconds)
        return is_new

    def replace(
        self, space: str, name: str, old: bytes, value: bytes, seconds: float | None = None
    ) -> bool:
        """See `Shared`."""
        with self._lock:
            had = self.get(space, name) == old
            if had:
                self.set(space, name, value, seconds)
        return had

    def take(self, space: str, name: str) -> bytes | None:
        """See `Shared`."""
        with self._lock:
            value = self.get(space, name)
            self._spaces.get(space, {}).pop(name, None)
        return value

    def incr(self, space: str, name: str, by: int = 1) -> int:
        """See `Shared`."""
        with self._lock:
            value = self.get(space, name)
            number = added(value, by)
            limit = None if value is None else self._spaces[space][name][1]
            self._spaces.setdefault(space, {})[name] = orjson.dumps(number), limit
        return number

    def names(self, space: str) -> list[str]:
        """See `Shared`."""
        with self._lock:
            entries, now = self._spaces.get(space, {}), time.monotonic()
            return [name for name, entry in entries.items() if not is_over(entry[1], now)]

    def lock(self, space: str) -> AbstractContextManager[object]:
        """See `Shared`."""
        return self._lock

    @property
    def is_used(self) -> bool:
        """See `Shared`."""
        return False

    def check(self) -> None:
        """See `Shared`."""

    def close(self) -> None:
        """See `Shared`."""

    def _purge(self) -> None:
        self._writes += 1
        if self._writes % PURGE_EVERY == 0:
            now = time.monotonic()
            for entries in self._spaces.values():
                for name in [n for n, entry in entries.items() if is_over(entry[1], now)]:
                    del entries[name]
