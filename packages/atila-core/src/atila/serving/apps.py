"""`was.apps`: the apps of a site by name, and their mounts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atila.errors import SetupError
from atila.routing import hosts

if TYPE_CHECKING:
    from atila import Atila


@dataclass(frozen=True, slots=True)
class Mount:
    """An app at a mount point.

    Attributes:
        point: the path it is mounted on: "/" or "/shop".
        app: the app.
        name: its name for other apps; if not given, the name of the module it was made in.
        host: "default" for all hosts that no other mount has, "example.com", ".example.com" for it
            and all below it, or several separated by spaces.
        subscribe: names of the apps whose events it gets.
    """

    point: str
    app: Atila
    name: str = ""
    host: str = hosts.DEFAULT
    subscribe: Sequence[str] = ()

    @property
    def prefix(self) -> str:
        """The beginning of the app's paths: "" or "/shop"."""
        return self.point.rstrip("/")


class Apps(Mapping[str, "Atila"]):
    """The apps of a site.

    Args:
        mounts: an app that was mounted without a name has that of the module it was made in.

    Raises:
        SetupError: two have the same name, or one subscribes to an app that is not there.
    """

    def __init__(self, mounts: Sequence[Mount]) -> None:
        self._apps = {mount.name: mount.app for mount in mounts if mount.name}
        for mount in mounts:
            if mount.name and self._apps[mount.name] is not mount.app:
                raise SetupError(f"two apps are called {mount.name!r}; mount one by another name=")
        for mount in mounts:
            if not mount.name:
                self._apps.setdefault(mount.app.import_name, mount.app)

    def __getitem__(self, name: str) -> Atila:
        try:
            return self._apps[name]
        except KeyError:
            raise KeyError(f"there is no app {name!r} here; there are {self}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._apps)

    def __len__(self) -> int:
        return len(self._apps)

    def __str__(self) -> str:
        return ", ".join(map(repr, self._apps))

    def connect(self, mounts: Sequence[Mount]) -> None:
        """Have the events of apps emitted to those that subscribe to them, and to nobody else."""
        for mount in mounts:
            mount.app.bus.subscribers.clear()
        for mount in mounts:
            names = [mount.subscribe] if isinstance(mount.subscribe, str) else mount.subscribe
            for name in names:
                if name not in self._apps:
                    raise SetupError(
                        f"{mount.app!r} subscribes to {name!r}, but no app is mounted by that name;"
                        f" there are {self}"
                    )
                self._apps[name].bus.subscribers.append(mount.app.bus)
