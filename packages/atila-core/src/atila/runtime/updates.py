"""The times of the last updates of shared things: `was.setlu(name)` and `was.getlu(name)`.

A cache made of them asks `Updates` whether it is still valid.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import orjson

from atila.errors import SharedUnavailable

if TYPE_CHECKING:
    from atila import Was
    from atila.runtime.shared import Shared

log = logging.getLogger("atila.site")

RETRY_SECONDS = 1.0
"""Between two attempts to note what could not be noted."""


class Updates:
    """The times of updates, which all workers know of.

    One that cannot be noted, because the shared state is away, is noted as soon as that is back;
    until then this worker alone knows of it.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._owed: dict[str, float] = {}
        self._changing = threading.Lock()
        self._is_sending = False
        self._is_closed = threading.Event()

    def set(self, name: str) -> float:
        """Note that a thing was updated now.

        Returns:
            The time noted, in seconds since the epoch; later than all that were noted for it.

        Raises:
            SharedUnavailable: the shared state is away; it is noted later.
        """
        try:
            noted = self._set(name)
        except SharedUnavailable as error:
            log.warning("the update of %s is noted later: %s", name, error.report)
            self._owe(name)
            raise
        self._owed.pop(name, None)
        return noted

    def _set(self, name: str) -> float:
        with self._shared.lock(_SPACE):
            # Two updates within one tick of the clock must not look like one.
            now = max(time.time(), self.get(name) + 1e-6)
            self._shared.set(_SPACE, name, orjson.dumps(now))
        return now

    def _owe(self, name: str) -> None:
        with self._changing:
            self._owed[name] = max(time.time(), self._owed.get(name, 0.0) + 1e-6)
            if not self._is_sending:
                self._is_sending = True
                threading.Thread(target=self._send, name="atila-updates", daemon=True).start()

    def _send(self) -> None:
        while not self._is_closed.wait(RETRY_SECONDS):
            for name, owed in tuple(self._owed.items()):
                try:
                    self._set(name)
                except SharedUnavailable:
                    break
                log.info("the update of %s is noted now", name)
                with self._changing:
                    if self._owed.get(name) == owed:
                        del self._owed[name]
            with self._changing:
                if not self._owed:
                    self._is_sending = False
                    return

    def close(self) -> None:
        """Note nothing more; updates that are still owed are lost, and logged."""
        self._is_closed.set()
        for name in self._owed:
            log.error("the update of %s could not be noted before the end", name)

    def get(self, *names: str) -> float:
        """When the last of some things was updated, in seconds since the epoch; 0.0 for never.

        Raises:
            SharedUnavailable: the shared state is away.
        """
        latest = 0.0
        for name in names:
            if self._owed:
                latest = max(latest, self._owed.get(name, 0.0))
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

    Raises:
        SharedUnavailable: the shared state is away. The event is emitted, and the update is noted
            as soon as the state is back.
    """
    try:
        return was.site.updates.set(name)
    finally:
        was.app.emit(f"setlu:{name}", *args, **kwargs)


def getlu(was: Was, *names: str) -> float:
    """When the last of some things was updated, in seconds since the epoch; 0.0 for never."""
    return was.site.updates.get(*names)
