"""Development mode: watches a project's files for `--devel` and `--reload`."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atila import Site

VARIABLE = "ATILA_RELOAD"
"""Environment variable: whether servers start their workers anew when a file changes."""
MODE = "SKITAIENV"
"""Environment variable of Skitai, for the mode that a site runs in."""
INTERVAL = 0.25
"""Seconds between two looks at the files where nothing reports changes."""
SELDOM_MS = 1000
"""Milliseconds between two looks at them where the system reports changes: it may miss one."""
_PASSED_OVER = frozenset({"__pycache__", "node_modules", "site-packages"})

Stamps = dict[str, tuple[int, int]]
"""Time of the last change in ns, and size, by path."""


def is_development() -> bool:
    """Whether the site runs in development mode, by --devel."""
    return os.environ.get(MODE) == "DEVEL"


def is_on() -> bool:
    """Whether workers are to be started anew when a file changes."""
    return is_development() or bool(os.environ.get(VARIABLE))


def ask(*, development: bool, reload: bool) -> None:
    """Note the settings of the command line, for this process and its workers."""
    if development:
        os.environ[MODE] = "DEVEL"
    if reload:
        os.environ[VARIABLE] = "1"


def prepare() -> None:
    """Have modules compiled anew whenever they are imported, if files are watched.

    Compiled code is known by second and size of its source: two changes in a second look alike.
    """
    if is_on():
        sys.dont_write_bytecode = True


class Files:
    """The Python files of a project, as they were.

    Args:
        folder: the folder of the project; environments and hidden folders in it are passed over.
        more: files and folders besides; see `places_of`.
    """

    def __init__(self, folder: str, more: Iterable[str] = ()) -> None:
        self._folder = folder
        self._more = set(more)
        self.stamps = self._look()

    def add(self, places: Iterable[str]) -> None:
        """Look at more files and folders from now on."""
        self._more.update(places)
        self.stamps = self._look()

    def _look(self) -> Stamps:
        stamps: Stamps = {}
        for path in (p for place in (self._folder, *self._more) for p in _python_files(place)):
            try:
                found = os.stat(path)
            except OSError:
                continue
            stamps[path] = found.st_mtime_ns, found.st_size
        return stamps

    def changed(self) -> bool:
        """Whether any was changed, added or removed since the last time."""
        before, self.stamps = self.stamps, self._look()
        return before != self.stamps

    def changed_since(self, moment: int) -> bool:
        """Whether any has changed since a moment, `time.time_ns()`."""
        return any(changed > moment for changed, _ in self.stamps.values())

    def wait(self) -> None:
        """Wait until any changes."""
        moments = self._moments()
        while not self.changed():
            next(moments)

    def _moments(self) -> Iterator[None]:
        """When to look again: once the system reports a change, if watchfiles is installed."""
        watch = _watch()
        while watch is not None:
            try:
                # One by one: an environment or node_modules in a project is too much to watch.
                for changes in watch(
                    *(p for place in (self._folder, *self._more) for p, _ in _walk(place)),
                    watch_filter=_may_matter,
                    rust_timeout=SELDOM_MS,
                    yield_on_timeout=True,
                    recursive=False,
                ):
                    yield
                    if changes:
                        break  # There may be a folder more.
            except OSError:
                # A folder has just gone, or the system watches no more of them.
                time.sleep(INTERVAL)
                yield
        while True:
            time.sleep(INTERVAL)
            yield

    def watch(self, react: Callable[[], object]) -> None:
        """Call react() once, in a thread, when any has changed."""

        def run() -> None:
            self.wait()
            react()

        threading.Thread(target=run, name="atila-reloading", daemon=True).start()

    def forget_modules(self) -> None:
        """Remove the modules of these files, so that the next import of one loads it anew."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name != "__main__" and file is not None and os.path.abspath(file) in self.stamps:
                del sys.modules[name]
        importlib.invalidate_caches()


def _watch() -> Callable[..., Iterator[Any]] | None:
    try:
        from watchfiles import watch
    except ImportError:
        return None
    return watch


def _may_matter(change: object, path: str) -> bool:
    # Databases and logs in a project are written all the time.
    return path.endswith(".py") or os.path.isdir(path)


def _python_files(place: str) -> Iterator[str]:
    for parent, names in _walk(place):
        yield from (os.path.join(parent, name) for name in names if name.endswith(".py"))


def _walk(place: str) -> Iterator[tuple[str, list[str]]]:
    """Folders that may have modules of a project, with the names of their files."""
    if place.endswith(".py"):
        yield os.path.split(os.path.abspath(place))[0], [os.path.basename(place)]
    for parent, folders, names in os.walk(place):
        folders[:] = [
            name
            for name in folders
            if name[0] != "."
            and name not in _PASSED_OVER
            and not os.path.exists(os.path.join(parent, name, "pyvenv.cfg"))
        ]
        yield parent, names


def announce(site: Site, event: str) -> None:
    """Emit "before_reload" and "reloaded" in the apps of a site."""
    for mount in site.mounts:
        mount.app.bus.announce(event)


def files_of(target: str, places: Iterable[str] = ()) -> Files:
    """The files to be watched for a target.

    Args:
        target: a launch script, or "package.module:app".
        places: files and folders besides its own; see `places_of`.
    """
    return Files(folder_of(target), places)


def places_of(site: Site) -> list[str]:
    """Where the packages and modules are that are mounted on a site; see `places`."""
    return places(module for mount in site.mounts for module in mount.app.mounting.modules)


def places(modules: Iterable[object]) -> list[str]:
    """Where modules are: the folder of a package, the file of another module."""
    named = (getattr(module, "__file__", None) for module in modules)
    files = {os.path.abspath(file) for file in named if file}
    return sorted(os.path.dirname(f) if f.endswith("__init__.py") else f for f in files)


def folder_of(target: str) -> str:
    """The folder of a project: that of its launch script, or else the working directory."""
    return str(Path(target).resolve().parent if target.endswith(".py") else Path.cwd())
