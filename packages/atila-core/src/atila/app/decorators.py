"""Decorators around single handlers: tests, conditional work, work before and after.

The decorators leave a function unchanged and note their arguments on it; a route of the function is
compiled with them. So they may stand above `@app.route` or below it, and run from top to bottom.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from atila.app.hooks import plain
from atila.errors import HTTPError, SetupError, source_of
from atila.layers import Steps
from atila.routing import notes
from atila.runtime.offload import call
from atila.serving.provision import supplied
from atila.typevars import Context, Function, Hook

if TYPE_CHECKING:
    from atila import Atila, Was


def _noting(steps: Steps, decorator: str) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        notes.add(function, steps, decorator)
        return function

    return decorate


def testpass_required(app: Atila, test: Hook[Context]) -> Callable[[Function], Function]:
    """Refuse requests that do not pass a test.

    Args:
        app: the app.
        test: called with the context; None and True let the request in, False refuses it with 403,
            and anything else is the answer.
    """
    examine = plain(app, _checked(test, "testpass_required"))

    def step(was: Was) -> Any:
        verdict = examine(was)
        if verdict is False:
            raise HTTPError(403, "the test was not passed")
        return None if verdict is True else verdict

    return _noting(Steps(before=[step]), "testpass_required")


testpass_required.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test


def run_before(app: Atila, *functions: Hook[Context]) -> Callable[[Function], Function]:
    """Call functions before a handler, in order; a result that is not None is the answer."""
    steps = [plain(app, _checked(function, "run_before")) for function in functions]
    return _noting(Steps(before=steps), "run_before")


def run_after(app: Atila, *functions: Hook[Context]) -> Callable[[Function], Function]:
    """Call functions after a handler, in order; their results are ignored."""
    called = [plain(app, _checked(function, "run_after")) for function in functions]

    def step(was: Was, response: Any) -> None:
        for each in called:
            each(was)

    return _noting(Steps(after=[step]), "run_after")


def if_file_modified(
    app: Atila, path: str, work: Callable[..., Any], interval: float = 1.0
) -> Callable[[Function], Function]:
    """Call a function before a handler runs if a file was modified since the last call.

    Args:
        app: the app.
        path: the file; nothing is done while it does not exist.
        work: called as work(was, path); the result is ignored. If it fails the request fails, and
            the next request tries again.
        interval: seconds between two checks of the file.
    """
    work = supplied(app, _checked(work, "if_file_modified"), 2)
    path = os.fspath(path)

    def changes(was: Was, seen: dict[str, float]) -> Iterable[tuple[str, float]]:
        try:
            modified = os.stat(path).st_mtime
        except OSError:
            return []
        return [(path, modified)] if modified != seen.get(path) else []

    watch = _Watch(changes, work, interval)
    try:
        watch.seen[path] = os.stat(path).st_mtime
    except OSError:
        pass  # When it is made, it is a modification.
    return _noting(Steps(before=[watch]), "if_file_modified")


def if_cache_updated(
    app: Atila, names: str | Iterable[str], work: Callable[..., Any], interval: float = 1.0
) -> Callable[[Function], Function]:
    """Do something before a handler runs if shared things were updated since it was done last.

    Args:
        app: the app.
        names: the names of the things, as given to `was.setlu`: "tables.users", or several of them.
        work: called as work(was, name) for each that was updated; see `if_file_modified`.
        interval: seconds between two looks.
    """
    work = supplied(app, _checked(work, "if_cache_updated"), 2)
    watched = [names] if isinstance(names, str) else list(names)

    def changes(was: Was, seen: dict[str, float]) -> Iterable[tuple[str, float]]:
        updates = was.site.updates
        times = [(name, updates.get(name)) for name in watched]
        return [(name, at) for name, at in times if at != seen.get(name, 0.0)]

    watch = _Watch(changes, work, interval)
    return _noting(Steps(before=[watch]), "if_cache_updated")


class _Watch:
    """A step that looks from time to time for changes, and does some work for each."""

    def __init__(
        self,
        changes: Callable[[Was, dict[str, float]], Iterable[tuple[str, float]]],
        work: Callable[..., Any],
        interval: float,
    ) -> None:
        self.seen: dict[str, float] = {}
        self._changes = changes
        self._work = work
        self._interval = interval
        self._due = 0.0
        self._working = threading.Lock()

    def __call__(self, was: Was) -> None:
        # While one request does the work, others go on with what there is.
        if time.monotonic() < self._due or not self._working.acquire(blocking=False):
            return
        try:
            for name, changed in self._changes(was, self.seen):
                call(was, self._work, name)
                self.seen[name] = changed
            self._due = time.monotonic() + self._interval
        finally:
            self._working.release()


def _checked(function: Any, decorator: str) -> Any:
    if not callable(function):
        raise SetupError(f"@app.{decorator} wants functions, not {function!r}", source_of(function))
    return function
