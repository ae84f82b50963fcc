"""A dict that many threads share: `app.g`, `app.store` and `was.g`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, MutableMapping
from typing import Any


class Store(MutableMapping[str, Any]):
    """Values by name, for all threads of a process.

    Each operation is whole in itself; hold the store (`with app.store: …`) where several belong
    together, as in `app.store["n"] += 1`.
    """

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> Store:
        self._lock.acquire()
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        with self._lock:
            self._values[name] = value

    def __delitem__(self, name: str) -> None:
        with self._lock:
            del self._values[name]

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(list(self._values))

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __repr__(self) -> str:
        # Without the values, which may be anybody's secret.
        return f"<Store: {', '.join(self)}>"

    def set(self, name: str, value: Any) -> None:
        """Keep a value under a name."""
        self[name] = value

    def remove(self, name: str) -> None:
        """Forget a name; nothing if there is none."""
        self.pop(name, None)
