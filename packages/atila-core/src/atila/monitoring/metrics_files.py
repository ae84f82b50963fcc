"""Sums the metrics of all worker processes by prometheus_client's multiprocess mode.

In that mode each process has its numbers in memory-mapped files of one folder, with its process id
in their names. The folder is in the environment: PROMETHEUS_MULTIPROC_DIR. If it was set before the
server started, its owner sweeps it. Else it is in the folder of the run (`server_run.py`), and the
counts of dead workers are merged here, so that they still count and their files go.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from atila.errors import SetupError
from atila.runtime import server_run
from atila.runtime.allocation import allocate

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

log = logging.getLogger("atila.metrics")

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
FOLDER = "metrics"
"""The folder's name in that of the run."""
LOCK = "lock"
"""A file that readers and sweepers lock."""
DEAD = "0"
"""In place of a process id: the merged counts of dead processes."""
_held: list[int] = []
"""Locks of the folder that this process has for as long as it lives."""
_SUMMED = ("counter", "histogram", "summary")


def share() -> Path | None:
    """Have all metrics of this process in files, if others serve together with it.

    Returns:
        The folder; None for a process that serves alone.

    Raises:
        SetupError: the folder that the environment names cannot be made.
    """
    folder, is_theirs = _folder()
    if folder is None:
        os.environ.pop(VARIABLE, None)
        return None
    try:
        if not is_theirs:
            server_run.make(folder.parent)
            _held.append(server_run.hold(folder.parent))
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise SetupError(f"{VARIABLE} is {str(folder)!r}, which cannot be used: {error}") from None
    os.environ[VARIABLE] = str(folder)
    _move_values()
    return folder


def _folder() -> tuple[Path | None, bool]:
    """The folder, and whether somebody else has chosen it."""
    named = os.environ.get(VARIABLE)
    # That of another run comes of a server by which this one was started.
    if named and not server_run.is_folder(Path(named).parent):
        return Path(named), True
    run = server_run.find_folder()
    return (None if run is None else run / FOLDER), False


def _move_values() -> None:
    """Move the values of metrics that are there already: apps define theirs when they are imported,
    which is before anybody knows of the folder.

    Relied on, of prometheus_client: `values.ValueClass`, which makes each value; of a registry
    `_collector_to_names`; of a metric `_metric_init`, which makes its values, `_is_observable`, and
    `_metrics`, its children by label.
    """
    from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Summary, values

    vars(values)["MmapedDict"] = _made_safe(fails=False)
    if getattr(values.ValueClass, "_multiprocess", False):
        return
    values.ValueClass = values.MultiProcessValue()
    for collector in tuple(REGISTRY._collector_to_names):
        if isinstance(collector, Counter | Gauge | Histogram | Summary):
            children = getattr(collector, "_metrics", {})
            for metric in (collector, *children.values()):
                if metric._is_observable():
                    _renew(metric)


@functools.cache
def _made_safe(*, fails: bool) -> Any:
    """The library's dict in a mapped file, whose file has a place on the disk for all of it: where
    it has none, a write ends the process.

    Relied on, of prometheus_client: `MmapedDict`, with `_f`, `_m`, `_used`, `_capacity`,
    `_init_value`, and its module's `_INITIAL_MMAP_SIZE`.

    Args:
        fails: it raises OSError if the disk is full. Else it is kept in memory from then on, so
            that requests do not fail for being counted; others do not see how it goes on.
    """
    from prometheus_client import mmap_dict

    base: Any = mmap_dict.MmapedDict

    class Allocated(base):  # type: ignore[misc]  # The library has no types.
        _f: Any

        def __init__(self, filename: str) -> None:
            with open(filename, "a+b") as file:
                if os.fstat(file.fileno()).st_size:
                    super().__init__(filename)
                    return
                try:
                    allocate(file.fileno(), mmap_dict._INITIAL_MMAP_SIZE)
                except OSError as error:
                    # An empty one cannot be read.
                    os.unlink(filename)
                    if fails:
                        raise
                    _warn(error)
                    filename = f"/proc/self/fd/{os.memfd_create('metrics')}"
            super().__init__(filename)

        def _init_value(self, key: str) -> None:
            # Three numbers and the padding, at most.
            if self._used + len(key.encode()) + 32 > self._capacity:
                try:
                    allocate(self._f.fileno(), self._capacity * 2)
                except OSError as error:
                    if fails:
                        raise
                    _warn(error)
                    self._move()
            super()._init_value(key)

        def _move(self) -> None:
            file = os.fdopen(os.memfd_create("metrics"), "a+b")
            file.write(self._m[:])
            file.flush()
            self._f.close()
            self._f = file

    return Allocated


def _warn(error: OSError) -> None:
    log.warning("metrics of this process are no longer seen by the others: %s", error)


def _renew(metric: Any) -> None:
    before = _values(metric)
    metric._metric_init()
    for old, new in zip(before, _values(metric), strict=True):
        new.inc(old.get())


def _values(metric: Any) -> list[Any]:
    found = [vars(metric).get(name) for name in ("_value", "_count", "_sum")]
    found += vars(metric).get("_buckets") or ()
    return [value for value in found if hasattr(value, "inc")]


def registry(folder: Path | None) -> CollectorRegistry:
    """The registry of the page: the default one, or in a folder the numbers of all processes."""
    from prometheus_client import REGISTRY, CollectorRegistry

    if folder is None:
        return REGISTRY
    together = CollectorRegistry()
    together.register(_Together(folder, sweeps=server_run.is_folder(folder.parent)))
    return together


class _Together:
    """The numbers of all processes, and of this one those that are not in files: collectors of
    apps, `Info` and `Enum`.

    Args:
        folder: the folder of the files.
        sweeps: the files of dead processes are merged.
    """

    def __init__(self, folder: Path, *, sweeps: bool) -> None:
        from prometheus_client import GC_COLLECTOR, PROCESS_COLLECTOR

        self._folder = folder
        self._sweeps = sweeps
        # Of the one process that happens to answer; as numbers of all they would be wrong.
        own = (PROCESS_COLLECTOR, GC_COLLECTOR)
        self._left_out = {metric.name for collector in own for metric in collector.collect()}

    def describe(self) -> Iterable[Metric]:
        """None in advance."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        from prometheus_client import REGISTRY
        from prometheus_client.multiprocess import MultiProcessCollector

        with _locked(self._folder):
            if self._sweeps:
                sweep(self._folder)
            collector: Any = MultiProcessCollector(None, str(self._folder))
            found = {metric.name: metric for metric in collector.collect()}
        yield from found.values()
        for metric in REGISTRY.collect():
            if metric.name not in found and metric.name not in self._left_out:
                yield metric


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sweep(folder: Path) -> None:
    """Remove the gauges of dead processes, and merge their counters. Under the lock."""
    from prometheus_client.multiprocess import mark_process_dead

    for pid in {path.stem.rpartition("_")[2] for path in folder.glob("*.db")} - {DEAD}:
        if psutil.pid_exists(int(pid)):
            continue
        mark_process_dead(int(pid), str(folder))
        for kind in _SUMMED:
            path = folder / f"{kind}_{pid}.db"
            # While the disk is full, they stay where they are, and are counted there.
            with contextlib.suppress(OSError):
                if path.exists():
                    _add(path, folder / f"{kind}_{DEAD}.db")


def _add(source: Path, target: Path) -> None:
    """Add the numbers of a file to those of another, and delete it.

    Relied on, of prometheus_client: `MmapedDict`, the format of these files.
    """
    counted: Any = _made_safe(fails=True)(str(target))
    try:
        # Nothing is in it if the process was killed while it made the file.
        size = source.stat().st_size
        dead: Any = counted.read_all_values_from_file(str(source)) if size else ()
        for key, value, _, _ in dead:
            counted.write_value(key, counted.read_value(key)[0] + value, 0.0)
    finally:
        counted.close()
    source.unlink()


def leave() -> None:
    """Remove the gauges of this process, which ends."""
    folder = os.environ.get(VARIABLE)
    if folder:
        from prometheus_client.multiprocess import mark_process_dead

        with contextlib.suppress(OSError):
            mark_process_dead(os.getpid(), folder)
