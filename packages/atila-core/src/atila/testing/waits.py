"""Waiting in tests: for a condition, with a patience that grows with the machine's load."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

VARIABLE = "ATILA_PATIENCE"
"""The environment variable with a factor for all patience, in place of that of the load."""

BASE = 60.0
"""Seconds on an idle machine. It costs time only where something does not come about at all."""

MOST = 3.0
"""The largest factor that the load makes. A deadline of pytest-timeout must be beyond it."""

WAIT = 30.0
"""Seconds that a test client waits for an answer or a message before it raises TimeoutError; more
on a machine that is busy, see `patience`.
"""

STEP, LONGEST_STEP = 0.005, 0.05
"""Seconds between two looks at a condition, at first and at last."""


def patience(base: float = BASE) -> float:
    """How long to wait for a condition that should hold at once, on this machine at this moment.

    Args:
        base: seconds on an idle machine.

    Returns:
        Seconds: `base` by the processes per core that want to run, at least 1 and at most
        `MOST`; or by the factor in the environment variable ATILA_PATIENCE.
    """
    if given := os.environ.get(VARIABLE):
        return base * float(given)
    running = os.getloadavg()[0] / (os.cpu_count() or 1)
    return base * min(max(running, 1.0), MOST)


PATIENCE = patience()
"""`patience()` when this module was imported: for clients that take a timeout in advance."""


def wait_until(
    condition: Callable[[], object],
    what: str = "",
    timeout: float | None = None,
    log: Callable[[], str] | None = None,
) -> None:
    """Return as soon as a condition holds.

    Args:
        condition: called again and again; the condition holds when it gives something true.
        what: the condition in words, for the failure.
        timeout: seconds; `patience()` if it is None, which most tests want.
        log: gives an explanation of a failure, such as the log of a server.

    Raises:
        AssertionError: it does not hold in time.
    """
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        # Asked each time: the machine may have become busy since.
        if waited > (patience() if timeout is None else timeout):
            text = f"not within {waited:.1f} s: {what or condition}"
            raise AssertionError(f"{text}\n{log()}" if log else text)
        # A look may be a request: so one that takes long is asked less often, and a tenth too late.
        time.sleep(min(max(STEP, waited / 10), LONGEST_STEP))
