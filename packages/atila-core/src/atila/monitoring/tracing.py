"""Traces by OpenTelemetry's API: a span for each request, and the spans of `runtime/spans.py`.

Names and attributes are those of the semantic conventions for HTTP. A program that serves installs
the SDK and exporters; without these the API makes spans that are not recorded. It is compiled in or
out: a site whose TRACES is False imports and runs nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from atila.errors import SetupError
from atila.http import methods
from atila.http.observation import Observed, Observer
from atila.monitoring.metrics import route_of
from atila.runtime import spans

try:
    from opentelemetry import context, propagate, trace
    from opentelemetry.trace import SpanKind, StatusCode
except ImportError as error:
    raise SetupError(
        "app.config.TRACES needs opentelemetry-api, which is not installed."
        ' Mend: pip install "atila-core[otel]"'
    ) from error

if TYPE_CHECKING:
    from opentelemetry.trace import Span

SCOPE = "atila"
"""The instrumentation scope of the spans."""


class _Headers:
    """Reads the headers of an exchange for propagators."""

    def get(self, carrier: Any, key: str) -> list[str] | None:
        value = carrier.header(key.lower())
        return None if value is None else [value]

    def keys(self, carrier: Any) -> list[str]:
        return [name for name, _ in carrier.headers()]


_headers: Any = _Headers()


class Traces(Observer):
    """Makes spans for the requests of a site.

    The span of a request is the current one in all that runs in its context: handler, hooks, tasks,
    threads, streams. It ends with the answer; of a WebSocket with the handshake.
    """

    def __init__(self) -> None:
        self._tracer = trace.get_tracer(SCOPE)
        spans.active = self

    def close(self) -> None:
        """The site ends."""
        if spans.active is self:
            spans.active = None

    # Requests -----------------------------------------------------------------------------------

    def routed(self, exchange: Observed) -> None:
        """See `Observer`."""
        was = exchange.was
        if was is None:
            return
        parent = propagate.extract(exchange, context.Context(), _headers)
        method = exchange.method if exchange.method in methods.ALL else "_OTHER"
        attributes = _of_request(exchange, method)
        name = "HTTP" if method == "_OTHER" else method
        if route := route_of(was.endpoint):
            attributes["http.route"] = route
            name = f"{name} {route}"
        span = self._tracer.start_span(
            name, parent, SpanKind.SERVER, attributes, start_time=int(exchange.arrived * 1e9)
        )
        exchange.span = span
        was.detach()
        was.variables.run(context.attach, trace.set_span_in_context(span, parent))

    def answered(self, exchange: Observed, status: int, size: int) -> None:
        """See `Observer`."""
        span: Span | None = exchange.span
        if span is None or not span.is_recording():
            return
        span.set_attribute("http.response.status_code", status)
        if size:
            span.set_attribute("http.response.body.size", size)
        if status >= 500:
            span.set_status(StatusCode.ERROR)
            if exchange.error is None:
                span.set_attribute("error.type", str(status))

    def failed(self, exchange: Observed, error: BaseException) -> None:
        """See `Observer`."""
        span: Span | None = exchange.span
        if span is not None and span.is_recording():
            span.record_exception(error)
            span.set_attribute("error.type", _type_of(error))
            span.set_status(StatusCode.ERROR)

    def over(self, exchange: Observed) -> None:
        """See `Observer`."""
        span: Span | None = exchange.span
        if span is not None:
            exchange.span = None
            span.end()

    # For `runtime/spans.py` ---------------------------------------------------------------------

    def client(self, name: str, attributes: spans.Attributes) -> Any:
        """See `Spans`."""
        return self._current(name, SpanKind.CLIENT, attributes)

    def inner(self, name: str, attributes: spans.Attributes) -> Any:
        """See `Spans`."""
        return self._current(name, SpanKind.INTERNAL, attributes)

    @contextmanager
    def _current(
        self, name: str, kind: SpanKind, attributes: spans.Attributes
    ) -> Iterator[_Current]:
        with self._tracer.start_as_current_span(name, kind=kind, attributes=attributes) as span:
            try:
                yield _Current(span)
            except Exception as error:
                span.set_attribute("error.type", _type_of(error))
                raise


class _Current:
    """See `spans.Span`."""

    __slots__ = ("_span", "set_attribute")

    def __init__(self, span: Span) -> None:
        self._span = span
        self.set_attribute: Callable[[str, str | int], None] = span.set_attribute

    def headers(self) -> list[tuple[str, str]]:
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        return [(name.lower(), value) for name, value in carrier.items()]

    def answered(self, status: int) -> None:
        self.set_attribute("http.response.status_code", status)
        if status >= 400:
            self.set_attribute("error.type", str(status))
            self._span.set_status(StatusCode.ERROR)


def _of_request(exchange: Observed, method: str) -> dict[str, str | int]:
    version = exchange.version
    found: dict[str, str | int] = {
        "http.request.method": method,
        "url.scheme": exchange.scheme,
        "url.path": exchange.path,
        "network.protocol.version": version[0] if version[0] != "1" else version,
    }
    if method == "_OTHER":
        found["http.request.method_original"] = exchange.method
    if exchange.query:
        found["url.query"] = exchange.query
    if client := exchange.client[0]:
        found["client.address"] = client
    peer, peer_port = exchange.peer
    if peer:
        found["network.peer.address"], found["network.peer.port"] = peer, peer_port
    server = exchange.header("host") or ""
    name, _, port = server.rpartition(":")
    if name and port.isdecimal():
        found["server.address"], found["server.port"] = name, int(port)
    elif server:
        found["server.address"] = server
    if agent := exchange.header("user-agent"):
        found["user_agent.original"] = agent
    return found


def _type_of(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
