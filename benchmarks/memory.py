"""Memory and processor time of a server: of the process that serves, and of all of them."""

from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """Resident bytes and processor seconds of one process."""

    rss: int
    cpu: float


Snapshot = dict[int, Usage]
"""What each process of a server uses, by process id."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes: when the first answers were given, and again after the load.

    The tree's figures add up each process, so pages that processes share count more than once.
    """

    worker_before: int
    worker_after: int
    tree_before: int
    tree_after: int


def snapshot(pid: int) -> Snapshot:
    """Process ``pid`` and all its descendants now; psutil.NoSuchProcess if it has ended."""
    first = psutil.Process(pid)
    if first.status() == psutil.STATUS_ZOMBIE:
        raise psutil.ZombieProcess(pid)
    usages: Snapshot = {}
    for process in (first, *first.children(recursive=True)):
        try:
            with process.oneshot():
                times = process.cpu_times()
                usages[process.pid] = Usage(process.memory_info().rss, times.user + times.system)
        except psutil.NoSuchProcess:
            continue
    return usages


def seconds_between(before: Snapshot, after: Snapshot) -> float:
    """Processor seconds, of user and kernel, which all processes used between two snapshots."""
    nothing = Usage(0, 0.0)
    return sum(usage.cpu - before.get(pid, nothing).cpu for pid, usage in after.items())


def compare(before: Snapshot, after: Snapshot) -> Memory:
    """Two snapshots around a load. The worker is the process which worked most between them."""
    nothing = Usage(0, 0.0)
    worker = max(after, key=lambda pid: after[pid].cpu - before.get(pid, nothing).cpu)
    return Memory(
        before.get(worker, nothing).rss,
        after[worker].rss,
        sum(usage.rss for usage in before.values()),
        sum(usage.rss for usage in after.values()),
    )
