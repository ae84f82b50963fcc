"""Clients that are in a room through all faults: what is said after a fault they must hear."""

from __future__ import annotations

import asyncio
import threading
import time

from support.listeners import Listener, listening

from atila.testing.waits import PATIENCE, wait_until


class Room:
    """Clients of event streams, which come back whenever they lose their connection.

    Args:
        urls: the event streams, one for each.
        workers: how many workers they are to be connected to, by the header X-Pid.
    """

    def __init__(self, urls: list[str], workers: int) -> None:
        self._urls, self._workers = urls, workers
        self._listeners: list[Listener] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()))
        self._over = threading.Event()

    def __enter__(self) -> Room:
        self._thread.start()
        wait_until(
            lambda: len(self._listeners) > 0 or not self._thread.is_alive(), "all are in the room"
        )
        assert self._listeners
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    async def _listen(self) -> None:
        async with listening(self._urls, PATIENCE, self._workers) as listeners:
            self._listeners = listeners
            while not self._over.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    def have_heard(self, text: str, seconds: float) -> bool:
        """Whether all hear it within so many seconds."""
        end = time.monotonic() + seconds
        while not all(listener.got[text] for listener in self._listeners):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def faults(self) -> list[str]:
        """What they heard twice, or not in the order in which it was said: texts are numbers."""
        wrong = []
        for number, listener in enumerate(self._listeners):
            if any(times > 1 for times in listener.got.values()):
                wrong.append(f"listener {number} heard something twice")
            if listener.order != sorted(listener.order, key=int):
                wrong.append(f"listener {number} heard something out of order")
        return wrong
