"""The site: what a server process serves, which apps where, and where their work runs."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atila import problems
from atila.errors import HTTPError, SetupError
from atila.http import observation, proxies
from atila.http.bodies import BodySink, Spool
from atila.http.exchange import ClientGone, Exchange
from atila.http.forms import media_type
from atila.http.uploads import MULTIPART_TYPE
from atila.monitoring import logs
from atila.routing import hosts
from atila.runtime import shared, store
from atila.runtime.loop import TaskLoop
from atila.runtime.pool import WorkerPool
from atila.runtime.store import SharedStore
from atila.runtime.updates import Updates
from atila.serving.apps import Apps
from atila.serving.maintenance import Maintainer
from atila.serving.static import READING, StaticFiles, moved

if TYPE_CHECKING:
    from atila.app.application import Atila
    from atila.app.settings import Config
    from atila.monitoring.metrics import Metrics
    from atila.routing.router import Match
    from atila.serving.endpoint import Endpoint
    from atila.was import Was

log = logging.getLogger("atila.site")

NO_PARAMS: dict[str, Any] = {}
"""Shared by all requests to rules without parameters; never changed."""

begun: list[Callable[[Site], object]] = []
"""Called with each site that begins to serve."""

_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
CLOSING = 0.5
"""Seconds that a part of the site has to close at least, when requests have used up the time."""
BUSY = [("retry-after", "1")]
"""A client refused for overload may come again after a second."""


@dataclass(frozen=True, slots=True)
class Mount:
    """An app at a mount point.

    Attributes:
        point: the path it is mounted on: "/" or "/shop".
        app: the app.
        name: what other apps call it; if not given, the name of the module it was made in.
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
        """What the paths of the app begin with: "" or "/shop"."""
        return self.point.rstrip("/")


class Site:
    """The apps of a server process, its worker threads and its task loop.

    Args:
        mounts: the apps; each app is in one site only.
        threads: the most worker threads; None for the setting THREADS of the first app.
        queue_size: requests that may wait for a thread; None for the setting QUEUE_SIZE.
        trial: it is made to find mistakes only: no maintenance, and nobody is told of the mount.
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
        config = mounts[0].app.config
        self.pool = WorkerPool(threads or config.THREADS, queue_size or config.QUEUE_SIZE)
        self._shutdown_timeout: float = config.SHUTDOWN_TIMEOUT
        self._loop: TaskLoop | None = None
        self._making = threading.Lock()
        self._is_trial = trial
        self._is_over = False
        self._has_begun = False
        self.is_draining = False
        """Whether it is about to end, and wants no further requests."""
        self.metrics: Metrics | None = None
        """What it counts; None without the setting METRICS."""
        self._closers: list[Callable[[], Awaitable[object] | None]] = []
        self.shared = shared.choose(alone=trial, url=shared.url_of(mount.app for mount in mounts))
        self.g: SharedStore = SharedStore()
        self.g.attach(self.shared, "g")
        self.updates = Updates(self.shared)
        for mount in mounts:
            store.attach(mount.app, self.shared, f"{mount.host} {mount.prefix}")
        self.apps = Apps(mounts)
        self.apps.connect(mounts)
        self._hosts = hosts.Hosts((mount.host, mount.prefix, mount.app) for mount in mounts)
        self._single = self._hosts.single
        self._maintainer: Maintainer | None = None
        self._enter(mounts)
        self.static = StaticFiles(mount.app for mount in mounts)
        # None, where there are none, costs a request the least.
        is_served = self.static.roots and not self.static.is_disabled()
        self.files = self.static if is_served else None
        if observers := self._observers(config, access_log):
            # In place of the method, so that sites without any do nothing for them.
            self.__dict__["open"] = observation.instrument(self.open, observers)
        if config.TRUSTED_PROXIES:
            # Around these, which tell of the client too.
            self.__dict__["open"] = proxies.with_trusted_proxies(self.open, config.TRUSTED_PROXIES)
        if trial:
            logs.formatter(config.LOG_FORMAT)
        else:
            logs.ensure(debug=mounts[0].app.debug, form=config.LOG_FORMAT)
            self._announce("mounted")
            self._announce("mounted_or_reloaded")
            for tell in begun:
                tell(self)
            self._serve_stores()
            self._maintainer = Maintainer([mount.app for mount in mounts])
            self._maintainer.start()

    def _observers(self, config: Config, access_log: str | None) -> list[observation.Observer]:
        """Who is told of each request: the access log, the metrics, or nobody."""
        found: list[observation.Observer] = []
        if form := access_log or config.ACCESS_LOG:
            found.append(logs.AccessLog(form))
        if not self._is_trial and any(m.app.config.METRICS is not None for m in self.mounts):
            from atila.monitoring import metrics

            self.metrics = metrics.Metrics(self.pool)
            self.on_shutdown(self.metrics.close)
            found.append(self.metrics)
        return found

    def _serve_stores(self) -> None:
        self.g.serve()
        for mount in self.mounts:
            mount.app.store.serve()

    def _enter(self, mounts: Sequence[Mount]) -> None:
        entered: list[Mount] = []
        try:
            for mount in mounts:
                with problems.piece():
                    mount.app.enter(self, mount.prefix)
                    entered.append(mount)
        except BaseException:
            for mount in entered:
                mount.app.leave()
            for mount in mounts:
                mount.app.store.detach(self.shared)
            raise

    def _announce(self, event: str) -> None:
        for mount in self.mounts:
            mount.app.bus.announce(event)

    @property
    def loop(self) -> TaskLoop:
        """The task loop; one in a thread of its own, unless the server's was adopted."""
        if self._loop is None:
            with self._making:
                if self._loop is None:
                    self._loop = TaskLoop.in_thread()
            self.begin()
        return self._loop

    def use_loop(self, loop: asyncio.AbstractEventLoop) -> TaskLoop:
        """Make the running loop of the server the task loop. To be called on that loop."""
        if self._loop is None or self._loop.loop is not loop:
            self._loop = TaskLoop(loop)
            self.begin()
        return self._loop

    def begin(self) -> None:
        """Run what layers do while a process serves; but once. For engines without a loop."""
        if self._is_trial or self._has_begun:
            return
        self._has_begun = True
        parts = (each for mount in self.mounts for each in mount.app.parts)
        for serve in dict.fromkeys(each.serve for each in parts):
            if serve is not None and (work := serve(self)) is not None:
                self.loop.spawn(work)

    def open(self, exchange: Exchange) -> Was:
        """Find what answers a request. Never blocks, never raises: what is wrong with the request
        is left in the context's `refusal`, and `start` answers with it.
        """
        path = exchange.path
        method = exchange.method
        if self.files is not None and method in READING:
            was = self.files.open(exchange, self._hosts)
            if was is not None:
                return was
        app = self._single
        if app is None:
            apps = self._hosts.apps(exchange.header("host"))
            found = hosts.app_at(path, apps)
            if found is None:
                last = apps[-1][1] if apps else self.mounts[-1].app
                return self._open_stray(exchange, last)
            prefix, app = found
            path = path[len(prefix) :]
        match = app.router.match(path, method)
        if method == "POST" and app.calls:
            was = self._open_call(exchange, app, path, match)
            if was is not None:
                return was
        if match is None:
            return self.refusal(exchange, app, _why_no_match(app, path, exchange))
        endpoint, names, values = match
        params = dict(zip(names, values, strict=True)) if names else NO_PARAMS
        if method not in _BODILESS:
            refusal = _wrong_body(exchange, endpoint)
            if refusal is not None:
                return self.refusal(exchange, app, refusal)
        if endpoint.websocket is not exchange.is_websocket:
            return self.refusal(exchange, app, _wrong_protocol(exchange))
        return app.was_class(exchange, endpoint, params)

    def _open_call(
        self, exchange: Exchange, app: Atila, path: str, match: Match | None
    ) -> Was | None:
        """What answers a call of a protocol of its own; None if it is none."""
        find = app.calls.get(media_type(exchange.header("content-type")))
        if find is None and match is not None:
            return None
        try:
            endpoint = find(exchange, path, match) if find is not None else None
            if endpoint is None and match is None and (find := app.calls.get("*")) is not None:
                endpoint = find(exchange, path, match)
        except HTTPError as error:
            return self.refusal(exchange, app, error)
        if endpoint is None:
            return None
        was = app.was_class(exchange, endpoint, NO_PARAMS)
        was.refusal = _wrong_body(exchange, endpoint)
        return was

    def _open_stray(self, exchange: Exchange, app: Atila) -> Was:
        """What answers where no app is mounted: a call, or 404."""
        was = None
        if exchange.method == "POST" and app.calls:
            was = self._open_call(exchange, app, exchange.path, None)
        return was or self.refusal(exchange, app, HTTPError(404))

    def wants_body(self, was: Was) -> bool:
        """Whether the engine is to collect the body before `start`.

        Not if the handler reads it, or if it is refused for its length: the client need not send
        it.
        """
        if was.endpoint.streams_body or not was.exchange.has_body():
            return False
        return was.refusal is None or was.refusal.code != 413

    def sink(self, was: Was) -> BodySink:
        """What collects the body of a request, within its limit."""
        endpoint = was.endpoint
        if was.refusal is not None:
            return BodySink(endpoint.max_body, keep=False)
        is_form = media_type(was.exchange.header("content-type")) == MULTIPART_TYPE
        limit = endpoint.max_upload if is_form else endpoint.max_body
        return BodySink(limit, endpoint.app.config.UPLOAD_FOLDER, is_form=is_form)

    def take_body(self, was: Was, sink: BodySink) -> None:
        """Give a request its body, when all of it has been collected; `start` comes next.

        Raises:
            HTTPError: 507, it cannot be stored.
        """
        body = was.exchange.body = sink.finish()
        if sink.is_form or isinstance(body, Spool):
            was.endpoint = was.endpoint.with_uploads()

    async def collect(self, was: Was, pieces: AsyncIterator[bytes], cut: str) -> None:
        """Collect the body of a request and start it, or refuse it. For engines on the task loop.

        Args:
            was: the request.
            pieces: the body; ends in `ClientGone` if it is not whole.
            cut: what to tell the client then.
        """
        sink = self.sink(was)
        try:
            await sink.collect(pieces)
            self.take_body(was, sink)
            self.start(was)
        except HTTPError as fault:
            self.refuse(was, fault)
        except ClientGone:
            sink.close()
            self.refuse(was, HTTPError(400, cut))

    def start(self, was: Was) -> None:
        """Process a request whose body is there: in a worker thread, or on the task loop."""
        endpoint = was.endpoint
        if not endpoint.blocking:
            endpoint.run(was)
        elif not self.pool.submit(endpoint.run, was):
            self.refuse(was, HTTPError(503, "the server is busy", 0, BUSY))

    def refuse(self, was: Was, error: HTTPError) -> None:
        """Answer a request with an error instead of starting it."""
        refused = self.refusal(was.exchange, was.app, error)
        if was.endpoint.fault is not None:
            refused.endpoint = was.endpoint
        # Logs tell of one request, under one id.
        refused._request_id = was.request_id
        if refused.endpoint.blocking:
            self.pool.resubmit(refused.endpoint.run, refused)
        else:
            refused.endpoint.run(refused)

    def refusal(self, exchange: Exchange, app: Atila, error: HTTPError) -> Was:
        exchange.body = b""
        was = app.was_class(exchange, app.refusing, NO_PARAMS)
        was.refusal = error
        return was

    def on_shutdown(self, func: Callable[[], Awaitable[object] | None]) -> None:
        """Have func() called when the site ends: all requests are through by then, and what still
        ran on the task loop is cancelled. The last that was given is the first to be called.

        Args:
            func: blocks shortly at most, or gives an awaitable, which is awaited on the task loop.
        """
        self._closers.append(func)

    def _close_all(self, deadline: float) -> None:
        while self._closers:
            try:
                closing = self._closers.pop()()
                if closing is not None:
                    left = max(CLOSING, deadline - time.monotonic())
                    self.loop.run(_awaited(closing), left)
            except Exception:
                log.exception("closing a part of the site failed")

    def shutdown(self, timeout: float | None = None) -> None:
        """Let running requests end, then leave the apps. Blocks; not to be called on the loop.

        Args:
            timeout: seconds that they have; None for the setting SHUTDOWN_TIMEOUT.
        """
        if self._is_over:
            return
        self._is_over = self.is_draining = True
        if timeout is None:
            timeout = self._shutdown_timeout
        deadline = time.monotonic() + timeout
        if self._maintainer is not None:
            self._maintainer.stop(timeout)
        if not self._is_trial:
            self._announce("before_umount")
        if not self.pool.close(timeout):
            log.warning("requests were still running when the server stopped")
        for mount in self.mounts:
            mount.app.mounting.umount()
        if not self._is_trial:
            self._announce("umounted")
        # What is cancelled now still cleans up, as a part of this site.
        if self._loop is not None:
            self._loop.cancel()
        self._close_all(deadline)
        if self._loop is not None:
            self._loop.stop()
        for mount in self.mounts:
            mount.app.leave()
            mount.app.store.detach(self.shared)
            mount.app.bus.subscribers.clear()
        self.shared.close()


async def _awaited(awaitable: Awaitable[object]) -> None:
    await awaitable


def freeze_gc() -> None:
    """Keep the garbage collector from going through all that a worker process has loaded.

    To be called when it is about to serve. Else each full collection looks at every module, some
    15 ms in which no request is answered, several times a second under load.
    """
    gc.collect()
    gc.freeze()


def _why_no_match(app: Atila, path: str, exchange: Exchange) -> HTTPError:
    router = app.router
    if not exchange.path.startswith("/"):
        return HTTPError(400, "the target of the request is no path")
    if not path and router.match("/", exchange.method) is not None:
        return moved(exchange)
    if allowed := router.allowed(path):
        return HTTPError(405, "", 0, [("allow", ", ".join(allowed))])
    if not path.endswith("/") and router.match(path + "/", exchange.method) is not None:
        return moved(exchange)
    return HTTPError(404)


def _wrong_body(exchange: Exchange, endpoint: Endpoint) -> HTTPError | None:
    """What the head of a request tells that is wrong with its body."""
    if not endpoint.streams_body:
        length = exchange.header("content-length")
        if length is not None and length.isdecimal() and int(length) > endpoint.max_body:
            is_form = media_type(exchange.header("content-type")) == MULTIPART_TYPE
            limit = endpoint.max_upload if is_form else endpoint.max_body
            if int(length) > limit:
                return HTTPError(413, f"a body may have {limit} bytes")
    accepted = endpoint.route.content_types
    if accepted and media_type(exchange.header("content-type")) not in accepted:
        return HTTPError(415, f"the body must be {' or '.join(accepted)}")
    return None


def _wrong_protocol(exchange: Exchange) -> HTTPError:
    if exchange.is_websocket:
        return HTTPError(404, "there is no WebSocket here")
    if not exchange.can_upgrade:
        return HTTPError(501, "this server has no WebSockets")
    return HTTPError(426, "this is a WebSocket", 0, [("upgrade", "websocket")])
