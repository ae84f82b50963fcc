"""`atila serve --engine granian`: serves a launch script or an app with granian.

Each worker process reads the target by itself, so that nothing has to survive a fork and a reload
finds the new code; what the workers need to know comes to them in environment variables.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

from atila.engines import rsgi, wsgi
from atila.errors import SetupError
from atila.launch import reloading, script
from atila.monitoring import logs
from atila.runtime import server_run
from atila.runtime.loop import freeze_gc
from atila.serving.site import Site

TARGET = "ATILA_TARGET"
THREADS = "ATILA_THREADS"
STARTED = "ATILA_STARTED"
"""When the server started that watches the files, in ns."""
WSGI_THREADS = 4
"""Threads that run handlers where granian calls them by WSGI, if nothing else is said."""
RESPAWN_INTERVAL = 0.1
"""Seconds after which a worker that died is replaced."""
KILL_TIMEOUT = 40
"""Seconds after which a worker is killed that was told to end. Longer than the setting
SHUTDOWN_TIMEOUT."""


class Service:
    """What granian calls in a worker: a site as an RSGI or WSGI application.

    Args:
        site: the site.
        files: those that granian watches, if it does.
    """

    def __init__(self, site: Site, files: reloading.Files | None = None) -> None:
        self.site = site
        self._files = files
        # Not a method, which would be one more step of each request.
        self.__rsgi__ = rsgi.Engine(site).serve
        self._wsgi = wsgi.Engine(site).serve

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.site.use_loop(loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._files is not None and self._files.changed():
            reloading.announce(self.site, "before_reload")
        self.site.shutdown()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self._wsgi(environ, start_response)


def make_service() -> Service:
    """The service of a worker process; granian calls this by its name."""
    script.read(os.environ[TARGET])
    threads = os.environ.get(THREADS)
    site = script.build_site(int(threads) if threads else None)
    files = None
    if started := os.environ.get(STARTED):
        files = reloading.files_of(os.environ[TARGET], reloading.places_of(site))
        if files.changed_since(int(started)):
            reloading.announce(site, "reloaded")
    freeze_gc()
    return Service(site, files)


def serve(settings: script.Settings) -> None:
    """Serve until SIGINT or SIGTERM, then let running requests end.

    Raises:
        SetupError: granian is not installed.
    """
    try:
        from granian import Granian
        from granian.constants import HTTPModes, Interfaces
    except ImportError as error:
        raise SetupError(
            'granian is not installed. Mend: pip install "atila-core[granian]"'
        ) from error

    logs.configure()
    # A worker is a fork, which takes the signals that end granian for its master's until it listens
    # to them itself: one that was told to end while it started did not.
    os.register_at_fork(after_in_child=_end_by_signals)
    os.environ[TARGET] = settings.target
    if settings.threads:
        os.environ[THREADS] = str(settings.threads)
    blocking_threads, protocols = None, HTTPModes.auto
    if settings.interface == "wsgi":
        blocking_threads = settings.threads or WSGI_THREADS
        # Over HTTP/2 its reader of bodies spins for ever when a client resets an upload.
        protocols = HTTPModes.http1
    watching: dict[str, Any] = {}
    if settings.reload:
        # A mistake is to be mended and tried again, and ends nothing.
        watching = {"reload": True, "reload_ignore_worker_failure": True}
        os.environ[STARTED] = str(time.time_ns())
        places = (reloading.folder_of(settings.target), *settings.places)
        watching["reload_paths"] = [Path(place) for place in places]
        watching["reload_filter"] = _python_filter()
    server = Granian(
        f"{__name__}:make_service",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces(settings.interface),
        http=protocols,
        blocking_threads=blocking_threads,
        workers=settings.workers,
        respawn_failed_workers=True,
        respawn_interval=RESPAWN_INTERVAL,
        workers_kill_timeout=KILL_TIMEOUT,
        **watching,
    )
    with server_run.running():
        server.serve()


def _end_by_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _python_filter() -> Any:
    try:
        from watchfiles import PythonFilter
    except ImportError as error:
        raise SetupError(
            'watchfiles is not installed. Mend: pip install "atila-core[granian]"'
        ) from error
    return PythonFilter
