"""State that all worker processes of a host share and that outlives each of them.

<<<<<<< HEAD
`Shared` is what an implementation has to do. `LocalShared` is for a process that serves alone;
`EmbeddedShared` (shared_embedded.py) for the workers of one host, in the folder of the run;
`RedisShared` (shared_redis.py) for those of many hosts.
=======
`Shared` is the protocol of implementations. `LocalShared` is for a process that serves alone;
`EmbeddedShared` for the workers of one host, without anything to start or to configure: an SQLite
file in the folder of the run (see `server_run.py`), and beside it a page of memory with a number
for each space of names, which says whether anything was written. A worker keeps the values that it
has read until that number changes, so that reading them again does not open the file.
>>>>>>> main

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


def until(seconds: float | None) -> float | None:
    """When a value ends that is given now."""
    return time.time() + seconds if seconds else None


def is_over(until: float | None) -> bool:
    """Whether a value has ended."""
    return until is not None and until <= time.time()


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
        return None if entry is None or is_over(entry[1]) else entry[0]

    def set(self, space: str, name: str, value: bytes, seconds: float | None = None) -> None:
        """See `Shared`."""
        with self._lock:
            if seconds:
                self._purge()
            self._spaces.setdefault(space, {})[name] = value, until(seconds)

    def add(self, space: str, name: str, value: bytes, seconds: float | None = None) -> bool:
        """See `Shared`."""
        with self._lock:
            is_new = self.get(space, name) is None
            if is_new:
                self.set(space, name, value, seconds)
        return is_new

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
            entries = self._spaces.get(space, {})
            return [name for name, entry in entries.items() if not is_over(entry[1])]

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
            for entries in self._spaces.values():
                for name in [name for name, entry in entries.items() if is_over(entry[1])]:
                    del entries[name]
<<<<<<< HEAD
=======


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
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: _Files | None = None
        self._is_closed = False
        self._cache: dict[str, tuple[int, dict[str, Entry | None]]] = {}
        self._timed = 0
        self._renew_locks()
        _all.add(self)

    def _renew_locks(self) -> None:
        self._reading = threading.Lock()
        self._writing = Lock()
        self._depth = 0

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
        return None if entry is None or _is_over(entry[1]) else entry[0]

    def _read(self, files: _Files, space: str, name: str, slot: int, count: int) -> Entry | None:
        with self._reading:
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
            self._put(writer, space, name, (value, _until(seconds)))

    def add(self, space: str, name: str, value: bytes, seconds: float | None = None) -> bool:
        """See `Shared`."""
        # Most that is added is there already, when workers come up one after the other.
        if self.get(space, name) is not None:
            return False
        with self._write(space) as writer:
            is_new = _current(writer, space, name) is None
            if is_new:
                self._put(writer, space, name, (value, _until(seconds)))
        return is_new

    def take(self, space: str, name: str) -> bytes | None:
        """See `Shared`."""
        with self._write(space) as writer:
            entry = _current(writer, space, name)
            writer.execute("delete from entries where space = ? and name = ?", (space, name))
        return None if entry is None else entry[0]

    def incr(self, space: str, name: str, by: int = 1) -> int:
        """See `Shared`."""
        with self._write(space) as writer:
            value, until = _current(writer, space, name) or (None, None)
            number = _sum(value, by)
            self._put(writer, space, name, (orjson.dumps(number), until))
        return number

    def _put(self, writer: sqlite3.Connection, space: str, name: str, entry: Entry) -> None:
        writer.execute("insert or replace into entries values (?, ?, ?, ?)", (space, name, *entry))
        if entry[1] is not None:
            self._timed += 1
            if self._timed % PURGE_EVERY == 0:
                writer.execute("delete from entries where until <= ?", (time.time(),))

    def names(self, space: str) -> list[str]:
        """See `Shared`."""
        files = self._files or self._open()
        with self._reading:
            rows = files.reader.execute(
                "select name from entries where space = ? and (until is null or until > ?)",
                (space, time.time()),
            ).fetchall()
        return [name for (name,) in rows]

    @contextlib.contextmanager
    def lock(self, space: str) -> Iterator[None]:
        """See `Shared`; it is one lock for all spaces. A worker that is killed gives it back."""
        with self._writing:
            files = self._files or self._open()
            if self._depth == 0:
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
                files.writer.execute("begin immediate")
                try:
                    yield files.writer
                except BaseException:
                    files.writer.execute("rollback")
                    raise
                files.writer.execute("commit")
            finally:
                files.counts[slot] = odd + 1

    def _open(self) -> _Files:
        with self._writing:
            if self._files is None:
                if self._is_closed:
                    raise RuntimeError("the server has stopped, and its shared state with it")
                server_run.make(self._folder)
                self._files = _open_files(self._folder)
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


def _current(writer: sqlite3.Connection, space: str, name: str) -> Entry | None:
    entry: Entry | None = writer.execute(
        "select value, until from entries where space = ? and name = ?", (space, name)
    ).fetchone()
    return None if entry is None or _is_over(entry[1]) else entry


def _open_files(folder: Path) -> _Files:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    alive = server_run.hold(folder)
    lock = os.open(folder / "counts", flags, 0o600)
    # One after the other: who comes first makes the table.
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        os.truncate(lock, _SLOTS * 8)
        counts = memoryview(mmap.mmap(lock, _SLOTS * 8)).cast("Q")
        writer = _connect(folder)
        writer.execute("pragma journal_mode = wal")
        writer.executescript(_TABLE)
        return _Files(_connect(folder), writer, lock, alive, counts)
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)


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
>>>>>>> main
