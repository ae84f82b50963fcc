"""The changes to the `skitai` module: wraps `mount` and `run`, adds missing names."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from mmap import mmap
from typing import Any

import wrapt

from atila.errors import SetupError
from atila.launch import failures, reloading
from atila.runtime import end_signals
from atila.skitai import django_folder, names, preferences


def install(module: Any) -> None:
    """Change the `skitai` module; called once, when it has been imported.

    Relies on its `mount`, `run`, `status`, `preference` and, of `skitai.wastuff.preference`,
    `Preference`.
    """
    names.add_to(module)
    launcher = Launcher(module)
    preferences.install(module)
    wrapt.register_post_import_hook(django_folder.install, "skitai.wastuff.wsgi_apps")
    wrapt.wrap_function_wrapper(module, "mount", launcher.mount)
    wrapt.wrap_function_wrapper(module, "run", launcher.run)
    wrapt.wrap_function_wrapper(module, "test_client", _test_client)
    module.add_option(None, "--nginx-conf=DOMAIN", desc="collect static files, configure Nginx")


class Launcher:
    """Sorts the mounts into ours and Skitai's, and starts both.

    Args:
        module: the `skitai` module.
    """

    def __init__(self, module: Any) -> None:
        self._skitai = module
        self._points: set[tuple[str, str]] = set()
        self._worker: Any = None
        self._files: reloading.Files | None = None
        # Shared with the workers: whether one of them has started.
        self._started = mmap(-1, 1)

    def mount(
        self, mount: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: Any
    ) -> None:
        """In place of `skitai.mount(point, target, [appname], [pref], host=, path=, name=, …)`."""
        point, target, options = self._read_mount(*args, **kwargs)
        # Without a point Skitai mounts its own media folder, while it starts.
        if point is None or not self._take(point, target, dict(options)):
            if not self._is_reread():
                mount(*args, **kwargs)
            return
        host = options.get("host") or "default"
        place = (host, point.rstrip("/") + "/")
        if place not in self._points and not self._is_reread():
            self._points.add(place)
            from atila.skitai.placeholder import StandIn

            # Apps without a name get one from Skitai that is not always unique.
            name = options.get("name") or f"atila:{host}{place[1]}".replace("/", ".").rstrip(".")
            pref = self._skitai.preference()
            mount(point, StandIn(self._begin), pref, name=name, host=host)

    def _is_reread(self) -> bool:
        """Whether a worker reads the launch script once more; Skitai has mounted by then."""
        from atila.launch import script

        return script.is_captured() and self._skitai.status() != "CONFIGURING"

    def _read_mount(
        self, point: Any, target: Any, *args: Any, **options: Any
    ) -> tuple[Any, Any, dict[str, Any]]:
        names = ["appname", "pref", "host", "path", "name"]
        if args and isinstance(args[0], self._skitai.Preference):
            names = ["pref", "host", "path", "name"]
        return point, target, {**dict(zip(names, args, strict=False)), **options}

    def _take(self, point: Any, target: Any, options: dict[str, Any]) -> bool:
        from atila.launch import script

        pref = options.pop("pref", None)
        return script.record_mount(point, target, pref, **options)

    def run(self, run: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        """In place of `skitai.run(**conf)`."""
        from atila.launch import script, tls

        for name in tls.OPTIONS:
            # Of `skitai.enable_ssl`; Skitai itself looks there later than another engine can.
            if (value := self._skitai.dconf.get(name)) is not None:
                kwargs.setdefault(name, value)
        if script.record_run(kwargs):
            return None
        if not self._points:
            return run(**kwargs)
        tls.announce(tls.settle({}, kwargs))
        self._obey_switches(kwargs)
        if reloading.is_development():
            # Skitai's default is every address of the machine.
            for name in ("address", "fws_address"):
                kwargs.setdefault(name, script.LOOPBACK)
        from atila.skitai import log_locks
        from atila.skitai.master import Watch, refuse_used_ports

        log_locks.install()
        refuse_used_ports()

        if reloading.is_on():
            # Now, since Skitai changes the working directory.
            script.source = script.source or os.path.abspath(sys.argv[0])
            packages = (getattr(m, "module", None) for m in script.current.mounts)
            self._files = reloading.files_of(script.source, reloading.places(packages))
            reloading.prepare()

        if sys.platform == "linux" and _polls_by_default():
            # Skitai's choice, select, ends the worker with the 1024th connection, and when a
            # connection is lost in the middle of a poll. "--poll" still wins.
            kwargs.setdefault("poll", "epoll")
        from atila.launch import ports
        from atila.runtime import server_run

        # `atila serve` has claimed them.
        others = [] if script.is_commanded else script.other_places()
        Watch()
        try:
            with ports.all_claimed(others), server_run.running():
                return run(**kwargs)
        except ports.PortError as error:
            sys.stderr.write(f"atila: {error}\n")
            raise SystemExit(error.exit_status) from None
        except SystemExit as end:
            if self._started[0] == FAILED and not end.code:
                raise SystemExit(2) from None
            raise

    def _obey_switches(self, options: Mapping[str, Any]) -> None:
        """Run the switches of the command line that Skitai does not have, or not for all of our
        files.
        """
        from atila.launch import deploy
        from atila.serving import static

        if self._skitai.has_option("--disable-static"):
            os.environ[static.DISABLE] = "1"
        domain = self._skitai.get_option("--nginx-conf")
        if domain is None and not self._skitai.has_option("--collect-static"):
            return
        port = self._skitai.get_option("--port") or options.get("port")
        try:
            for line in deploy.from_switches(sys.argv[0], {**options, "port": port}, domain):
                sys.stdout.write(f"{line}\n")
        except SetupError as error:
            raise SystemExit(f"{sys.argv[0]}: {error}") from None
        raise SystemExit(0)

    def _begin(self, wasc: Any, vhost: Any) -> None:
        """Skitai mounts one of ours in a worker process."""
        if os.name == "posix" and wasc.httpserver.worker_ident == "master":
            return  # "--collect-static": nothing is served.
        if self._worker is None:
            self._worker = self._make_worker(wasc)
        self._worker.serve(vhost)

    def _make_worker(self, wasc: Any) -> Any:
        from atila.launch import script
        from atila.runtime import garbage
        from atila.skitai.worker import Worker

        try:
            is_reloaded = self._files is not None and self._files.changed()
            if self._files is not None and is_reloaded:
                script.reread(self._files)
            threads = self._skitai.get_option("--threads")
            with end_signals.raised():
                site = script.build_site(int(threads) if threads else None)
            worker = Worker(wasc, site)
            with end_signals.raised():
                site.start_up()
            garbage.prepare()
            if is_reloaded:
                reloading.announce(worker.site, "reloaded")
        except end_signals.Ended as end:
            os._exit(int(end.code or 0))
        except (Exception, SystemExit) as error:
            # Skitai's master would have the place of one that has exited taken for ever.
            if self._files is None and self._started[0] == STARTED:
                raise
            sys.stderr.write(failures.shown(error))
            if self._files is not None:
                self._wait_for_mending(self._files)
            else:
                self._started[0] = FAILED
                # A mistake in the application: new workers would fail like this one, for ever.
                os.kill(os.getppid(), signal.SIGTERM)
                os._exit(2)
        self._started[0] = STARTED
        if self._files is not None:
            self._files.add(reloading.places_of(worker.site))
            worker.watch(self._files)
        return worker

    def _wait_for_mending(self, files: reloading.Files) -> None:
        """End this worker, whose app has a mistake, for another when a file has changed."""
        # Skitai's handlers are for workers that serve.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        files.wait()
        os._exit(RESTART)


def _test_client(make: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    """In place of `skitai.test_client`, which only has no script with `dryrun=True`."""
    if not (args or kwargs.get("script")) and "dry" not in kwargs:
        kwargs = {"dryrun": True, **kwargs}
    return make(*args, **kwargs)


def _polls_by_default() -> bool:
    """Whether `skitai.use_poll` was not called: it sets `rs4.protocols.lifetime.poll_fun`."""
    from rs4 import asyncore
    from rs4.protocols import lifetime

    return lifetime.poll_fun is asyncore.poll


RESTART = 3
"""The exit code of a worker that is to be replaced."""
STARTED, FAILED = 1, 2
"""Whether a worker has ever come up."""
