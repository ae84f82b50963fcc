"""The times of the last updates of shared things: `was.setlu(name)` and `was.getlu(name)`.

A cache made of them asks `Updates` whether it is still valid.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from atila import Was
    from atila.runtime.shared import Shared


class Updates:
    """The times of updates, which all workers know of."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def set(self, name: str) -> float:
        """Note that a thing was updated now.

        Returns:
            The time noted, in seconds since the epoch; later than all that were noted for it.
        """
        with self._shared.lock(_SPACE):
            # Two updates within one tick of the clock must not look like one.
            now = max(time.time(), self.get(name) + 1e-6)
            self._shared.set(_SPACE, name, orjson.dumps(now))
        return now

    def get(self, *names: str) -> float:
        """When the last of some things was updated, in seconds since the epoch; 0.0 for never."""
        latest = 0.0
        for name in names:
            noted = self._shared.get(_SPACE, name)
            if noted is not None:
                latest = max(latest, float(noted))
        return latest


_SPACE = "updates"


def setlu(was: Was, name: str, *args: Any, **kwargs: Any) -> float:
    """Note that a thing was updated, and emit the event "setlu:name" with the other arguments.

    Args:
        was: the context.
        name: the name of the thing: "tables.users".
        args: for the handlers of the event.
        kwargs: for the handlers of the event.

    Returns:
        The time noted, in seconds since the epoch.
    """
    noted = was.site.updates.set(name)
    was.app.emit(f"setlu:{name}", *args, **kwargs)
    return noted


def getlu(was: Was, *names: str) -> float:
    """When the last of some things was updated, in seconds since the epoch; 0.0 for never."""
    return was.site.updates.get(*names)
