"""Mounts packages and modules on an app: `__setup__`, `__mount__`, `__umount__`, nested.

A package app is a module with `__app__`. More modules come below it by `app.mount`, beneath it by
`extends` and over it by `overrides`. When the app enters a site, the `__setup__` of all of them is
called, then the event before_mount, then the `__mount__` of all. Their definitions stand at the
mount point and under the name space of their module.

Where several have a route for a request, the highest rank answers: those that override, the last
one first, then the app, then those it extends, the first one first.
"""

from __future__ import annotations

import inspect
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from atila.app import events
from atila.errors import SetupError, caller, setup_step, source_of
from atila.routing import resources
from atila.routing.router import parse_rule
from atila.runtime.context import current
from atila.serving import background_context

if TYPE_CHECKING:
    from atila import Atila

Target = Any
"""A module with `__setup__` or `__mount__`, or a function (app, mntopt)."""

_HOOKS = ("__setup__", "__mount__")

EVENTS_END_WITHIN = 5.0
"""Seconds that handlers of events have when the app leaves."""

log = logging.getLogger("atila.mounting")


@dataclass(slots=True, eq=False)
class Part:
    """A module on an app.

    Attributes:
        target: the module, or a function in place of its `__mount__`.
        prefix: the beginning of the paths below it: "" or "/sub".
        rank: see this module's docstring; 0 for the app itself.
        root: the package whose name is left out of the names of its resources.
        given: the options it was mounted with; those below it inherit them.
        namespace: the beginning of its functions' names, from `ns=`; None if not given.
        is_beside: it is a package that extends or overrides the app, with its folders.
    """

    target: Target
    prefix: str = ""
    rank: int = 0
    root: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    namespace: str | None = None
    is_beside: bool = False

    def __post_init__(self) -> None:
        if self.namespace is None:
            self.namespace = resources.namespace_of(self.target, self.root)

    def options(self, debug: bool) -> dict[str, Any]:
        """`mntopt`, as the hooks get it: how and where the module is mounted."""
        point, namespace = self.prefix or "/", self.namespace
        return {"point": point, "ns": namespace, "debug": debug, **self.given}

    def hook(self, name: str) -> Callable[..., Any] | None:
        """One of its hooks: "__mount__"."""
        if isinstance(self.target, ModuleType) or not callable(self.target):
            return getattr(self.target, name, None)
        return self.target if name == "__mount__" else None

    def rule(self, rule: str, source: str) -> str:
        """The rule of a route in this part, with its prefix."""
        if self.prefix:
            parse_rule(rule, source)
        return self.prefix + rule

    def qualify(self, name: str) -> str:
        """The name of a resource in this part: "sub.pages.toc"."""
        return f"{self.namespace}.{name}" if self.namespace else name


class Mounting:
    """The packages and modules mounted on one app.

    Args:
        app: the app.

    Attributes:
        scope: the part whose hook is running; else the app itself.
        is_done: the app is in a site, and all parts are mounted.
    """

    def __init__(self, app: Atila) -> None:
        self._app = app
        self._own = Part(None, root=resources.package_of(app.import_name))
        self.scope = self._own
        self.is_done = False
        self._phase = ""
        self._asked: list[Part] = []
        self._waiting: deque[Part] = deque()
        self._mounted: list[Part] = []
        # In the order of mounting; kept if mounting fails, for the next try.
        self._modules: dict[ModuleType, None] = {}
        self._state: tuple[Any, ...] | None = None

    @property
    def is_mounting(self) -> bool:
        """The `__mount__` hooks are being called."""
        return self._phase == "mount"

    def take_package(self, module: Target, given: Mapping[str, Any]) -> None:
        """Make a package with `__app__` the app's own: its hooks are called, before all others."""
        self._asked.insert(0, Part(module, "", 0, self._own.root, dict(given)))

    def take_mountables(self, mountables: list[tuple[Any, Any]]) -> None:
        """Take the mounts that `pref.extends`, `pref.overrides` and `pref.mount_later` noted.

        Args:
            mountables: arguments (point, target) and keyword arguments, with extends=True or
                overrides=True.
        """
        for (point, target, *_), options in mountables:
            options = dict(options)
            over, under = options.pop("overrides", False), options.pop("extends", False)
            self.add(point, target, self._rank(over, under), options)

    def extend(self, target: Target, *, over: bool) -> None:
        """Put a package over the app, or beneath it."""
        self.add("/", target, self._rank(over, not over), {})

    def _rank(self, over: bool, under: bool) -> int | None:
        ranks = [part.rank for part in (*self._asked, *self._waiting, *self._mounted)]
        if over:
            return max([0, *ranks]) + 1
        return min([0, *ranks]) - 1 if under else None

    def add(self, point: str, target: Target, rank: int | None, options: dict[str, Any]) -> None:
        """Mount a target below the module whose hook is running.

        Args:
            point: the mount point, below that of the module.
            target: the module or function.
            rank: the rank of a target beside the app; None for one that belongs to its mount point.
            options: the options of `app.mount`.

        Raises:
            SetupError: it cannot be mounted, or not at this time.
        """
        source = caller()
        if self.is_done or self.is_mounting:
            when = "in __mount__" if self.is_mounting else "while the app serves"
            raise SetupError(
                f"nothing can be mounted {when}; write app.mount(…) in __setup__", source
            )
        target = located(target, *_HOOKS)
        _check_target(target, source)
        above = self.scope if rank is None else Part(None, root=getattr(target, "__name__", ""))
        given = {**above.given, **options}
        part = Part(
            target,
            _below(above.prefix, point, source),
            above.rank if rank is None else rank,
            above.root,
            given,
            given.pop("ns", None),
            rank is not None,
        )
        if self._phase == "setup":
            self._waiting.append(part)
        else:
            self._asked.append(part)

    # The app enters a site and leaves it ----------------------------------------------------------

    def set_up(self) -> None:
        """Call all `__setup__` hooks; each before the hooks of the parts that it mounts."""
        self._phase = "setup"
        self._mounted = []
        for part in sorted(self._asked, key=lambda part: part.rank):
            self._set_up(part)
        composed = [(part.rank, part.target) for part in self._mounted if part.is_beside]
        resources.place_folders(self._app, composed)

    def _set_up(self, part: Part) -> None:
        self._mounted.append(part)
        if isinstance(part.target, ModuleType):
            self._modules.setdefault(part.target)
        self._call(part, "__setup__")
        below, self._waiting = self._waiting, deque()
        for each in below:
            self._set_up(each)

    def mount(self) -> None:
        """Call all `__mount__` hooks, those of the lowest rank first."""
        self._phase = "mount"
        self._mounted.sort(key=lambda part: part.rank)
        for part in self._mounted:
            self._call(part, "__mount__")

    def end(self, *, is_done: bool) -> None:
        """All parts are mounted, or mounting failed, or the app leaves."""
        self._phase = ""
        self.scope = self._own
        self._waiting.clear()
        self.is_done = is_done

    def umount(self) -> None:
        """Call all `__umount__` hooks, last mounted first; errors are logged."""
        for part in reversed(self._mounted):
            hook = part.hook("__umount__")
            if hook is None:
                continue
            try:
                call_hook(hook, self._app)
            except BaseException:
                # Even SystemExit: the others have something to end as well.
                log.exception("%s failed", source_of(hook) or "__umount__")
        self._mounted = []

    def _call(self, part: Part, name: str) -> None:
        hook = part.hook(name)
        if hook is not None:
            self.scope = part
            token = current.set(background_context.context(self._app))
            try:
                with setup_step():
                    call_hook(hook, self._app, part.options(self._app.debug))
            finally:
                current.reset(token)
                self.scope = self._own

    @property
    def modules(self) -> list[ModuleType]:
        """The modules that ever were mounted; those mounted by others before these."""
        return list(reversed(self._modules))

    def remember(self) -> None:
        """Note the definitions made without a hook of a package, for `forget`."""
        app = self._app
        self._state = (
            self._asked[:],
            app.routes[:],
            dict(app.unrouted),
            app.hooks.snapshot(),
            app.bus.snapshot(),
            (dict(app.jobs), dict(app.readiness)),
            (dict(app.error_handlers), app._default_error_handler),
            app.providers.snapshot(),
        )

    def forget(self) -> None:
        """Go back to the noted definitions."""
        app, state = self._app, self._state
        if state is None:
            return
        self._asked, app.routes, app.unrouted, hooks, listeners, named, errors, provided = state
        app.jobs, app.readiness = named
        app.hooks.restore(hooks)
        app.bus.close(EVENTS_END_WITHIN)
        app.bus.restore(listeners)
        app.error_handlers, app._default_error_handler = errors
        app.providers.restore(provided)
        self._state = None


def call_hook(hook: Callable[..., Any], *args: Any) -> Any:
    """Call a hook of a package with as many of the arguments as it takes.

    Raises:
        SetupError: it takes more arguments, or is `async def`.
    """
    name, source = getattr(hook, "__name__", "the hook"), source_of(hook)
    if inspect.iscoroutinefunction(hook):
        raise SetupError(f"{name} runs while nothing is served; write it with `def`", source)
    taken = required = 0
    for parameter in inspect.signature(hook).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            taken = len(args)
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            taken += 1
            required += parameter.default is parameter.empty
        elif parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            required = len(args) + 1
    if required > len(args):
        raise SetupError(
            f"{name} wants more than it is given, which is {len(args)} arguments;"
            f" write def {_SIGNATURES.get(name, f'{name}(app, mntopt)')}",
            source,
        )
    return hook(*args[:taken])


_SIGNATURES = {
    "__config__": "__config__(pref)",
    "__app__": "__app__()",
    "__umount__": "__umount__(app)",
}


def located(target: Target, *hooks: str) -> Target:
    """The module of a package's app: the package, or its `__skitai__`, as in Skitai.

    Args:
        target: the package, or any other target.
        hooks: names of which the package itself must have one: "__app__".
    """
    seen: list[Target] = []
    while (
        isinstance(target, ModuleType)
        and target not in seen
        and not any(hasattr(target, hook) for hook in hooks)
        and hasattr(target, "__skitai__")
    ):
        seen.append(target)
        target = target.__skitai__
    return target


def _check_target(target: Target, source: str) -> None:
    if callable(target) and not isinstance(target, ModuleType):
        return
    if not any(hasattr(target, name) for name in _HOOKS):
        raise SetupError(
            f"{getattr(target, '__name__', target)} has neither __setup__ nor __mount__; write"
            " def __mount__(app, mntopt) in it",
            source,
        )


def _below(prefix: str, point: str, source: str) -> str:
    """Where a point is, below that of the parent, unless it begins with that already."""
    if point == "":
        return prefix
    if not str(point).startswith("/"):
        raise SetupError(f'the mount point {point!r} must begin with a slash: "/{point}"', source)
    point = point.rstrip("/")
    if prefix and (point == prefix or point.startswith(prefix + "/")):
        return point
    return prefix + point


@contextmanager
def entered(app: Atila) -> Iterator[None]:
    """Call the hooks of all parts of an app, for the time of a `with` block.

    Raises:
        SetupError: a part has a mistake in it. The app is then as it was before.
    """
    mounting = app.mounting
    mounting.remember()
    try:
        mounting.set_up()
        informed = app.bus.announce("before_mount")
        mounting.mount()
        # Those that only `__mount__` has added are informed before anything is served, too.
        app.bus.announce("before_mount", informed)
        mounting.end(is_done=True)
        events.watch_requests(app)
        yield
    except BaseException:
        leave(app)
        raise


def leave(app: Atila) -> None:
    """Forget the definitions of packages' hooks, so that the app can be mounted anew."""
    app.mounting.end(is_done=False)
    app.mounting.forget()


# What an app has of it --------------------------------------------------------------------------


def mount(app: Atila, point: str, *targets: Target, **options: Any) -> None:
    """Mount modules on the app: app.mount("/sub", sub). To be written in `__setup__`.

    Args:
        app: the app.
        point: the path; below the mount point of the calling module, unless it begins with that
            already.
        targets: modules with `__setup__` or `__mount__`, or functions (app, mntopt).
        options: for `mntopt` of these modules and of those that they mount; ns= is the name space
            of their resources, in place of the module's name.

    Raises:
        SetupError: a module has no hooks, or it is too late to mount it.
    """
    if not targets:
        raise SetupError('write app.mount("/point", module)', caller())
    for target in targets:
        app.mounting.add(point, target, None, dict(options))


def extends(app: Atila, module: Target) -> None:
    """Mount a package whose routes, services, static files and templates the app lacks."""
    app.mounting.extend(module, over=False)


def overrides(app: Atila, module: Target) -> None:
    """Have a package answer before the app, with services, static files and templates."""
    app.mounting.extend(module, over=True)
