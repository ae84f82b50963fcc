"""A board where a test and the processes of a server meet: files in a folder of their own.

It needs no free worker thread, works across processes, and is still there when the server is not.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from atila.testing.waits import STEP, patience, wait_until


class Board:
    """Notes that are counted, and gates that somebody waits for.

    Args:
        folder: where its files are; everybody may write there.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def note(self, name: str) -> None:
        """Write that something happened once more."""
        self.write(name, ".")

    def write(self, name: str, text: str) -> None:
        """Append to a note."""
        handle = os.open(self.folder / name, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o666)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)

    def text(self, name: str) -> str:
        """All that was written under a name."""
        try:
            return (self.folder / name).read_text()
        except FileNotFoundError:
            return ""

    def count(self, name: str) -> int:
        """How often something happened so far."""
        try:
            return (self.folder / name).stat().st_size
        except FileNotFoundError:
            return 0

    def wait_count(self, name: str, least: int = 1) -> None:
        """Wait until something has happened so often."""
        wait_until(lambda: self.count(name) >= least, f"{name!r} noted {least} times on the board")

    def stalled_count(self, name: str) -> int:
        """How often something had happened when it happened no more for half a second."""
        count, since = -1, time.monotonic()
        while time.monotonic() - since < 0.5:
            if (now := self.count(name)) != count:
                count, since = now, time.monotonic()
            time.sleep(STEP)
        return count

    def open(self, gate: str) -> None:
        """Let all through who wait for a gate, now or later."""
        (self.folder / f"{gate}.gate").touch()

    def is_open(self, gate: str) -> bool:
        """Whether the gate was opened."""
        return (self.folder / f"{gate}.gate").exists()

    def pass_gate(self, gate: str) -> None:
        """Wait until a gate is open."""
        wait_until(lambda: self.is_open(gate), f"gate {gate!r} open")

    async def pass_gate_async(self, gate: str) -> None:
        """Wait until a gate is open, while others run."""
        async with asyncio.timeout(patience()):
            while not self.is_open(gate):  # noqa: ASYNC110 - it is opened by another process
                await asyncio.sleep(STEP)
