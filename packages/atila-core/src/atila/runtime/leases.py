"""Leases: of all workers that share a state, one at a time does a piece of work.

A lease ends by itself, so that the work of a worker that was killed goes to another. A worker
that needs longer than that renews it meanwhile.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from typing import TYPE_CHECKING

from atila.errors import SharedUnavailable

if TYPE_CHECKING:
    from atila.runtime.shared import Shared

SPACE = "leases"
AT_ONCE = 0.001
"""Seconds after which one ends that is over."""

log = logging.getLogger("atila.leases")


class Lease:
    """The right to do something once in a while, which is given to one holder at a time.

    Args:
        shared: the state that its holders share.
        name: names the work.
        seconds: how long it is held at least, from `take` on; also how long until others get it
            whose holder was killed.
    """

    def __init__(self, shared: Shared, name: str, seconds: float) -> None:
        self._shared = shared
        self._name = name
        self._seconds = seconds
        self._token = secrets.token_bytes(12)
        self._taken = 0.0
        self._returned = threading.Event()
        # Between renewing and giving back. No lock of the shared state: a holder that is killed
        # while it has one would keep all others from theirs.
        self._changing = threading.Lock()

    def take(self) -> bool:
        """Take it, if nobody has it; it is renewed from then on until `give_back`.

        Raises:
            SharedUnavailable: whether anybody has it cannot be known.
        """
        # Before it is taken: it never lasts longer for others than is assumed here.
        self._taken = time.monotonic()
        if not self._shared.add(SPACE, self._name, self._token, self._seconds):
            return False
        self._returned.clear()
        threading.Thread(target=self._renew, name="atila-lease", daemon=True).start()
        return True

    def _renew(self) -> None:
        while not self._returned.wait(self._seconds / 3):
            try:
                with self._changing:
                    if self._returned.is_set():
                        return
                    if not self._last(self._seconds):
                        log.warning("the lease of %s has ended before its work", self._name)
                        return
            except SharedUnavailable as error:
                log.warning("the lease of %s cannot be renewed: %s", self._name, error.report)
            except RuntimeError:
                return  # The server has stopped without waiting for the work any longer.

    def give_back(self) -> None:
        """The work has ended. Nobody gets the lease before its `seconds` since `take` are over.

        Raises:
            SharedUnavailable: it could not be changed; it ends by itself.
        """
        self._returned.set()
        with self._changing:
            self._last(max(self._taken + self._seconds - time.monotonic(), AT_ONCE))

    def _last(self, seconds: float) -> bool:
        """Have it last so much longer; whether it is still held."""
        return self._shared.replace(SPACE, self._name, self._token, self._token, seconds)
