"""granian's master process, for which a worker that dies ends nothing.

granian gives up when a worker dies twice within 5.5 s. Ours replaces it, after growing pauses, once
a worker has come up; if none ever has, there is a mistake in the app, and it gives up at once.

Relied on, of `granian.Granian`: `_serve_loop`, which returns when the server is to end;
`main_loop_interrupt` (an event), `interrupt_signal`, `interrupt_children` (indices of workers that
died; any left at the end make the exit status 1), `reload_signal`; `wrks` (`inner`, a process of
multiprocessing, and `birth`, by time.monotonic), `_respawn_workers`, `_reload`, `_stop_workers`,
`workers_kill_timeout`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from granian import Granian
from granian.log import logger

from atila.runtime import server_run
from atila.runtime.respawning import Pauses

KILL_SECONDS = 2.0
"""How much longer than it may take a worker is waited for before it is killed."""


class Master(Granian):  # type: ignore[misc, valid-type]  # It is chosen at run time.
    """granian's server, mended.

    Args:
        folder: the folder of the run, where workers note that they have come up.
        options: those of granian.
    """

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(**options)
        self._folder = folder
        self._pauses: defaultdict[int, Pauses] = defaultdict(Pauses)
        self._due: dict[int, float] = {}
        self._has_been_up = False

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait(self._seconds_to_next())
            self.main_loop_interrupt.clear()
            if self.interrupt_signal or not self._plan_replacements():
                return
            self._replace(spawn_target, target_loader)
            if self.reload_signal:
                self._due.clear()
                self._reload(spawn_target, target_loader)

    def _seconds_to_next(self) -> float | None:
        return max(0.0, min(self._due.values()) - time.monotonic()) if self._due else None

    def _plan_replacements(self) -> bool:
        """Decide when workers that died are replaced; False if none has ever come up."""
        self._look_for_workers_up()
        if not self._has_been_up:
            return not self.interrupt_children
        while self.interrupt_children:
            index = self.interrupt_children.pop(0)
            worker = self.wrks[index]
            server_run.forget_up(self._folder, worker.inner.pid)
            pause = self._pauses[index].after(time.monotonic() - worker.birth)
            if pause:
                logger.error(f"worker-{index + 1} is replaced in {pause:g} s")
            self._due[index] = time.monotonic() + pause
        return True

    def _look_for_workers_up(self) -> None:
        if not self._has_been_up:
            noted = (server_run.read_up(self._folder, worker.inner.pid) for worker in self.wrks)
            self._has_been_up = any(patience is not None for patience in noted)

    def _replace(self, spawn_target: Any, target_loader: Any) -> None:
        now = time.monotonic()
        for index in [index for index, due in self._due.items() if due <= now]:
            del self._due[index]
            self._respawn_workers([index], spawn_target, target_loader)

    def _respawn_workers(self, *args: Any, **options: Any) -> None:
        self._be_patient()
        super()._respawn_workers(*args, **options)

    def _stop_workers(self) -> None:
        self._be_patient()
        super()._stop_workers()

    def _be_patient(self) -> None:
        """Give workers the time that their site has to end."""
        noted = [server_run.read_up(self._folder, worker.inner.pid) for worker in self.wrks]
        self.workers_kill_timeout = max((n or 0.0 for n in noted), default=0.0) + KILL_SECONDS
