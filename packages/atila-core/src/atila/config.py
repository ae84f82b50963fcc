"""`app.config`: settings by attribute or by key."""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, Any] = {
    "MAX_UPLOAD_SIZE": 16 * 1024 * 1024,
    "MAX_FIELDS": 1000,
    "THREADS": 32,
    "QUEUE_SIZE": 1024,
    "SHUTDOWN_TIMEOUT": 30.0,
}
"""Settings of the core:

- MAX_UPLOAD_SIZE: bytes of a request body; a larger one is refused with 413.
- MAX_FIELDS: fields of a query string or form; more are refused with 400.
- THREADS: worker threads of a process, started as they are needed.
- QUEUE_SIZE: requests that may wait for a thread; a further one is refused with 503.
- SHUTDOWN_TIMEOUT: seconds that running requests have to end when the server stops.
"""


class Config(dict[str, Any]):
    """A dict whose keys are attributes too: `app.config.MAX_FIELDS`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no setting {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"there is no setting {name!r}") from None
