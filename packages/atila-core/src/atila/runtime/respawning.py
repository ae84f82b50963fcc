"""When a worker that died is replaced."""

from __future__ import annotations

STEADY_SECONDS = 60.0
"""A worker that lived as long is replaced at once, whatever was before."""
FIRST_PAUSE_SECONDS = 0.5
"""The pause before the second replacement in a row; each further one is twice as long."""
LONGEST_PAUSE_SECONDS = 30.0


class Pauses:
    """The pauses before the replacements of one worker, which grow while it dies young.

    A worker that a single request has killed is back at once, and one that dies as soon as it
    serves, since a database is away, leaves the machine to others.
    """

    def __init__(self) -> None:
        self._next = 0.0

    def after(self, lived: float) -> float:
        """Seconds to wait before the next replacement.

        Args:
            lived: seconds that the worker lived which has died now.
        """
        pause = 0.0 if lived >= STEADY_SECONDS else self._next
        self._next = min(max(FIRST_PAUSE_SECONDS, 2 * pause), LONGEST_PAUSE_SECONDS)
        return pause
