"""Which event loop a process runs: asyncio's own, uvloop, or another that was asked for by name."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os

from atila.errors import SetupError, nearest

LOOP = "ATILA_LOOP"
"""The environment variable that says which, as `atila serve --loop` does."""
AUTO = "auto"
NAMES = (AUTO, "uvloop", "asyncio", "rloop")


def asked() -> str:
    """The loop that was asked for, one of `NAMES`.

    Raises:
        SetupError: there is none of this name, or it is not installed.
    """
    name = os.environ.get(LOOP) or AUTO
    if name not in NAMES:
        names = ", ".join(NAMES)
        raise SetupError(f"{LOOP}={name}: there are {names}{nearest(name, NAMES)}")
    if name not in (AUTO, "asyncio") and importlib.util.find_spec(name) is None:
        raise SetupError(f"{name} is not installed. Mend: pip install {name}, or --loop auto")
    return name


def of_server() -> str:
    """The loop for a server that runs one itself: uvloop where it is installed, if nothing else
    was asked for.

    Raises:
        SetupError: see `asked`.
    """
    name = asked()
    if name == AUTO:
        return "uvloop" if importlib.util.find_spec("uvloop") is not None else "asyncio"
    return name


def make() -> asyncio.AbstractEventLoop:
    """A new loop beside a server that has none: asyncio's own, if nothing else was asked for.

    Raises:
        SetupError: see `asked`.
    """
    name = asked()
    if name in (AUTO, "asyncio"):
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = importlib.import_module(name).new_event_loop()
    return loop
