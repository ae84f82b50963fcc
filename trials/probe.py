"""Samples of the processes of a server: memory, descriptors, threads, tasks."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass

import psutil
from support.servers import Server
from support.wire import Broken


@dataclass(frozen=True, slots=True)
class Sample:
    """The state of a server at a moment; memory in MiB, of all its processes.

    Attributes:
        at: seconds since the trial began.
        unique: memory that would be free without it (USS); shared pages count for nobody.
        blocks: blocks that the Python of one worker has allocated.
    """

    at: float
    resident: float
    unique: float
    descriptors: int
    threads: int
    tasks: int
    blocks: int
    objects: int


def sample(server: Server, at: float) -> Sample:
    """Take one; the last three fields are of the worker that answers."""
    resident = unique = 0.0
    descriptors = threads = 0
    for process in server.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            memory = process.memory_full_info()
            resident += memory.rss / 2**20
            unique += memory.uss / 2**20
            descriptors += process.num_fds()
            threads += process.num_threads()
    inside = {"tasks": 0, "blocks": 0, "objects": 0}
    with contextlib.suppress(OSError, Broken, ValueError):
        inside = json.loads(server.get("/inside").text)
    return Sample(
        at,
        resident,
        unique,
        descriptors,
        threads,
        inside["tasks"],
        inside["blocks"],
        inside["objects"],
    )
