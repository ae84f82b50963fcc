"""The dispatch of a request: its endpoint, its body, its start, or its refusal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from atila.errors import BUSY, HTTPError
from atila.http import observation, proxies
from atila.http.bodies import BodySink, Spool
from atila.http.exchange import ClientGone, Exchange
from atila.http.forms import JSON_TYPE, media_type
from atila.http.methods import READING, SAFE
from atila.http.uploads import MULTIPART_TYPE
from atila.routing.hosts import Hosts, app_at
from atila.routing.router import Found, Match
from atila.runtime.pool import WorkerPool
from atila.serving import compression, departures
from atila.serving.apps import Mount
from atila.serving.static import StaticFiles, moved

if TYPE_CHECKING:
    from atila import Atila, Endpoint, Was
    from atila.http.observation import Observer

Kind = TypeVar("Kind", bound=Exchange)

NO_PARAMS: dict[str, Any] = {}
"""Shared by all requests to rules without parameters; never changed."""


class Dispatch:
    """Finds the endpoints for the requests of a site, and starts them.

    An engine makes its exchanges of the class that `exchange_class` gives. For each it calls
    `open`; then, if `wants_body` says so, `collect`, or `body_collector` and `set_body`; then
    `start`.

    Args:
        pool: the worker threads.
        hosts: the apps by host and mount point.
        files: the static files that are served; None for none.
        observers: called for each request: the access log, the metrics.
        trusted: the setting TRUSTED_PROXIES.
        compresses: whether there are routes whose answers are compressed.

    Attributes:
        open: open(exchange) finds the endpoint for a request, and gives its context. Never blocks,
            never raises: the error of a faulty request is left in the context's `refusal`, and
            `start` answers with it.

    Raises:
        SetupError: TRUSTED_PROXIES makes no sense.
    """

    # Looked up for each request, and a site has more attributes than those that CPython finds
    # without a dict.
    __slots__ = (
        "_compresses",
        "_hosts",
        "_observers",
        "_proxies",
        "_single",
        "files",
        "mounts",
        "open",
        "pool",
    )

    mounts: Sequence[Mount]

    def __init__(
        self,
        pool: WorkerPool,
        hosts: Hosts,
        files: StaticFiles | None,
        observers: Sequence[Observer],
        trusted: Iterable[str],
        *,
        compresses: bool,
    ) -> None:
        self.pool = pool
        self.files = files
        self._hosts = hosts
        self._single: Atila | None = hosts.single
        self._observers = tuple(observers)
        self._proxies = proxies.Proxies(trusted) if trusted else None
        self._compresses = compresses
        # Chosen here, so that sites without observers do nothing for them.
        self.open: Callable[[Exchange], Was] = self._open
        if observers:
            self.open = observation.instrument(self._open)
        if compresses:
            self.open = compression.instrument(self.open, self.refusal)
        if self._proxies is not None:
            # First of all: path and client are what proxies say.
            self.open = proxies.instrument(self.open)

    @property
    def has_proxies(self) -> bool:
        """Whether there are trusted proxies."""
        return self._proxies is not None

    def trusts(self, address: str) -> bool:
        """Whether an address is that of a trusted proxy."""
        return self._proxies is not None and self._proxies.trusts(address)

    def exchange_class(self, kind: type[Kind]) -> type[Kind]:
        """The class of exchanges that an engine is to make; it asks when it starts, once for each
        class that it has.

        Args:
            kind: the engine's class; the result has the same constructor.
        """
        if self._proxies is not None:
            kind = proxies.with_trusted_proxies(kind, self._proxies)
        if self._observers:
            kind = observation.observed(kind, self._observers)
        if self._compresses:
            # Around them: they count the bytes that are sent.
            kind = compression.compressing(kind, self)
        return kind

    def _open(self, exchange: Exchange) -> Was:
        path = exchange.path
        method = exchange.method
        if self.files is not None and method in READING:
            was = self.files.open(exchange, self._hosts)
            if was is not None:
                return was
        app = self._single
        if app is None:
            apps = self._hosts.apps(exchange.host)
            found = app_at(path, apps)
            if found is None:
                last = apps[-1][1] if apps else self.mounts[-1].app
                return self._no_app(exchange, last)
            prefix, app = found
            path = path[len(prefix) :]
        router = app.router
        if method == "GET":
            # As `find` has it, which most need not enter.
            target = router.got.get(path) or router.descend(path, method)
        else:
            target = router.find(path, method)
            if method not in SAFE and (
                app.calls
                or (target is not None and not 0 <= exchange.content_length <= target[0].small_body)
            ):
                was = self._open_unusual(exchange, app, path, target)
                if was is not None:
                    return was
        if target is None:
            return self.refusal(exchange, app, _why_no_match(app, path, exchange))
        endpoint: Endpoint
        endpoint, names, values = target
        if not names:
            params = NO_PARAMS
        elif len(names) == 1:
            params = {names[0]: values[0]}
        else:
            params = dict(zip(names, values, strict=True))
        if endpoint.websocket is not exchange.is_websocket:
            return self.refusal(exchange, app, _wrong_protocol(exchange))
        return endpoint.was_class()._begin(exchange, endpoint, params)

    def _open_unusual(
        self, exchange: Exchange, app: Atila, path: str, target: Found | None
    ) -> Was | None:
        """The context for a request that may be a call, or may not have such a body; None if it is
        like any other.
        """
        if (
            exchange.method == "POST"
            and app.calls
            and (target is None or media_type(exchange.content_type) in app.calls_on_routes)
        ):
            was = self._open_call(exchange, app, path, Match(*target) if target else None)
            if was is not None:
                return was
        if target is not None:
            refusal = _wrong_body(exchange, target[0])
            if refusal is not None:
                return self.refusal(exchange, app, refusal)
        return None

    def _open_call(
        self, exchange: Exchange, app: Atila, path: str, match: Match | None
    ) -> Was | None:
        """The context for a call of a protocol of its own; None if it is no call."""
        find = app.calls.get(media_type(exchange.content_type))
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
        was = app.was_class()._begin(exchange, endpoint, NO_PARAMS)
        was.refusal = _wrong_body(exchange, endpoint)
        return was

    def _no_app(self, exchange: Exchange, app: Atila) -> Was:
        """The context where no app is mounted: of a call, or with a 404."""
        was = None
        if exchange.method == "POST" and app.calls:
            was = self._open_call(exchange, app, exchange.path, None)
        return was or self.refusal(exchange, app, HTTPError(404))

    def wants_body(self, was: Was) -> bool:
        """Whether the engine is to collect the body of a request that has one, before `start`.

        Not if the handler reads it, or if it is refused for its length: the client need not send
        it.
        """
        if was.endpoint.streams_body:
            return False
        return was.refusal is None or was.refusal.code != 413

    def body_collector(self, was: Was) -> BodySink:
        """A collector of the body of a request, within its limit."""
        endpoint = was.endpoint
        if was.refusal is not None:
            return BodySink(endpoint.max_body, keep=False)
        is_form = media_type(was.exchange.content_type) == MULTIPART_TYPE
        limit = endpoint.max_upload if is_form else endpoint.max_body
        return BodySink(limit, endpoint.app.config.UPLOAD_FOLDER, is_form=is_form)

    def set_body(self, was: Was, sink: BodySink) -> None:
        """Give a request its body, when all of it has been collected; `start` comes next.

        Raises:
            HTTPError: 507, it cannot be stored.
        """
        body = was.exchange.body = sink.finish()
        if sink.is_form or isinstance(body, Spool):
            was.endpoint = was.endpoint.with_uploads()

    def short_body(self, was: Was) -> int:
        """How many bytes the body of a request has, if its head announces so few that an engine may
        wait for all of them at once, in place of `collect`; 0 if not, or if `wants_body` says no.
        """
        size = was.exchange.content_length
        if not 0 < size <= was.endpoint.small_body or was.refusal is not None:
            return 0
        kind = was.exchange.content_type
        return 0 if kind != JSON_TYPE and media_type(kind) == MULTIPART_TYPE else size

    async def collect(self, was: Was, pieces: AsyncIterator[bytes], cut: str) -> bool:
        """Collect the body of a request, or refuse it. For engines on the task loop.

        Args:
            was: the request.
            pieces: the body; ends in `ClientGone` if it is not whole.
            cut: the error that the client gets then.

        Returns:
            Whether the request is to be started.
        """
        sink = self.body_collector(was)
        try:
            await sink.collect(pieces)
            self.set_body(was, sink)
        except HTTPError as fault:
            self.refuse(was, fault)
        except ClientGone:
            sink.close()
            self.refuse(was, HTTPError(400, cut))
        else:
            return True
        return False

    def start(self, was: Was) -> None:
        """Process a request whose body is there: in a worker thread, or on the task loop."""
        endpoint = was.endpoint
        if not endpoint.blocking:
            endpoint.run(was)
            return
        was.detach()
        if not self.pool.submit(endpoint.run, was):
            self.refuse_busy(was)

    def refuse_busy(self, was: Was) -> None:
        """Answer a request that finds no room in the queue of the worker threads."""
        self.refuse(was, HTTPError(503, "the server is busy", 0, BUSY))

    def refuse(self, was: Was, error: HTTPError) -> None:
        """Answer a request with an error instead of starting it."""
        refused = self.refusal(was.exchange, was.app, error)
        if was.endpoint.error_writer is not None:
            refused.endpoint = was.endpoint
        # Logs tell of one request, under one id.
        refused._request_id = was.request_id
        if refused.endpoint.blocking:
            refused.detach()
            self.pool.resubmit(refused.endpoint.run, refused)
        else:
            refused.endpoint.run(refused)

    def abandon(self, was: Was) -> None:
        """End a request whose client has left before anything was done for it."""
        departures.abandon(was)

    def without_host(self, was: Was, hosts: int) -> Was:
        """The refusal of a request of HTTP/1 that has not one Host, but so many (RFC 9112, section
        3.2); HTTP/1.0 may do without, and keeps its context.
        """
        if hosts == 0 and was.exchange.version == "1.0":
            return was
        return self.refusal(was.exchange, was.app, HTTPError(400, "one Host header is needed"))

    def refusal(self, exchange: Exchange, app: Atila, error: HTTPError) -> Was:
        """The context of a request that an error answers."""
        exchange.body = b""
        was = app.was_class()._begin(exchange, app.rejection, NO_PARAMS)
        was.refusal = error
        return was


def _why_no_match(app: Atila, path: str, exchange: Exchange) -> HTTPError:
    router = app.router
    if not exchange.full_path.startswith("/"):
        return HTTPError(400, "the target of the request is no path")
    if not path and router.match("/", exchange.method) is not None:
        return moved(exchange)
    if allowed := router.allowed(path):
        return HTTPError(405, "", 0, [("allow", ", ".join(allowed))])
    if not path.endswith("/") and router.match(path + "/", exchange.method) is not None:
        return moved(exchange)
    return HTTPError(404)


def _wrong_body(exchange: Exchange, endpoint: Endpoint) -> HTTPError | None:
    """The error of a request whose head announces an unacceptable body; None for none."""
    if not endpoint.streams_body:
        length = exchange.content_length
        if length > endpoint.max_body:
            is_form = media_type(exchange.content_type) == MULTIPART_TYPE
            limit = endpoint.max_upload if is_form else endpoint.max_body
            if length > limit:
                return HTTPError(413, f"a body may have {limit} bytes")
    accepted = endpoint.route.content_types
    if accepted and media_type(exchange.content_type) not in accepted:
        return HTTPError(415, f"the body must be {' or '.join(accepted)}")
    return None


def _wrong_protocol(exchange: Exchange) -> HTTPError:
    if exchange.is_websocket:
        return HTTPError(404, "there is no WebSocket here")
    if not exchange.can_upgrade:
        return HTTPError(501, "this server has no WebSockets")
    return HTTPError(426, "this is a WebSocket", 0, [("upgrade", "websocket")])
