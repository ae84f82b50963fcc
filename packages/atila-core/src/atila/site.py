"""The site: what a server process serves, which apps where, and where their work runs."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atila.bodies import BodySink, Spool
from atila.errors import HTTPError, SetupError
from atila.exchange import Exchange
from atila.forms import media_type
from atila.loop import TaskLoop
from atila.pool import WorkerPool
from atila.static import READING, StaticFiles, moved
from atila.uploads import MULTIPART_TYPE

if TYPE_CHECKING:
    from atila.app import Atila
    from atila.endpoint import Endpoint
    from atila.was import Was

log = logging.getLogger("atila.site")

NO_PARAMS: dict[str, Any] = {}
"""Shared by all requests to rules without parameters; never changed."""

_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
BUSY = [("retry-after", "1")]
"""A client refused for overload may come again after a second."""


@dataclass(frozen=True, slots=True)
class Mount:
    """An app at a mount point.

    Attributes:
        point: the path it is mounted on: "/" or "/shop".
        app: the app.
        name: what other apps call it.
    """

    point: str
    app: Atila
    name: str = ""

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

    Raises:
        SetupError: two apps have one mount point, or an app has a mistake in it.
    """

    def __init__(
        self, mounts: Sequence[Mount], threads: int | None = None, queue_size: int | None = None
    ) -> None:
        if not mounts:
            raise SetupError('nothing is mounted; write skitai.mount("/", app)')
        points = [mount.prefix for mount in mounts]
        for point in points:
            if point and not point.startswith("/"):
                raise SetupError(f'the mount point {point!r} must begin with a slash: "/{point}"')
            if points.count(point) > 1:
                raise SetupError(f"two apps are mounted on {point or '/'!r}; move one of them")
        self.mounts = sorted(mounts, key=lambda mount: len(mount.prefix), reverse=True)
        config = mounts[0].app.config
        self.pool = WorkerPool(threads or config.THREADS, queue_size or config.QUEUE_SIZE)
        self._shutdown_timeout: float = config.SHUTDOWN_TIMEOUT
        self._loop: TaskLoop | None = None
        self._making = threading.Lock()
        for mount in mounts:
            mount.app.enter(self, mount.prefix)
        self.static = StaticFiles(mount.app for mount in mounts)
        # None, where there are none, costs a request the least.
        self.files = self.static if self.static.roots else None

    @property
    def loop(self) -> TaskLoop:
        """The task loop; one in a thread of its own, unless the server's was adopted."""
        if self._loop is None:
            with self._making:
                if self._loop is None:
                    self._loop = TaskLoop.in_thread()
        return self._loop

    def adopt_loop(self, loop: asyncio.AbstractEventLoop) -> TaskLoop:
        """Make the running loop of the server the task loop. To be called on that loop."""
        if self._loop is None or self._loop.loop is not loop:
            self._loop = TaskLoop(loop)
        return self._loop

    def open(self, exchange: Exchange) -> Was:
        """Find what answers a request. Never blocks, never raises: what is wrong with the request
        is left in the context's `refusal`, and `start` answers with it.
        """
        path = exchange.path
        method = exchange.method
        if self.files is not None and method in READING:
            was = self.files.open(exchange)
            if was is not None:
                return was
        for mount in self.mounts:
            prefix = mount.prefix
            if not prefix:
                break
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
                path = path[len(prefix) :]
                break
        else:
            return self.refusal(exchange, self.mounts[-1].app, HTTPError(404))
        app = mount.app
        match = app.router.match(path, method)
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
        if refused.endpoint.blocking:
            self.pool.resubmit(refused.endpoint.run, refused)
        else:
            refused.endpoint.run(refused)

    def refusal(self, exchange: Exchange, app: Atila, error: HTTPError) -> Was:
        exchange.body = b""
        was = app.was_class(exchange, app.refusing, NO_PARAMS)
        was.refusal = error
        return was

    def shutdown(self, timeout: float | None = None) -> None:
        """Let running requests end, then leave the apps. Blocks; not to be called on the loop.

        Args:
            timeout: seconds that they have; None for the setting SHUTDOWN_TIMEOUT.
        """
        if timeout is None:
            timeout = self._shutdown_timeout
        if not self.pool.close(timeout):
            log.warning("requests were still running when the server stopped")
        # What is cancelled now still cleans up, as a part of this site.
        if self._loop is not None:
            self._loop.stop()
        for mount in self.mounts:
            mount.app.leave()


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
