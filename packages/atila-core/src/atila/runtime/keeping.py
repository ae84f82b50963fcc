"""Values that belong to a site, an app or a context: made at the first use, gone with the owner."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

from atila.typevars import Value

_NAME = "_kept"


class _Store(dict[Hashable, tuple[Any, Any]]):
    """By key, the sources of a value, and the value."""

    __slots__ = ("lock",)

    def __init__(self) -> None:
        super().__init__()
        # Making one thing may ask for another.
        self.lock = threading.RLock()


def kept(owner: object, key: Hashable, make: Callable[[], Value], of: object = None) -> Value:
    """The value that an owner keeps under a key. For any thread; it is made once.

    Args:
        owner: a site, an app or a context.
        key: such as its class.
        make: gives the value if there is none yet; it must not wait for another thread.
        of: its sources, such as settings; the value is made anew if these have changed.
    """
    store: _Store | None = owner.__dict__.get(_NAME)
    if store is None:
        store = owner.__dict__.setdefault(_NAME, _Store())
    entry = store.get(key)
    if entry is None or entry[0] != of:
        with store.lock:
            entry = store.get(key)
            if entry is None or entry[0] != of:
                entry = store[key] = (of, make())
    value: Value = entry[1]
    return value


def found(owner: object, key: Hashable) -> Any:
    """The value that an owner keeps under a key; None if there is none."""
    store: _Store | None = owner.__dict__.get(_NAME)
    entry = store.get(key) if store is not None else None
    return entry[1] if entry is not None else None


def forget(owner: object, key: Hashable) -> Any:
    """Remove the value that an owner keeps under a key, and return it; None if there is none."""
    store: _Store | None = owner.__dict__.get(_NAME)
    entry = store.pop(key, None) if store is not None else None
    return entry[1] if entry is not None else None
