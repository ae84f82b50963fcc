"""State that the workers of one host share, without anything to start or to configure.

It is an SQLite file in a folder, and beside it a page of memory with a number for each space of
names, which says whether anything was written. A worker keeps what it has read for as long as that
number stands, so that reading costs no look at the file.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import orjson

from atila.errors import SharedUnavailable
from atila.runtime import server_run
from atila.runtime.allocation import allocate
from atila.runtime.shared import PURGE_EVERY, Entry, added, is_over, until
from atila.runtime.spare_threads import Lock, waiting

CACHED = 10_000
"""Names of one space that a worker keeps."""
PATIENCE = 30.0
"""Seconds to wait for SQLite when it mends the file after a worker was killed."""
_SLOTS = 512
"""Numbers of the page of memory; spaces that fall on one number only invalidate each other."""

_TABLE = """
create table if not exists entries (
    space text not null, name text not null, value blob not null, until real,
    primary key (space, name)
) without rowid;
create index if not exists ending on entries (until) where until is not null;
"""


@dataclass(slots=True)
class _Files:
    """The open files of a process.

    Attributes:
        reader: the connection of readers.
        writer: the connection of the writer.
        lock: the file whose flock the writer has.
        alive: see `server_run.ALIVE`.
        counts: by slot, the number of writes; odd while one runs.
    """

    reader: sqlite3.Connection
    writer: sqlite3.Connection
    lock: int
    alive: int
    counts: memoryview

    def close(self) -> None:
        self.reader.close()
        self.writer.close()
        os.close(self.lock)
        os.close(self.alive)


class EmbeddedShared:
    """Shared by the worker processes of one host; see `Shared`. Its files are made at first use.

    Args:
        folder: the folder of the run.
        lasting: its files outlive the system's start, and so time limits are times of the day;
            else they are on the clock that all processes have in common and nobody sets.
    """

    def __init__(self, folder: Path, lasting: bool = False) -> None:
        self._folder = folder
        self._is_lasting = lasting
        self._files: _Files | None = None
        self._is_closed = False
        self._cache: dict[str, tuple[int, dict[str, Entry | None]]] = {}
        self._timed = 0
        self._has_failed = False
        self._renew_locks()
        _all.add(self)

    def _renew_locks(self) -> None:
        self._reading = threading.Lock()
        self._writing = Lock()
        self._depth = 0

    def _now(self) -> float:
        return time.time() if self._is_lasting else time.monotonic()

    def get(self, space: str, name: str) -> bytes | None:
        """See `Shared`."""
        files = self._files or self._open()
        slot = crc32(space.encode()) % _SLOTS
        count = files.counts[slot]
        kept_at, kept = self._cache.get(space, (-1, {}))
        try:
            entry = kept[name] if kept_at == count else self._read(files, space, name, slot, count)
        except KeyError:
            entry = self._read(files, space, name, slot, count)
        return None if entry is None or is_over(entry[1], self._now()) else entry[0]

    def _read(self, files: _Files, space: str, name: str, slot: int, count: int) -> Entry | None:
        with _available(), self._reading:
            entry: Entry | None = files.reader.execute(
                "select value, until from entries where space = ? and name = ?", (space, name)
            ).fetchone()
        # Whoever begins to write makes the number odd before, and even again after it. So what was
        # read between two looks at one even number is what that number stands for.
        if count % 2 == 0 and files.counts[slot] == count:
            kept_at, kept = self._cache.get(space, (-1, {}))
            if kept_at != count or len(kept) >= CACHED:
                kept = {}
                self._cache[space] = count, kept
            kept[name] = entry
        return entry

    def set(self, space: str, name: str, value: bytes, seconds: float | None = None) -> None:
        """See `Shared`."""
        with self._write(space) as writer:
            self._put(writer, space, name, (value, until(seconds, self._now())))

    def add(self, space: str, name: str, value: bytes, seconds: float | None = None) -> bool:
        """See `Shared`."""
        # Most that is added is there already, when workers come up one after the other.
        if self.get(space, name) is not None:
            return False
        with self._write(space) as writer:
            is_new = self._current(writer, space, name) is None
            if is_new:
                self._put(writer, space, name, (value, until(seconds, self._now())))
        return is_new

    def replace(
        self, space: str, name: str, old: bytes, value: bytes, seconds: float | None = None
    ) -> bool:
        """See `Shared`."""
        with self._write(space) as writer:
            entry = self._current(writer, space, name)
            had = entry is not None and entry[0] == old
            if had:
                self._put(writer, space, name, (value, until(seconds, self._now())))
        return had

    def take(self, space: str, name: str) -> bytes | None:
        """See `Shared`."""
        with self._write(space) as writer:
            entry = self._current(writer, space, name)
            writer.execute("delete from entries where space = ? and name = ?", (space, name))
        return None if entry is None else entry[0]

    def incr(self, space: str, name: str, by: int = 1) -> int:
        """See `Shared`."""
        with self._write(space) as writer:
            value, limit = self._current(writer, space, name) or (None, None)
            number = added(value, by)
            self._put(writer, space, name, (orjson.dumps(number), limit))
        return number

    def _put(self, writer: sqlite3.Connection, space: str, name: str, entry: Entry) -> None:
        writer.execute("insert or replace into entries values (?, ?, ?, ?)", (space, name, *entry))
        if entry[1] is not None:
            self._timed += 1
            if self._timed % PURGE_EVERY == 0:
                writer.execute("delete from entries where until <= ?", (self._now(),))

    def _current(self, writer: sqlite3.Connection, space: str, name: str) -> Entry | None:
        entry: Entry | None = writer.execute(
            "select value, until from entries where space = ? and name = ?", (space, name)
        ).fetchone()
        return None if entry is None or is_over(entry[1], self._now()) else entry

    def names(self, space: str) -> list[str]:
        """See `Shared`."""
        files = self._files or self._open()
        with _available(), self._reading:
            rows = files.reader.execute(
                "select name from entries where space = ? and (until is null or until > ?)",
                (space, self._now()),
            ).fetchall()
        return [name for (name,) in rows]

    @property
    def is_used(self) -> bool:
        """See `Shared`."""
        return self._files is not None or self._has_failed

    def check(self) -> None:
        """See `Shared`; files that nobody has used yet are not made for it."""
        if self.is_used:
            self.set("check", "", b"", 1.0)

    @contextlib.contextmanager
    def lock(self, space: str) -> Iterator[None]:
        """See `Shared`; it is one lock for all spaces. A worker that is killed gives it back."""
        with self._writing:
            files = self._files or self._open()
            if self._depth == 0:
                with _available():
                    _lock_file(files.lock)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    fcntl.flock(files.lock, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def _write(self, space: str) -> Iterator[sqlite3.Connection]:
        """A transaction. All that is written in it is there when it ends, or nothing."""
        slot = crc32(space.encode()) % _SLOTS
        with self.lock(space):
            files = self._files or self._open()
            # It is odd already if the last writer was killed; then nobody keeps what he reads until
            # this one has ended. A number never comes again.
            odd = files.counts[slot] // 2 * 2 + 1
            if odd == files.counts[slot]:
                odd += 2
            files.counts[slot] = odd
            try:
                with _available(), _transaction(files.writer):
                    yield files.writer
            except SharedUnavailable:
                self._give_up(files)
                raise
            finally:
                files.counts[slot] = odd + 1

    def _give_up(self, files: _Files) -> None:
        """See that the next write can begin, also after a transaction that could not be undone."""
        self._has_failed = True
        if files.writer.in_transaction:
            with _available():
                fresh = _connect(self._folder)
            files.writer.close()
            files.writer = fresh

    def _open(self) -> _Files:
        with self._writing:
            if self._files is None:
                if self._is_closed:
                    raise RuntimeError("the server has stopped, and its shared state with it")
                try:
                    with _available():
                        server_run.make(self._folder)
                        self._files = _open_files(self._folder)
                except SharedUnavailable:
                    self._has_failed = True
                    raise
            return self._files

    def close(self) -> None:
        """See `Shared`."""
        with self._writing, self._reading:
            self._is_closed = True
            files, self._files = self._files, None
            if files is not None:
                files.close()

    def _forked(self) -> None:
        """This process is a child now: SQLite and flock want everything opened anew."""
        files, self._files = self._files, None
        self._renew_locks()
        if files is not None:
            # Kept, for to close a connection that was inherited could harm the parent's.
            _inherited.append(files)
            os.close(files.lock)
            os.close(files.alive)


def _lock_file(file: int) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with waiting():
            fcntl.flock(file, fcntl.LOCK_EX)


@contextlib.contextmanager
def _available() -> Iterator[None]:
    """Around what the system or SQLite may refuse: the disk is full, or broken."""
    try:
        yield
    except PermissionError:
        raise  # It does not pass by itself, and its text says the mend.
    except (OSError, sqlite3.OperationalError) as error:
        raise SharedUnavailable(f"the state of the workers of this host: {error}") from error
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:
            raise  # A mistake, such as a value that is too long.
        # The file is broken.
        raise SharedUnavailable(f"the state of the workers of this host: {error}") from error


@contextlib.contextmanager
def _transaction(writer: sqlite3.Connection) -> Iterator[None]:
    writer.execute("begin immediate")
    try:
        yield
        writer.execute("commit")
    except BaseException:
        # SQLite itself has rolled back after some errors, but not after a commit that failed.
        if writer.in_transaction:
            writer.execute("rollback")
        raise


def _open_files(folder: Path) -> _Files:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with contextlib.ExitStack() as opened:
        alive = server_run.hold(folder)
        opened.callback(os.close, alive)
        lock = os.open(folder / "counts", flags, 0o600)
        opened.callback(os.close, lock)
        # One after the other: who comes first makes the table.
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            # A page without a place on the disk would kill whoever writes to it.
            allocate(lock, _SLOTS * 8)
            counts = memoryview(mmap.mmap(lock, _SLOTS * 8)).cast("Q")
            writer = _connect(folder)
            opened.callback(writer.close)
            writer.execute("pragma journal_mode = wal")
            writer.executescript(_TABLE)
            reader = _connect(folder)
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)
        opened.pop_all()
        return _Files(reader, writer, lock, alive, counts)


def _connect(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        folder / "entries.db", timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )
    # It need not outlive the machine; that of a killed process is in the system's hands already.
    connection.execute("pragma synchronous = off")
    return connection


_all: weakref.WeakSet[EmbeddedShared] = weakref.WeakSet()
_inherited: list[_Files] = []


def _after_fork() -> None:
    for shared in _all:
        shared._forked()


os.register_at_fork(after_in_child=_after_fork)
