"""How a task ends that neither gave data nor raised an error of its own."""

from __future__ import annotations

from atila import HTTPError


class TaskTimeout(HTTPError, TimeoutError):  # type: ignore[misc]  # two attributes `errno`
    """A task was not done in time; as an answer 504 (RFC 9110, section 15.6.5).

    Args:
        seconds: what it had.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(504, f"a task was not done within {seconds:g} s")
        self.errno = 0  # which OSError has made None


class TaskCancelled(HTTPError):
    """A task was called off before it began; as an answer 503."""

    def __init__(self) -> None:
        super().__init__(503, "a task was cancelled")


class UpstreamError(HTTPError, ConnectionError):  # type: ignore[misc]  # two attributes `errno`
    """The connection to a server that a task needs failed; as an answer 502.

    Args:
        detail: which server, by the name of its alias, and how it failed; without any secret.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(502, detail)
        self.errno = 0  # which OSError has made None


class Unreachable(UpstreamError):
    """A server cannot be connected to, so that nothing was sent: safe to be tried elsewhere."""
