"""Dicts shared between threads: `app.g` of a process, `app.store` and `was.g` of all workers."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from atila.errors import SharedUnavailable
from atila.runtime.shared import LocalShared
from atila.runtime.spare_threads import Lock
from atila.values import json

if TYPE_CHECKING:
    from atila.runtime.shared import Shared

log = logging.getLogger("atila.site")


class Store(MutableMapping[str, Any]):
    """Values of any type by name, for all threads of a process.

    Each operation is whole in itself; hold the store (`with app.g: …`) where several belong
    together, as in `app.g["n"] += 1`.

    Args:
        beneath: whose values show through where this has none of a name; None for nobody's.
    """

    def __init__(self, beneath: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, Any] = {}
        self._beneath: Mapping[str, Any] = {} if beneath is None else beneath
        self._lock = Lock()

    def __enter__(self) -> Store:
        self._lock.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.__exit__(*error)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            return self._beneath[name]

    def __setitem__(self, name: str, value: Any) -> None:
        with self._lock:
            self._values[name] = value

    def __delitem__(self, name: str) -> None:
        with self._lock:
            del self._values[name]

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter({**dict.fromkeys(self._beneath), **self._values})

    def __len__(self) -> int:
        return len({*self._beneath, *self._values})

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in self._beneath

    def __repr__(self) -> str:
        # Without the values, which may be anybody's secret.
        return f"<Store: {', '.join(self)}>"

    def set(self, name: str, value: Any) -> None:
        """Keep a value under a name."""
        self[name] = value

    def remove(self, name: str) -> None:
        """Forget a name; nothing if there is none."""
        self.pop(name, None)

    def delete(self, name: str) -> None:
        """Forget a name; nothing if there is none."""
        self.pop(name, None)

    def incr(self, name: str, by: int = 1) -> int:
        """Add to a number, or to 0 if there is none; the sum. Whole in itself, unlike `+=`."""
        with self._lock:
            number: int = self.get(name, 0) + by
            self._values[name] = number
        return number


_PLAIN = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
"""Options of orjson: types that JSON lacks raise an error, as they would not come back unchanged.
"""


class SharedStore(MutableMapping[str, Any]):
    """Values of JSON by name, for all threads of all workers: `app.store` and `was.g`.

    Each operation is atomic; hold the store (`with app.store: …`) where several belong together.
    All workers that write wait meanwhile, so hold it briefly. A value that was read is a copy: to
    change it, set it anew.

    A value set before the app serves, in a module or in `__setup__`, is a first value: it is
    ignored if another worker has set the name before, so that a worker that is started anew does
    not undo later changes.
    """

    def __init__(self) -> None:
        self._own = LocalShared()
        self._shared: Shared = self._own
        self._space = ""
        self._is_first = True
        self._is_pending = False
        self._held: list[AbstractContextManager[object]] = []

    def attach(self, shared: Shared, space: str) -> None:
        """Keep the values in the shared state from now on, those that there are already too.

        Args:
            shared: the state.
            space: the name space of the names there.
        """
        if self._shared is not self._own:
            return  # Of another site, which says so when the app enters this one too.
        self._shared, self._space = shared, space
        self._is_pending = True
        try:
            self.send_first_values()
        except SharedUnavailable as error:
            log.warning("the first values of %s are sent later: %s", space, error.report)

    def send_first_values(self) -> None:
        """Send what was set before the state could be had, if that has not happened yet.

        Raises:
            SharedUnavailable: it is still away.
        """
        if self._is_pending:
            for name in self._own.names(""):
                value = self._own.get("", name)
                if value is not None:
                    self._shared.add(self._space, name, value)
            self._is_pending = False

    def _state(self) -> Shared:
        if self._is_pending:
            self.send_first_values()
        return self._shared

    def serve(self) -> None:
        """From now on, values set are no longer first values."""
        self._is_first = False

    def detach(self, shared: Shared) -> None:
        """Be as before `attach`, if it was this state."""
        if self._shared is not shared:
            return
        self._shared, self._space, self._is_first = self._own, "", True
        self._is_pending = False

    def __enter__(self) -> SharedStore:
        lock = self._state().lock(self._space)
        lock.__enter__()
        # Only who has the lock comes here, so the last one is always this thread's.
        self._held.append(lock)
        return self

    def __exit__(self, *error: object) -> None:
        self._held.pop().__exit__(None, None, None)

    def __getitem__(self, name: str) -> Any:
        value = self._state().get(self._space, name)
        if value is None:
            raise KeyError(name)
        return json.loads(value)

    def __setitem__(self, name: str, value: Any) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        if self._state().take(self._space, name) is None:
            raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._state().names(self._space))

    def __len__(self) -> int:
        return len(self._state().names(self._space))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._state().get(self._space, name) is not None

    def __repr__(self) -> str:
        return f"<SharedStore: {', '.join(self)}>"

    def set(self, name: str, value: Any, timeout: float | None = None) -> None:
        """Keep a value under a name.

        Args:
            name: the name.
            value: None, a bool, number, str, or a list or dict of them; a tuple becomes a list.
            timeout: seconds after which it is forgotten; None or 0 for never.

        Raises:
            SharedUnavailable: the shared state is away; so does each use of a store that serves.
            TypeError: it is a value that JSON has no type for.
        """
        if self._is_first and self._shared is not self._own:
            try:
                self._state().add(self._space, name, _dump(name, value), timeout)
            except SharedUnavailable:
                # One more of those that are sent when it is there.
                if self._own.get("", name) is None:
                    self._own.set("", name, _dump(name, value), timeout)
                self._is_pending = True
        else:
            self._state().set(self._space, name, _dump(name, value), timeout)

    def add(self, name: str, value: Any, timeout: float | None = None) -> bool:
        """Keep a value under a name that has none; whether it had none. See `set`.

        Of many calls at once, in any workers, one succeeds.
        """
        return self._state().add(self._space, name, _dump(name, value), timeout)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The value of a name, which is set first if there is none."""
        while name not in self:
            self.add(name, default)
        return self[name]

    def pop(self, name: str, *default: Any) -> Any:
        """Forget a name; its last value, which nobody else gets.

        Raises:
            KeyError: there is no such name, and no default.
        """
        value = self._state().take(self._space, name)
        if value is not None:
            return json.loads(value)
        if not default:
            raise KeyError(name)
        return default[0]

    def remove(self, name: str) -> None:
        """Forget a name; nothing if there is none."""
        self._state().take(self._space, name)

    delete = remove

    def incr(self, name: str, by: int = 1) -> int:
        """Add to an integer, or to 0 if there is none; the sum. Whole in itself, unlike `+=`.

        Raises:
            TypeError: the value is no integer.
        """
        return self._state().incr(self._space, name, by)


class _Named(Protocol):
    """An app, as far as its store is concerned."""

    import_name: str
    store: SharedStore


def attach(app: _Named, shared: Shared, place: str) -> None:
    """Share the store of an app with the same app in the other workers.

    Args:
        app: the app.
        shared: the state.
        place: its host and prefix, which distinguish the apps of one module.
    """
    app.store.attach(shared, f"store {app.import_name} {place}")


def _dump(name: str, value: Any) -> bytes:
    if not isinstance(name, str):
        raise TypeError(f"a name must be a str, not {type(name).__name__}")
    try:
        return json.dumps(value, None, _PLAIN)
    except TypeError as error:
        raise TypeError(
            f"the value of {name!r}, {type(value).__name__}, cannot be shared between workers:"
            f" {error}. Objects of one process belong in app.g"
        ) from None
