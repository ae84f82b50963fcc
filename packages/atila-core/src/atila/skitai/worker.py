"""One worker process: the site, its task loop, and their orderly end."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from rs4 import asyncore
from rs4.protocols import lifetime as polling
from skitai import lifetime

from atila.app.settings import SETTINGS
from atila.launch.packages import Package
from atila.launch.reloading import Files, announce
from atila.runtime import server_run
from atila.serving.apps import Mount
from atila.serving.site import Site
from atila.skitai import poller
from atila.skitai.base import SkitaiExchange
from atila.skitai.channel import Acceptor, Mended, decode_http2_headers
from atila.skitai.connection_limit import ConnectionLimit
from atila.skitai.loop_bridge import Pump
from atila.skitai.names import show_g
from atila.skitai.request_filter import Front

CANCEL_SECONDS = 2.0
"""How long coroutines have to end that are cancelled, when requests have used up the time."""
CLOSE_SECONDS = 1.0
"""How long the site may take to shut down at least, when requests have used up the time."""
ZOMBIE_SECONDS = 5.0
"""How often connections are looked at on which nothing moves; Skitai alone does so each minute."""

log = logging.getLogger("atila.engines.skitai")


class Worker:
    """The server of our requests in this process. Made on its main thread, after the fork.

    Args:
        wasc: Skitai's context class.
        site: the framework, made after the fork too.

    Relied on, of Skitai's context class: `httpserver` (`handle_accept`, `ctx` if it is for TLS,
    `server_name`, `port`, `ip`), `register`.

    Attributes:
        site: the framework.
        loop: its task loop.
        pump: the way to the main thread.
        active: the running requests.
        draining: whether the worker shuts down.
        scheme: "http" or "https".
        address: the address that clients connect to.
    """

    def __init__(self, wasc: Any, site: Site) -> None:
        server = wasc.httpserver
        Mended.poller = poller.install()
        self.pump = DrainingPump(self)
        self.site = site
        self.loop = site.loop
        self.active: set[SkitaiExchange] = set()
        self.draining = False
        self.scheme = "https" if hasattr(server, "ctx") else "http"
        self.address = (server.ip or server.server_name, server.port)
        decode_http2_headers()
        server.handle_accept = Acceptor(server, self.later, self._limit())
        # Later: Skitai is about to put a memory of its own there, with `start_was`.
        self.pump.call(lambda: show_g(site.g))
        wasc.register("atila_exit", Leaver(wasc), False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupted)
        if lifetime._shutdown_phase:
            # The signal came while the site was made.
            self.pump.call(lifetime.shutdown, 0, 1.0)
        server_run.watch_master(lambda: os.kill(os.getpid(), signal.SIGTERM))
        self._look_for_zombies()
        self._fronts: dict[int, Front] = {}

    def _limit(self) -> ConnectionLimit | None:
        """Of the connections of one address, if there is one."""
        most = self.site.connections_per_address
        if not most:
            return None
        return ConnectionLimit(most, self.site.trusts, self.later, self.scheme == "https")

    def serve(self, vhost: Any) -> None:
        """Serve the apps of a virtual host; once is enough."""
        if id(vhost) not in self._fronts:
            self._fronts[id(vhost)] = Front(self, vhost)

    def log(self, request: Any, status: int, size: int) -> None:
        """Write Skitai's own line into its request log, if it writes one for this address.

        Relies on `http_response`: `reply_code`, `stime`, `htime`, and the `maybe_log` of its class.
        """
        response = request.response
        now = time.time()
        response.reply_code = status
        response.htime = (now - response.stime) * 1000
        response.stime = now
        type(response).maybe_log(response, size)

    def watch(self, files: Files) -> None:
        """Give way to another worker when a file has changed."""

        def give_way() -> None:
            announce(self.site, "before_reload")
            self.pump.call(restart_worker)

        files.watch(give_way)

    def _look_for_zombies(self) -> None:
        # By our clock: Skitai's schedule stands still when that of the system is put back.
        polling.maintern_zombie_channel(time.time())
        self.later(ZOMBIE_SECONDS, self._look_for_zombies)

    def later(self, seconds: float, func: Callable[[], object]) -> None:
        """Have func() called on the main thread after a while."""
        self.loop.call(self.loop.loop.call_later, seconds, self.pump.call, func)

    def _interrupted(self, number: int, frame: Any) -> None:
        # Skitai lets the KeyboardInterrupt loose in whatever the main thread is doing, and forgets
        # a SIGTERM that comes before its loop begins.
        self.pump.call(lifetime.shutdown, 0, 1.0)

    # The end.

    def drain(self) -> None:
        """Let requests end, then the site. New connections are no longer accepted by now."""
        self.draining = True
        self.site.drain()
        deadline = time.monotonic() + patience(self.site.mounts[0])
        for exchange in tuple(self.active):
            exchange.go_away()
        while self.active and time.monotonic() < deadline:
            self._poll()
        if self.active:
            log.warning("%d requests are broken off by the shut-down", len(self.active))
            # What is cancelled on the task loop is still answered.
            self._poll_beside(self.loop.cancel, CANCEL_SECONDS)
        for exchange in tuple(self.active):
            exchange.drop()
        self._poll_beside(self._close_site, max(CLOSE_SECONDS, deadline - time.monotonic()))

    def _poll_beside(self, func: Callable[[float], object], seconds: float) -> None:
        """Call func(seconds) in a thread, and serve connections until it has ended, or it should
        have.
        """
        thread = threading.Thread(target=func, args=(seconds,), daemon=True)
        thread.start()
        deadline = time.monotonic() + seconds + 1.0
        while thread.is_alive() and time.monotonic() < deadline:
            self._poll()
        # What it has answered last is still to be sent.
        self._poll(0.0)

    def _poll(self, seconds: float = 0.1) -> None:
        polling.poll_fun_wrap(seconds, asyncore.socket_map)
        lifetime.tick_timer.tick()

    def _close_site(self, seconds: float) -> None:
        try:
            self.site.shutdown(seconds)
        except Exception:
            log.exception("the site did not shut down well")


def patience(mount: Mount | Package) -> float:
    """Seconds that requests under way may take to end when the server stops."""
    name = "SHUTDOWN_TIMEOUT"
    config = mount.app.config if isinstance(mount, Mount) else mount.pref.config
    return float(config.get(name, SETTINGS[name].default))


def restart_worker() -> None:
    """End this worker in peace; the master starts another. For reloading in development.

    Relies on `skitai.lifetime.shutdown(exit_code, seconds_per_phase)`; 3 is Skitai's for "restart".
    """
    lifetime.shutdown(3, 1.0)


class DrainingPump(Pump):
    """The pump, which Skitai also asks whether the worker may end.

    Relies on `clean_shutdown_control(phase, seconds)`, which Skitai calls on each member of its
    socket map; in phase 3 its server is closed, and it is about to close the connections, answered
    or not. The pump was there before any connection, so it is asked before them.
    """

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker
        self._drained = False

    def clean_shutdown_control(self, phase: int, seconds: float) -> int:
        """Whether the worker has to wait: no; the waiting happens in here."""
        if phase == 3 and not self._drained:
            self._drained = True
            self._worker.drain()
        return 0


class Leaver:
    """Ends the process when Skitai has cleaned up.

    Otherwise it would next kill all children of the master, from a worker as well
    (`rs4.psutil.kill.child_processes_gracefully`, whose default was computed before the fork): one
    worker that ends would take the others with it.

    Relies on `wasc.cleanup(phase)`, which calls `cleanup` of the `wasc.objects`: all but logger and
    async_executor in phase 1, the rest in phase 2.
    """

    def __init__(self, wasc: Any, is_last: bool = False) -> None:
        self._wasc = wasc
        self._is_last = is_last

    def cleanup(self) -> None:
        """Skitai cleans up."""
        if self._is_last:
            os._exit(lifetime._exit_code)
        self._wasc.register("atila_exit_last", Leaver(self._wasc, is_last=True), False)
