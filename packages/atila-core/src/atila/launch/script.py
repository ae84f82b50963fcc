"""Reads launch scripts: the arguments of `skitai.mount(…)` and `skitai.run(…)` in a `serve.py`.

A script is read the same way for every engine: its mounts are recorded here, and so are the
options of `run` where another engine than Skitai is to serve.
"""

from __future__ import annotations

import builtins
import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from atila.app import environment
from atila.app.mounting import located
from atila.errors import SetupError, caller, nearest, setup_step
from atila.launch import failures, named, ports, reloading, run_options, targets, tls, wsgi_mount
from atila.launch.apart import call_apart
from atila.launch.packages import Package, configure, prefer
from atila.serving.apps import Mount
from atila.serving.site import Site

_MOUNT_OPTIONS = ("appname", "host", "name", "path", "pref", "subscribe")

DEFAULT_PORT = 5000
LOOPBACK = "127.0.0.1"
PLACES = "mounted packages"
PORTS = "ports of settings"
GIVEN = "given options, and where"
WRAPPED = "interface of a middleware"
ACCESS_LOG = "ATILA_SERVE_ACCESS_LOG"
"""The environment variable by which workers get to know `Settings.access_log`."""
HOST = "ATILA_HOST"
"""That by which layers with ports of their own get to know at which address the server listens."""


@dataclass(slots=True)
class Launch:
    """Mounts and options of a target.

    Attributes:
        mounts: the apps, and packages whose apps are made in each worker.
        folders: of static files that no app has: mount point, path and host.
        options: the options of `skitai.run`: port, address, workers, threads, name, …
        run_at: "file:line" of its call.
        wrapped: in place of all that, an application of ASGI or WSGI with an app in it.
    """

    mounts: list[Mount | Package] = field(default_factory=list)
    folders: list[tuple[str, str, str]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    run_at: str = ""
    wrapped: Any = None

    def given(self) -> list[str]:
        """The names of the options that have a value."""
        return [name for name, value in self.options.items() if value is not None]


current = Launch()
"""The mounts and options of this process's launch script so far."""

overrides: dict[str, Any] = {}
"""Options of `run` that the command line has set, against the script."""

source = ""
"""The target that this process serves, see `read`; "" for the launch script that started it."""

is_commanded = False
"""Whether `atila serve` serves, and not a launch script by itself."""

_capturing = False
_takes_all = False
"""Whether the mounts of others are ours too, since Skitai does not serve them."""


def record_mount(
    point: str, target: object, pref: Mapping[str, Any] | None, **options: Any
) -> bool:
    """Record a mount, if its target is an app of ours.

    Args:
        point: the path: "/".
        target: the target.
        pref: attributes for the app, and in `config` its settings.
        options: the options of `skitai.mount`: name, host, subscribe.

    Returns:
        Whether it was recorded; otherwise it is Skitai's.

    Raises:
        SetupError: it cannot be mounted.
    """
    from atila.app.application import Atila

    name, host = options.pop("name", None) or "", options.pop("host", None) or "default"
    subscribe = options.pop("subscribe", None) or ()
    names = (subscribe,) if isinstance(subscribe, str) else tuple(subscribe)
    for option in options:
        if option not in _MOUNT_OPTIONS and (hint := nearest(option, _MOUNT_OPTIONS, 0.8)):
            raise SetupError(f"skitai.mount has no option {option!r}{hint}", caller())
    appname, paths = options.pop("appname", None) or "app", options.pop("path", None) or ()
    for path in (paths,) if isinstance(paths, str) else paths:
        sys.path.insert(0, os.path.join(_folder(), path))
    whole, target = target, located(target, "__app__")
    if whole is not target and isinstance(whole, ModuleType):
        name = name or whole.__name__
    if isinstance(target, str):
        target = _find(point, target, appname, host)
        if target is None:
            return False
    if isinstance(target, Atila):
        if pref is not None and pref.get("layers"):
            raise SetupError(
                f"{target!r} is there already, so pref.layers comes too late; write"
                " Atila(__name__, layers=…), or mount a module with __app__"
            )
        prefer(target, pref or {})
        current.mounts.append(Mount(point, target, name, host, names))
    elif not isinstance(target, ModuleType):
        return _takes_all and _record_wsgi(point, target, name, host)
    elif hasattr(target, "__app__"):
        pref = pref if pref is not None else _no_preference()
        configure(target, pref)
        current.mounts.append(Package(point, target, pref, name, host, names, options))
    else:
        raise SetupError(
            f"{target.__name__} cannot be mounted: it has neither __app__ nor __skitai__; write"
            " def __app__(): return Atila(__name__) in it, or mount the app that is in it",
            caller(),
        )
    return True


def _folder() -> str:
    """Of the launch script; Skitai resolves relative paths against argv[0], too."""
    return os.path.dirname(os.path.abspath(sys.argv[0]))


def _find(point: str, target: str, appname: str, host: str) -> Any:
    """The app that a path leads to; None for a target of Skitai's, or if there is no app."""
    if target.startswith("@"):
        if _takes_all:
            raise SetupError(
                f"{target} is forwarded by Skitai only; write a route that returns"
                f' was.ProxyPass("{target}", path)',
                caller(),
            )
        return None
    if targets.is_folder(target, _folder()):
        if _takes_all:
            current.folders.append((point, os.path.join(_folder(), target), host))
        return None
    try:
        # Skitai loads the apps of others, in its workers.
        is_taken = _takes_all or targets.is_atila(target, appname, _folder())
        return targets.load(target, appname, _folder()) if is_taken else None
    except SetupError as error:
        raise SetupError(error.problem, error.source or caller()) from None


def _record_wsgi(point: str, target: object, name: str, host: str) -> bool:
    """Take a WSGI application, which on Skitai is Skitai's own business."""
    if not callable(target):
        raise SetupError(f"{target!r} cannot be mounted: it is no application", caller())
    if named.interface_of(target) == "asgi":
        raise SetupError(
            f"{target!r} is an application of ASGI, which cannot be mounted. Mend: mount the app"
            " that is in it, or serve it by itself: atila serve package.module:app",
            caller(),
        )
    app = wsgi_mount.app_of(target, "__main__")
    current.mounts.append(Mount(point, app, name or f"wsgi {point}", host))
    return True


def _no_preference() -> Any:
    import skitai

    return skitai.preference()


def record_run(options: dict[str, Any]) -> bool:
    """Record the options of `skitai.run`, with those of the command line instead where given.

    Returns:
        Whether another engine serves, so that Skitai is not to run.

    Raises:
        SetupError: an option is unknown, or its value is wrong; if there are apps of ours.
    """
    if current.mounts:
        run_options.check(options, caller())
    current.run_at = caller()
    options.update(overrides)
    current.options = options
    return _capturing


def read(target: str) -> Launch:
    """Read the mounts and options of a target, without serving it.

    Args:
        target: a launch script, "serve.py", or an app in a module, "package.module:app".

    Raises:
        SetupError: there is no such script, module or app, or it mounts nothing.
    """
    from atila.app.application import Atila

    global current
    current = Launch()
    reloading.prepare()
    if target.endswith(".py"):
        _capture(target)
    elif isinstance(app := named.load(target), Atila):
        current.mounts.append(Mount("/", app))
    else:
        current.wrapped = app
        return current
    if not current.mounts:
        raise SetupError(f'{target} mounts no app; write skitai.mount("/", app)')
    return current


def reread(files: reloading.Files) -> None:
    """Read in a worker, as it is now, the target that the server has read before the fork.

    Args:
        files: the files of the project.

    Raises:
        Exception: any error of the project's code.
    """
    global current
    target, options = source, current.options
    files.forget_modules()
    current = Launch()
    try:
        with capturing(for_skitai=True):
            if target.endswith(".py"):
                run_script(target)
            else:
                current.mounts.append(Mount("/", named.load_app(target)))
    finally:
        current.options = options


@contextlib.contextmanager
def capturing(*, for_skitai: bool = False) -> Iterator[None]:
    """Keep launch scripts that run meanwhile from mounting and running anything in Skitai.

    Args:
        for_skitai: Skitai serves the result, and the apps of other frameworks by itself.
    """
    global _capturing, _takes_all
    before = _capturing, _takes_all
    _capturing, _takes_all = True, not for_skitai
    try:
        yield
    finally:
        _capturing, _takes_all = before


def is_captured() -> bool:
    """Whether a launch script is only read, so that Skitai is to mount and run nothing."""
    return _capturing


def _capture(target: str) -> None:
    path = Path(target).resolve()
    if not path.is_file():
        raise SetupError(f"there is no launch script {target}")
    # As if it were started by itself: Skitai resolves relative paths against argv[0].
    sys.argv = [os.fspath(path)]
    with capturing():
        run_script(os.fspath(path))


def run_script(path: str) -> None:
    """Run a launch script as the main program of this process, which it stays."""
    sys.path.insert(0, os.path.dirname(path))
    main = ModuleType("__main__")
    main.__file__ = path
    main.__dict__["__builtins__"] = builtins
    # Not by runpy, which takes the module away again: templates and child processes look for it.
    sys.modules["__main__"] = main
    exec(compile(Path(path).read_bytes(), path, "exec"), main.__dict__)  # noqa: S102 - it is asked for


def examine(target: str, meanwhile: Callable[[], object] | None = None) -> dict[str, Any]:
    """Read a target in a process of its own, and give the options of its `run`, as PLACES where the
    mounted packages are, as PORTS where settings have further servers listen, and as GIVEN which
    options there are, and where.

    The caller stays without the app, so that each worker it forks loads it afresh; but a mistake is
    raised at once, and once.

    Args:
        target: see `read`.
        meanwhile: called while the other process reads it.

    Raises:
        SetupError: as `read`, or an app has a mistake in it.
        ProjectFailed: the code of the project raises an error.
    """
    return call_apart(_examine, target, meanwhile=meanwhile)


@contextlib.contextmanager
def trial(target: str) -> Iterator[Site]:
    """The site of a target, for as long as it is looked at; nobody is served.

    Raises:
        SetupError: as `read`, or an app has a mistake in it.
    """
    if read(target).wrapped is not None:
        named.load_app(target)
    with _tried() as site:
        yield site


@contextlib.contextmanager
def _tried() -> Iterator[Site]:
    """The same of a script that was read already, and may not bear to be run twice."""
    site = build_site(trial=True)
    try:
        yield site
    finally:
        site.shutdown(0.0)


def _examine(target: str) -> dict[str, Any]:
    try:
        if (app := read(target).wrapped) is not None:
            # The app in it is nobody's to find: it shows its mistakes when it starts.
            found = named.interface_of(app)
            return {WRAPPED: found, PLACES: (), PORTS: (), GIVEN: ((), "")}
        with _tried() as site:
            places = reloading.places_of(site)
            wanted = {port for mount in site.mounts for port in mount.app.config.ports()}
    except Exception as error:
        # As text: it need not be one that can be sent to another process.
        raise failures.of(error) from None
    options = current.options
    plain = {name: value for name, value in options.items() if isinstance(value, str | int | float)}
    more = {PLACES: places, PORTS: sorted(wanted), GIVEN: (current.given(), current.run_at)}
    return plain | more


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of an engine.

    Attributes:
        target: see `read`; the path of a script is absolute.
        host: address to listen on.
        port: TCP port to listen on.
        workers: processes.
        threads: the most worker threads in each; None for the target's number.
        reload: start the workers anew when a file changes.
        places: mounted packages and modules, whose files are watched besides those of the target.
        access_log: the format of a line for each request, "combined" or "json"; None for the
            target's.
        interface: how granian calls us: "rsgi", or "wsgi" for sites of nothing but short `def`
            handlers, which it then runs in its own threads; "asgi" for apps within middleware.
        tls: the certificate; None for plain HTTP.
        backlog: connections that the system keeps waiting; None for the engine's number.
        uds: the Unix socket to listen on instead of host and port; None for none.
        others: where further servers of the workers listen, such as gRPC's.
    """

    target: str
    host: str
    port: int
    workers: int
    threads: int | None
    reload: bool
    places: tuple[str, ...]
    access_log: str | None
    interface: str = "rsgi"
    tls: tls.TLS | None = None
    backlog: int | None = None
    uds: Path | None = None
    others: tuple[ports.Place, ...] = ()

    @property
    def url(self) -> str:
        """Where it can be asked."""
        if self.uds is not None:
            return f"unix:{self.uds}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def settle(
    target: str,
    options: Mapping[str, Any],
    engine: str,
    meanwhile: Callable[[], object] | None = None,
) -> Settings:
    """How to serve a target: as the command line says, or else its script, or else by default.

    Args:
        target: see `read`.
        options: those of the command line.
        engine: the server.
        meanwhile: called while the target is read.

    Raises:
        SetupError: see `examine`, `tls.settle` and `run_options.check_engine`.
    """
    asked = examine(target, meanwhile)
    if WRAPPED in asked and engine != "granian":
        named.load_app(target)
    names, run_at = asked[GIVEN]
    run_options.check_engine(names, engine, run_at)
    host = options["host"] or asked.get("address") or LOOPBACK
    if options["uds"] is not None and (options["host"] or options["port"]):
        raise SetupError("--uds listens on a Unix socket alone; leave out --host and --port")
    return Settings(
        target=os.path.abspath(target) if target.endswith(".py") else target,
        host=host,
        port=options["port"] or int(asked.get("port") or DEFAULT_PORT),
        workers=options["workers"] or int(asked.get("workers") or 1),
        threads=options["threads"],
        reload=options["reload"] or reloading.is_on(),
        places=tuple(asked[PLACES]),
        access_log=options["access_log"],
        interface=asked.get(WRAPPED) or options["interface"],
        tls=tls.settle(options, asked),
        backlog=int(asked["backlog"]) if asked.get("backlog") else None,
        uds=options["uds"].absolute() if options["uds"] is not None else None,
        others=tuple(_places_of(asked[PORTS], host)),
    )


def _places_of(wanted: Iterable[tuple[str, bool]], host: str) -> Iterator[ports.Place]:
    # A port of the environment is at the address of the server, one of the code at loopback.
    for text, is_of_environment in wanted:
        yield ports.place_of(text, host if is_of_environment else LOOPBACK)


def other_places() -> list[ports.Place]:
    """Where the apps that the script has mounted listen besides; those of packages are not there
    yet.

    Raises:
        SetupError: a setting has a mistake in it.
    """
    apps = [mount.app for mount in current.mounts if isinstance(mount, Mount)]
    for app in apps:
        app.config.check()
    host = os.environ.get(HOST) or LOOPBACK
    return sorted({place for app in apps for place in _places_of(app.config.ports(), host)})


def build_site(threads: int | None = None, *, trial: bool = False) -> Site:
    """The site of all mounts.

    Args:
        threads: the most worker threads; None for the number of the environment, or that of the
            script, or else the setting.
        trial: see `Site`.
    """
    if not threads and not environment.given("THREADS"):
        threads = current.options.get("threads")
    access_log = os.environ.get(ACCESS_LOG) or None
    mounts: list[Mount] = []
    for each in current.mounts:
        with setup_step():
            mounts.append(each.load() if isinstance(each, Package) else each)
            mounts[-1].app.debug |= reloading.is_development()
    _add_folders(mounts)
    return Site(
        mounts,
        threads=int(threads) if threads else None,
        trial=trial,
        access_log=access_log,
    )


def _add_folders(mounts: Sequence[Mount]) -> None:
    """Have the folders that were mounted by themselves served beside the apps of their hosts."""
    for point, folder, host in current.folders:
        beside = [mount.app for mount in mounts if mount.host == host]
        if not beside:
            raise SetupError(f"{folder} is mounted on {point} of {host}, where there is no app")
        config = beside[0].config
        config.STATIC_FOLDERS = {**config.STATIC_FOLDERS, point: folder}
