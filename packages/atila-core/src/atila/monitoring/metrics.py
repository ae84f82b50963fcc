"""Counts requests and resources, and serves the counts as a page for Prometheus.

Names and labels are those of OpenTelemetry's semantic conventions for HTTP servers, as Prometheus
spells them. Values of a label are a bounded set, whatever clients send: the rule of a route, never
a path.

The library is prometheus_client; other metrics in its default registry are on the page, too. Where
several processes serve together (`server_run.py`) each has its numbers in files of one folder, and
the one that answers adds them up: see `metrics_files.py`. It is compiled in or out: a site whose
METRICS_PATH is None runs no line of this module for a request.
"""

from __future__ import annotations

import functools
import importlib.util
import threading
from collections import deque
from collections.abc import Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atila.errors import BUSY, HTTPError, SetupError
from atila.http import methods
from atila.http.observation import Observed, Observer
from atila.routing.router import Route
from atila.runtime.offload import in_pool
from atila.runtime.pool import WorkerPool

if TYPE_CHECKING:
    from prometheus_client import Gauge, Histogram

    from atila import Atila, Endpoint, Was
    from atila.http.exchange import WebSocketTransport

SAMPLED = 1.0
"""Seconds between two samples of the gauges, for the page of another worker."""
WAITING = 16
"""Requests for the page that may wait for another; a further one is refused with 503."""

_LABELS = ("http_request_method", "http_route", "http_response_status_code")


def route(app: Atila) -> Route:
    """The route at the path of the setting METRICS_PATH, for hooks and layers of the app to apply.

    Raises:
        SetupError: prometheus_client is not installed.
    """
    # Not imported yet: that comes after its environment variable is set.
    if importlib.util.find_spec("prometheus_client") is None:
        raise SetupError(
            "app.config.METRICS_PATH needs prometheus_client, which is not installed."
            ' Mend: pip install "atila-core[metrics]"'
        )
    return Route(app.config.METRICS_PATH, _show, ("GET",), automatic=True)


async def _show(was: Was) -> Any:
    # On the loop up to here, and in a thread of its own from here: when all worker threads are
    # taken is when the numbers are wanted.
    metrics = was.site.metrics
    if metrics is None:
        raise HTTPError(404)
    if metrics.pool.is_full:
        raise HTTPError(503, "the server is busy", 0, BUSY)
    accepted = was.exchange.header("accept") or ""
    kind, page = await in_pool(metrics.pool, was, metrics.page, accepted)
    return was.response(200, page, {"content-type": kind, "cache-control": "no-store"})


@dataclass(frozen=True, slots=True)
class _Names:
    """The metrics."""

    durations: Histogram
    active: Gauge
    queued: Gauge
    threads: Gauge
    sockets: Gauge
    streams: Gauge


@functools.cache
def _names() -> _Names:
    """The metrics; made once for a process, as the registry is.

    Raises:
        SetupError: the app has a metric of one of these names.
    """
    from prometheus_client import Gauge, Histogram

    def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, text, labels, multiprocess_mode="livesum")

    try:
        return _Names(
            # Its buckets, up to 10 s, are those that OpenTelemetry recommends.
            Histogram(
                "http_server_request_duration_seconds",
                "Requests that were answered, and how long it took from head to answer.",
                _LABELS,
            ),
            gauge("http_server_active_requests", "Requests that are not answered yet."),
            gauge("atila_queued_requests", "Requests that wait for a worker thread."),
            gauge("atila_worker_threads", "Worker threads, busy and idle.", ("state",)),
            gauge("atila_open_websockets", "WebSockets that are open."),
            gauge("atila_open_event_streams", "Event streams that are being sent."),
        )
    except ValueError as error:
        raise SetupError(
            f"a metric of the app has a name that METRICS_PATH uses itself; rename it: {error}"
        ) from None


class Metrics(Observer):
    """Counts the requests of a site, and makes the page.

    Args:
        workers: the worker threads of the site.
        streams: its event streams that are being sent.

    Attributes:
        pool: the thread that makes pages.

    Raises:
        SetupError: see `_names`; or the folder of the environment variable cannot be used.
    """

    def __init__(self, workers: WorkerPool, streams: Sized) -> None:
        from atila.monitoring import metrics_files

        self._workers = workers
        self._streams = streams
        folder = metrics_files.share()
        self._names = _names()
        self._registry = metrics_files.registry(folder)
        self._observe: dict[Any, Any] = {}
        # One element for each; appending and popping are atomic, as adding is not.
        self._active: deque[None] = deque()
        self._sockets: set[WebSocketTransport] = set()
        self.pool = WorkerPool(1, WAITING, "atila-metrics", one_thread_per_job=True)
        self._is_closed = threading.Event()
        self._is_shared = folder is not None
        threading.Thread(target=self._watch, name="atila-samples", daemon=True).start()

    def opened(self, exchange: Observed) -> None:
        """See `Observer`."""
        self._active.append(None)

    def over(self, exchange: Observed) -> None:
        """See `Observer`."""
        self._active.pop()

    def answered(self, exchange: Observed, status: int, size: int) -> None:
        """See `Observer`."""
        was = exchange.was
        if was is None:
            return
        endpoint = was.endpoint
        route = endpoint.route
        key = (endpoint.app, route.rule, route.name, exchange.method, status)
        try:
            observe = self._observe[key]
        except KeyError:
            observe = self._child(endpoint, exchange.method, status)
            if exchange.method in methods.ALL:
                self._observe[key] = observe
        observe(exchange.took)

    def _child(self, endpoint: Endpoint, method: str, status: int) -> Any:
        known = method if method in methods.ALL else "_OTHER"
        return self._names.durations.labels(known, route_of(endpoint), status).observe

    def accepted(self, exchange: Observed, transport: WebSocketTransport) -> None:
        """See `Observer`."""
        self._sockets.add(transport)

    def page(self, accepted: str) -> tuple[str, bytes]:
        """The page of all workers.

        Args:
            accepted: the header Accept.

        Returns:
            Its Content-Type and itself: OpenMetrics if that is accepted, else Prometheus' text.
        """
        from prometheus_client.exposition import choose_encoder

        self.sample()
        encode, kind = choose_encoder(accepted)
        return kind, encode(self._registry)

    def sample(self) -> None:
        """Set the gauges."""
        names, (busy, idle, waiting) = self._names, self._workers.threads
        self._forget_closed()
        names.active.set(len(self._active))
        names.queued.set(self._workers.waiting)
        names.threads.labels("busy").set(busy)
        names.threads.labels("idle").set(idle)
        names.threads.labels("waiting").set(waiting)
        names.sockets.set(len(self._sockets))
        names.streams.set(len(self._streams))

    def _forget_closed(self) -> None:
        closed = [socket for socket in tuple(self._sockets) if socket.close_code is not None]
        self._sockets.difference_update(closed)

    def _watch(self) -> None:
        # The page of this process alone is always fresh; that of another needs to be informed.
        look = self.sample if self._is_shared else self._forget_closed
        while not self._is_closed.wait(SAMPLED):
            look()

    def close(self) -> None:
        """The process ends, and no longer counts among those that live."""
        from atila.monitoring import metrics_files

        self._is_closed.set()
        metrics_files.leave()


def route_of(endpoint: Endpoint) -> str:
    """The label of a route: its rule with the mount point before it; "" where none matched.

    Endpoints without a rule have a name: static files their URL, calls their protocol.
    """
    route = endpoint.route
    if not route.rule and not route.source:
        return route.name
    return endpoint.app.mount_prefix + route.rule or "/"
