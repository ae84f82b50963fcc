"""Functions that tests have other processes run."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any


class Odd(Exception):
    """Can be written by pickle, but not read."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__("odd")


def odd() -> None:
    raise Odd(1, 2)


def die(number: int = signal.SIGKILL) -> None:
    os.kill(os.getpid(), number)


def die_with_heir() -> None:
    """Leave a process behind that holds all that this one held."""
    if os.fork() == 0:
        time.sleep(120)
        os._exit(0)
    die()


def meet(folder: str, name: str) -> int:
    """Say that it runs, and wait to be told to go on."""
    Path(folder, name).touch()
    while not Path(folder, "go").exists():
        time.sleep(0.005)
    Path(folder, f"{name}-ended").touch()
    return os.getpid()


def lock() -> Any:
    return sys.stdout


def modules() -> list[str]:
    return sorted({name.partition(".")[0] for name in sys.modules})


def leave() -> None:
    raise SystemExit(3)


def signals() -> int:
    """What comes to a whole process group, or to all of a service, does not end it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(os.getpid(), number)
    return os.getpid()
