"""An account of what was asked to be written, against what a database holds."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from uuid import uuid4

import httpx
import psycopg

TIMEOUT = 60.0
WAYS = ("/pay", "/pay/async")
BROKEN = 0
"""In place of a status: the connection ended without an answer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One request: when it was sent (seconds), how long it took, what it was answered with."""

    key: str
    at: float
    took: float
    status: int


@dataclass
class Writers:
    """Clients that write until they are stopped, each on a connection of its own.

    Args:
        url: of the server.
        count: how many clients.
        began: from when times count, by the monotonic clock.
    """

    url: str
    count: int = 6
    began: float = field(default_factory=time.monotonic)
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(self.count)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        client = httpx.Client(base_url=self.url, timeout=TIMEOUT)
        for way in itertools.cycle(WAYS):
            if self._over.is_set():
                break
            key, began = str(uuid4()), time.monotonic()
            try:
                status = client.post(way, data={"key": key}).status_code
            except httpx.HTTPError:
                status = BROKEN
                client.close()
                client = httpx.Client(base_url=self.url, timeout=TIMEOUT)
            now = time.monotonic()
            self.entries.append(Entry(key, began - self.began, now - began, status))
            # So many that a fault meets some of them, and no more.
            self._over.wait(0.02 if status == 200 else 0.05)
        client.close()


@dataclass(frozen=True, slots=True)
class Balance:
    """What was found.

    Attributes:
        lost: answered 200, and not there.
        doubled: there more than once.
        halves: of what is one transaction, a part is there.
    """

    statuses: dict[int, int]
    lost: list[str]
    doubled: list[str]
    halves: list[str]

    @property
    def is_right(self) -> bool:
        return not (self.lost or self.doubled or self.halves)


def balance(address: str, entries: list[Entry]) -> Balance:
    """Compare entries with the two rows that each of them writes."""
    with psycopg.connect(f"postgresql://{address}") as connection:
        return compare(connection.execute("SELECT key, side FROM paid").fetchall(), entries)


def compare(rows: list[tuple[str, str]], entries: list[Entry]) -> Balance:
    """See `balance`; the rows are key and side."""
    sides: dict[str, Counter[str]] = {}
    for key, side in rows:
        sides.setdefault(key, Counter())[side] += 1
    lost, doubled, halves = [], [], []
    for entry in entries:
        found = sides.get(entry.key, Counter())
        if entry.status == 200 and not found:
            lost.append(entry.key)
        if max(found.values(), default=0) > 1:
            doubled.append(entry.key)
        if found and set(found) != {"from", "to"}:
            halves.append(entry.key)
    return Balance(dict(Counter(entry.status for entry in entries)), lost, doubled, halves)
