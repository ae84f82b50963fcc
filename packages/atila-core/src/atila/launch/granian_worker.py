"""A worker process of granian: the callable for it, and its end within SHUTDOWN_TIMEOUT.

granian ends a worker by a signal: it drops WebSockets, then waits for all other connections,
however long, and lets the site end after that. So we handle the signals first: WebSockets are
closed, and only then is granian signalled; requests that have not ended in time are cancelled and
answered; those that ignore that end with the process.

Relied on, of `granian._signals`: `set_loop_signals(loop)` and `set_sync_signals()`, which install
handlers of SIGINT and SIGTERM, and return an object with `set()`. They are looked up when a worker
begins to serve, which is after `make_service`. So is `_wsgi_call_wrap`, in the module of granian's
server: it makes what a worker calls of an application of WSGI; if granian has it no more, it calls
`Service` as such an application.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import util
from typing import Any

from atila.engines import rsgi
from atila.launch import failures, reloading, script, wrapped
from atila.runtime import end_signals, garbage, server_run
from atila.runtime.loop import CANCEL_MARGIN
from atila.serving.site import Site, serving

TARGET = "ATILA_TARGET"
INTERFACE = "ATILA_INTERFACE"
STARTED = "ATILA_STARTED"
"""When the server started that watches the files, in ns."""
FAILED = 2
"""The exit status of a worker whose app has a mistake."""
CANCEL_SECONDS = 2.0
"""How long cancelled requests may take to end."""
CLOSE_SECONDS = 2.0
"""How long the site may take to shut down when requests have used up the time."""
GOODBYE_SECONDS = 1.5
"""How long the closing of WebSockets may take before granian drops them: half a second more than
clients have to answer it."""
END_SECONDS = GOODBYE_SECONDS + 2 * CANCEL_SECONDS + CANCEL_MARGIN + CLOSE_SECONDS
"""How much longer than its SHUTDOWN_TIMEOUT a worker takes at most, where the loop is blocked."""

log = logging.getLogger("atila.engines.granian")


class Service:
    """A site as an RSGI or WSGI application, for granian to call in a worker.

    Args:
        site: the site.
        files: the files that granian watches, if it does.
    """

    def __init__(self, site: Site, files: reloading.Files | None = None) -> None:
        # It imports granian, which this module, imported where granian may be missing, must not.
        from atila.engines import granian_wsgi

        self.site = site
        self._files = files
        self.end = End(site)
        self._rsgi = rsgi.Engine(site)
        # Not a method, which would be one more step of each request.
        self.__rsgi__ = self._rsgi.serve
        self.wsgi = granian_wsgi.Engine(site)
        # Where granian calls nothing at the end, as for WSGI, multiprocessing does.
        util.Finalize(None, self._shut_down, exitpriority=100)

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._rsgi.begin(loop)
        with _failures_shown():
            self.start_up()

    def start_up(self) -> None:
        """Have the site start, and note that this worker has come up."""
        with end_signals.raised():
            self.site.start_up()
        server_run.note_up(self.end.patience())

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._shut_down()

    def _shut_down(self) -> None:
        files, self._files = self._files, None
        if files is not None and files.changed():
            reloading.announce(self.site, "before_reload")
        self.end.shut_down()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.wsgi.serve(environ, start_response)

    def take_calls(self) -> None:
        """Have granian's worker call the engine with the request as granian has it."""
        from granian import Granian

        sys.modules[Granian.__module__]._wsgi_call_wrap = lambda *_: self.wsgi.call  # type: ignore[attr-defined]


def make_service() -> Service | wrapped.Asgi | wrapped.Wsgi:
    """The service of a worker process; granian calls this by its name."""
    with _failures_shown():
        return _make_service()


@contextmanager
def _failures_shown() -> Iterator[None]:
    """Have an error of the project's code end the worker with its text, without our part of it."""
    try:
        yield
    except Exception as error:
        sys.stderr.write(failures.shown(error))
        raise SystemExit(FAILED) from None


def _make_service() -> Service | wrapped.Asgi | wrapped.Wsgi:
    if (app := script.read(os.environ[TARGET]).wrapped) is not None:
        return _make_wrapped(app)
    site = script.build_site()
    files = None
    if started := os.environ.get(STARTED):
        files = reloading.files_of(os.environ[TARGET], reloading.places_of(site))
        if files.changed_since(int(started)):
            reloading.announce(site, "reloaded")
    garbage.prepare()
    service = Service(site, files)
    service.end.take_signals()
    server_run.watch_master(lambda: os.kill(os.getpid(), signal.SIGTERM))
    if os.environ.get(INTERFACE) == "wsgi":
        # Otherwise granian calls __rsgi_init__, with its loop.
        service.start_up()
        service.take_calls()
    return service


def _make_wrapped(app: Any) -> wrapped.Asgi | wrapped.Wsgi:
    end = End()
    end.take_signals()
    server_run.watch_master(lambda: os.kill(os.getpid(), signal.SIGTERM))
    util.Finalize(None, end.shut_down, exitpriority=100)
    make = wrapped.Wsgi if os.environ.get(INTERFACE) == "wsgi" else wrapped.Asgi
    return make(app, lambda: server_run.note_up(end.patience()))


class End:
    """The end of a worker, from the signal on.

    Args:
        sites: the sites that it serves; none for those that have started by then.
    """

    def __init__(self, *sites: Site) -> None:
        self._given = sites
        self._has_begun = False
        self._is_idle = threading.Event()
        self._is_over = threading.Event()

    def take_signals(self) -> None:
        """Have granian's signals come here first."""
        from granian import _signals

        on_loop, in_thread = _signals.set_loop_signals, _signals.set_sync_signals

        def set_loop_signals(loop: asyncio.AbstractEventLoop) -> Any:
            signalled = on_loop(loop)  # type: ignore[no-untyped-call]
            for number in end_signals.SIGNALS:
                # In the place of granian's handler, which would have it drop WebSockets at once.
                loop.add_signal_handler(number, self._begin, signalled)
            # Beside the loop's own, which a coroutine that blocks it would hold up.
            self._begin_at_signals(signalled)
            return signalled

        def set_sync_signals() -> Any:
            signalled = in_thread()  # type: ignore[no-untyped-call]
            self._begin_at_signals(signalled)
            return signalled

        _signals.set_loop_signals = set_loop_signals
        _signals.set_sync_signals = set_sync_signals

    def _begin_at_signals(self, signalled: Any) -> None:
        for number in end_signals.SIGNALS:
            signal.signal(number, lambda number, frame: self._begin(signalled))

    def _begin(self, signalled: Any) -> None:
        """The worker got a signal to end. In the middle of any code."""
        if not self._has_begun:
            self._has_begun = True
            threading.Thread(
                target=self._enforce, args=(signalled,), name="atila-end", daemon=True
            ).start()

    def shut_down(self) -> None:
        """All connections are through: let the sites end. Not on the running loop."""
        self._is_idle.set()
        for site in self._sites():
            site.shutdown()
        self._is_over.set()

    def patience(self) -> float:
        """Seconds after which the master may kill the worker."""
        return self._timeout() + END_SECONDS

    def _sites(self) -> tuple[Site, ...]:
        return self._given or tuple(serving)

    def _timeout(self) -> float:
        return max((site.shutdown_timeout for site in self._sites()), default=0.0)

    def _say_goodbye(self, sites: tuple[Site, ...]) -> None:
        """Have the WebSockets closed, and wait for that, but not for long."""
        for site in sites:
            site.drain()
        deadline = time.monotonic() + GOODBYE_SECONDS
        for site in sites:
            site.goodbyes_said.wait(max(0.0, deadline - time.monotonic()))

    def _enforce(self, signalled: Any) -> None:
        sites = self._sites()
        try:
            self._say_goodbye(sites)
        finally:
            # granian takes no more connections, and waits for those that there are.
            signalled.set()
        left = max((site.time_left() for site in sites), default=0.0)
        if not self._is_idle.wait(left):
            log.warning("requests are broken off by the shut-down")
            for site in sites:
                site.loop.cancel(CANCEL_SECONDS)
        is_forced = not self._is_idle.wait(CANCEL_SECONDS)
        if is_forced:
            # Handlers in threads cannot be interrupted; their clients lose the connection.
            threading.Thread(target=self.shut_down, name="atila-close", daemon=True).start()
        left = max((site.time_left() for site in sites), default=0.0)
        self._is_over.wait(left + CLOSE_SECONDS)
        if is_forced or not self._is_over.is_set():
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
