"""The site of a server process: its apps, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakSet

from atila.errors import SetupError, setup_step
from atila.http.close_codes import GOING_AWAY
from atila.http.observation import Observer
from atila.monitoring import logs
from atila.routing import hosts
from atila.runtime import after_answer, end_signals, shared, store, terminal
from atila.runtime.loop import TaskLoop
from atila.runtime.pool import WorkerPool
from atila.runtime.store import SharedStore
from atila.runtime.updates import Updates
from atila.serving.apps import Apps, Mount
from atila.serving.departures import Departures
from atila.serving.dispatch import Dispatch, Kind
from atila.serving.maintenance import Maintainer
from atila.serving.static import StaticFiles

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.exchange import Exchange, WebSocketTransport
    from atila.monitoring.metrics import Metrics
    from atila.runtime.shared import Shared
    from atila.serving.event_streams import OpenEventStream

UNLIMITED = (
    "MAX_CONNECTIONS_PER_ADDRESS counts on Skitai alone: %s limits no connections. Mend: have a"
    " proxy before it do so, such as Nginx by limit_conn, or use --engine skitai"
)
log = logging.getLogger("atila.site")

on_site_start: list[Callable[[Site], object]] = []
"""Called with each site that begins to serve."""

CLOSING = 0.5
"""Seconds that a part of the site has to close at least, when requests have used up the time."""


serving: WeakSet[Site] = WeakSet()
"""The sites of this process that have started."""


class Site(Dispatch):
    """The apps of a server process, its worker threads and its task loop.

    Args:
        mounts: the apps; each app is in one site only.
        threads: the most worker threads; None for the setting THREADS of the first app.
        queue_size: requests that may wait for a thread; None for the setting QUEUE_SIZE.
        trial: it is made to find mistakes only: without maintenance and without events of the
            mount.
        access_log: "combined" or "json"; None for the setting ACCESS_LOG of the first app.

    Raises:
        SetupError: two apps have one mount point, or an app has a mistake in it.
    """

    def __init__(
        self,
        mounts: Sequence[Mount],
        threads: int | None = None,
        queue_size: int | None = None,
        *,
        trial: bool = False,
        access_log: str | None = None,
    ) -> None:
        if not mounts:
            raise SetupError('nothing is mounted; write skitai.mount("/", app)')
        places = [(hosts.normal(mount.host), mount.prefix) for mount in mounts]
        for place in places:
            point = place[1]
            if point and not point.startswith("/"):
                raise SetupError(f'the mount point {point!r} must begin with a slash: "/{point}"')
            if places.count(place) > 1:
                raise SetupError(f"two apps are mounted on {point or '/'!r}; move one of them")
        self.mounts = sorted(mounts, key=lambda mount: len(mount.prefix), reverse=True)
        for mount in mounts:
            mount.app.config.check()
        config = mounts[0].app.config
        self.pool = WorkerPool(
            threads or config.THREADS,
            queue_size or config.QUEUE_SIZE,
            spare=config.SPARE_THREADS,
        )
        self.shutdown_timeout: float = config.SHUTDOWN_TIMEOUT
        """Seconds that running requests have to end when the server stops."""
        self._ends_at: float | None = None
        self._sockets: WeakSet[WebSocketTransport] = WeakSet()
        self.event_streams: set[OpenEventStream] = set()
        """Those that are being sent."""
        self.goodbyes_said = threading.Event()
        """Set when the WebSockets are closed that `drain` closes."""
        self._says_goodbye = False
        self._watches_signals = False
        self._loop: TaskLoop | None = None
        self._making = threading.Lock()
        self._is_trial = trial
        self._is_over = False
        self._has_begun = False
        self._has_started = False
        self._starting = threading.RLock()
        self._has_warned = False
        self.is_draining = False
        """Whether it is about to end, and wants no further requests."""
        self.metrics: Metrics | None = None
        """Its metrics; None without the setting METRICS_PATH."""
        self._closers: list[Callable[[], Awaitable[object] | None]] = []
        self.shared = shared.choose(alone=trial, url=shared.url_of(mount.app for mount in mounts))
        self.shared_states: list[Shared] = [self.shared]
        """States that must be there for it to be ready."""
        self.g: SharedStore = SharedStore()
        self.g.attach(self.shared, "g")
        self.updates = Updates(self.shared)
        self.connections_per_address: int = config.MAX_CONNECTIONS_PER_ADDRESS
        self.on_shutdown(self.updates.close)
        for mount in mounts:
            store.attach(mount.app, self.shared, f"{mount.host} {mount.prefix}")
        self.apps = Apps(mounts)
        self.apps.connect(mounts)
        self._maintainer: Maintainer | None = None
        self._enter(mounts)
        self.static = StaticFiles(mount.app for mount in mounts)
        is_served = self.static.roots and not self.static.is_disabled()
        super().__init__(
            self.pool,
            hosts.Hosts((mount.host, mount.prefix, mount.app) for mount in mounts),
            # None, where there are none, costs a request the least.
            self.static if is_served else None,
            self._find_observers(access_log or config.ACCESS_LOG),
            config.TRUSTED_PROXIES,
            compresses=any(_compresses(mount.app) for mount in mounts),
        )
        # Not before: a request in another thread takes the site that it finds.
        for mount in mounts:
            mount.app.open(self)
        if trial:
            logs.formatter(config.LOG_FORMAT)
        else:
            logs.ensure(debug=mounts[0].app.debug, form=config.LOG_FORMAT, level=config.LOG_LEVEL)
            terminal.take_back()
            try:
                self._announce("mounted")
                self._announce("mounted_or_reloaded")
            except BaseException:
                self.shutdown(0.0)
                raise
            for call in on_site_start:
                call(self)
            self._serve_stores()
            self._maintainer = Maintainer([mount.app for mount in mounts])
            self._maintainer.start()

    def exchange_class(self, kind: type[Kind]) -> type[Kind]:
        """See `Dispatch`."""
        is_limited = self.connections_per_address and not kind.connections_are_ours
        if is_limited and not self._has_warned:
            self._has_warned = True
            log.warning(UNLIMITED, "this server")
        return super().exchange_class(kind)

    def _find_observers(self, log_format: str | None) -> list[Observer]:
        """The access log, the metrics and the traces, as far as settings ask for them."""
        found: list[Observer] = []
        if log_format:
            found.append(logs.AccessLog(log_format))
        if not self._is_trial and any(m.app.config.METRICS_PATH is not None for m in self.mounts):
            from atila.monitoring import metrics

            self.metrics = metrics.Metrics(self.pool, self.event_streams)
            self.on_shutdown(self.metrics.close)
            found.append(self.metrics)
        if any(mount.app.config.TRACES for mount in self.mounts):
            from atila.monitoring import tracing

            traces = tracing.Traces()
            self.on_shutdown(traces.close)
            found.append(traces)
        return found

    def _serve_stores(self) -> None:
        self.g.serve()
        for mount in self.mounts:
            mount.app.store.serve()

    def _enter(self, mounts: Sequence[Mount]) -> None:
        entered: list[Mount] = []
        try:
            for mount in mounts:
                with setup_step():
                    mount.app.enter(self, mount.prefix)
                    entered.append(mount)
        except BaseException:
            for mount in entered:
                mount.app.leave()
            for mount in mounts:
                mount.app.store.detach(self.shared)
            raise

    @property
    def is_sharing(self) -> bool:
        """Whether it shares state with other processes."""
        return any(each.is_used for each in self.shared_states)

    def check_shared(self) -> None:
        """Find out whether the shared state can be used; send it what it is owed.

        Raises:
            SharedUnavailable: it cannot.
        """
        for each in self.shared_states:
            each.check()
        for values in (self.g, *(mount.app.store for mount in self.mounts)):
            values.send_first_values()

    def _announce(self, event: str) -> None:
        for mount in self.mounts:
            mount.app.bus.announce(event)

    @cached_property
    def loop(self) -> TaskLoop:
        """The task loop; one in a thread of its own, unless the server's was adopted."""
        if self._loop is None:
            with self._making:
                if self._loop is None:
                    self._loop = self._watched(TaskLoop.in_thread())
            self.begin()
        return self._loop

    def use_loop(self, loop: asyncio.AbstractEventLoop) -> TaskLoop:
        """Make the running loop of the server the task loop. To be called on that loop."""
        if self._loop is None or self._loop.loop is not loop:
            self.loop = self._loop = self._watched(TaskLoop(loop))
            self.begin()
        return self._loop

    def start_on_loop(self, was: Was) -> None:
        """Like `start`, for engines whose requests arrive on other threads than the loop's."""
        if was.endpoint.blocking or self.loop.is_current():
            self.start(was)
        else:
            self.loop.call(self.start, was)

    @property
    def has_loop(self) -> bool:
        """Whether the task loop has been made, or adopted."""
        return self._loop is not None

    def is_on_its_loop(self) -> bool:
        """Whether the caller is on the thread of the task loop, so that it must not block."""
        return self._loop is not None and self._loop.is_current()

    def _watched(self, loop: TaskLoop) -> TaskLoop:
        self.departures = Departures(loop, self.pool)
        return loop

    def begin(self) -> None:
        """Start the layers' coroutines; only once in a process. For engines without a loop."""
        if self._is_trial or self._has_begun:
            return
        self._has_begun = True
        parts = (each for mount in self.mounts for each in mount.app.parts)
        for serve in dict.fromkeys(each.serve for each in parts):
            if serve is not None and (work := serve(self)) is not None:
                self.loop.spawn(work)

    def start_up(self) -> None:
        """Make the values of the scope "app", and call the listeners to "startup";
        but once. To be called before the first request. Blocks; not on the running task loop.

        Raises:
            Exception: whatever one of them raises, which keeps the process from serving. Values
                made before it are cleaned up.
        """
        if self._has_started or self._is_trial:
            return
        with self._starting:
            if self._has_started:
                return
            try:
                for mount in self.mounts:
                    mount.app.providers.open()
                self._announce("startup")
            except BaseException:
                self.close_providers()
                raise
            self._has_started = True
            serving.add(self)

    @property
    def has_started(self) -> bool:
        """Whether `start_up` has been called, and has ended."""
        return self._has_started

    def close_providers(self) -> None:
        """Clean up the values of the scope "app" that have been made. Blocks."""
        for mount in self.mounts:
            mount.app.providers.close()

    def on_shutdown(self, func: Callable[[], Awaitable[object] | None]) -> None:
        """Call func() when the site ends, after all requests ended and the tasks on the task loop
        were cancelled. The last function added is called first.

        Args:
            func: blocks for a moment at most, or gives an awaitable, which is awaited on the task
                loop.
        """
        self._closers.append(func)

    def _close_all(self, deadline: float) -> None:
        while self._closers:
            try:
                closing = self._closers.pop()()
                if closing is not None:
                    left = max(CLOSING, deadline - time.monotonic())
                    self.loop.run(_awaited(closing), left)
            except BaseException:
                log.exception("closing a part of the site failed")

    def add_socket(self, transport: WebSocketTransport) -> None:
        """Note a WebSocket that was accepted, which is to be closed when the server ends. On the
        task loop.
        """
        self._sockets.add(transport)
        if self._says_goodbye:
            _ = self._say_goodbye(transport)

    def add_event_stream(self, stream: OpenEventStream) -> None:
        """Note an event stream that is being sent, which is to be closed when the server ends. On
        the task loop.
        """
        self.event_streams.add(stream)
        if stream.hides_end and not self._watches_signals:
            self._watches_signals = True
            end_signals.before(lambda: self.loop.loop.call_soon_threadsafe(self.drain))
        if self._says_goodbye:
            _ = self._say_goodbye(stream)

    def _say_goodbye(self, endless: WebSocketTransport | OpenEventStream) -> asyncio.Task[None]:
        return self.loop.start(endless.close(GOING_AWAY, "the server shuts down"))

    async def _say_goodbyes(self) -> None:
        # On the loop, where there is no other that adds to these sets meanwhile.
        self._says_goodbye = True
        for stream in tuple(self.event_streams):
            _ = self._say_goodbye(stream)
        try:
            if closing := [self._say_goodbye(transport) for transport in tuple(self._sockets)]:
                await asyncio.wait(closing)
        finally:
            self.goodbyes_said.set()

    def place_of(self, app: Atila) -> str:
        """Host and prefix of an app, the same in all workers; "" if it is not here."""
        return next((f"{m.host} {m.prefix}" for m in self.mounts if m.app is app), "")

    def work_after(self, exchange: Exchange) -> Iterator[Future[None]]:
        """The ends of the work after an answer, `was.after`, for a caller that waits for them."""
        return after_answer.expected(self, exchange)

    def drain(self) -> None:
        """The server is about to end: close WebSockets and event streams, which would go on for
        ever, and count the time of the setting SHUTDOWN_TIMEOUT from now on. From any thread.
        """
        if self._ends_at is None:
            self._ends_at = time.monotonic() + self.shutdown_timeout
            self.is_draining = True
            if self._loop is None:
                self.goodbyes_said.set()
            else:
                self._loop.spawn(self._say_goodbyes())

    def time_left(self) -> float:
        """Seconds that running requests have to end."""
        if self._ends_at is None:
            return self.shutdown_timeout
        return max(0.0, self._ends_at - time.monotonic())

    def shutdown(self, timeout: float | None = None) -> None:
        """Let running requests end, then leave the apps. Blocks; not to be called on the loop.

        Args:
            timeout: seconds that they have; None for the rest of the setting SHUTDOWN_TIMEOUT.
        """
        if self._is_over:
            return
        self._is_over = self.is_draining = True
        deadline = time.monotonic() + (self.time_left() if timeout is None else timeout)
        if self._maintainer is not None:
            self._maintainer.stop(max(0.0, deadline - time.monotonic()))
        if not self._is_trial:
            self._announce("before_umount")
        if not self.pool.close(max(0.0, deadline - time.monotonic())):
            log.warning("requests were still running when the server stopped")
        after_answer.drain(self, max(CLOSING, deadline - time.monotonic()))
        for mount in self.mounts:
            mount.app.mounting.umount()
        if self._has_started:
            self._announce("shutdown")
        if not self._is_trial:
            self._announce("umounted")
        # What is cancelled now still cleans up, as a part of this site.
        if self._loop is not None:
            self._loop.cancel()
        self._close_all(deadline)
        self.close_providers()
        if self._loop is not None:
            self._loop.stop()
        for mount in self.mounts:
            mount.app.leave()
            mount.app.store.detach(self.shared)
            mount.app.bus.subscribers.clear()
        self.shared.close()


def _compresses(app: Atila) -> bool:
    return app.config.COMPRESS is True or any(each.compress for each in app.compiled.values())


async def _awaited(awaitable: Awaitable[object]) -> None:
    await awaitable
