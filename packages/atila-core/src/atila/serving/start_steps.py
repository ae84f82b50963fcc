"""The steps of a site's start: errors say which step raised them, and slow steps are logged."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SLOW_SECONDS = 10.0
"""How long a step may take before it is logged."""

log = logging.getLogger("atila.app")


@contextmanager
def step(name: str, source: str) -> Iterator[None]:
    """Run a step of the start, for which the process waits before it serves.

    An error of the step gets a note (PEP 678) with the name of the step; a step that takes longer
    than `SLOW_SECONDS` is logged once, since it may never end.

    Args:
        name: names the step, such as "the provider 'engine'".
        source: "file:line" of it; "" if it has none.
    """
    if source:
        name = f"{name} ({source})"
    timer = threading.Timer(SLOW_SECONDS, _log_slow, (name,))
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        error.add_note(
            f"Raised by {name}, without which the app does not serve. Mend the error above; or, if"
            " the app can serve without, catch it there."
        )
        raise
    finally:
        timer.cancel()


def _log_slow(name: str) -> None:
    log.warning(
        "%s has run for %g s; this process serves nothing until it ends. Mend: give what it waits"
        " for a timeout",
        name,
        SLOW_SECONDS,
    )
