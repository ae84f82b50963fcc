"""Traces by OpenTelemetry, and reports by Sentry's SDK: with exporters in memory."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
import skitai
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from support.protos import generated

from atila import Atila, Was
from atila.runtime import spans
from atila.testing.waits import PATIENCE, wait_until
from atila_tasks.testing import PostgreSQLServer, RedisServer

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ASKED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}

_exporter = InMemorySpanExporter()


@pytest.fixture(scope="module", autouse=True)
def provider() -> None:
    # A process has one, for good.
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(_exporter))
    trace.set_tracer_provider(provider)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    _exporter.clear()
    return _exporter


@pytest.fixture
def app() -> Atila:
    app = Atila(__name__)
    app.config.TRACES = True
    app.securekey = "a secret of more than 16 characters"
    return app


def ended(exporter: InMemorySpanExporter, count: int) -> list[ReadableSpan]:
    wait_until(lambda: len(exporter.get_finished_spans()) >= count, f"{count} spans ended")
    found = list(exporter.get_finished_spans())
    assert len(found) == count, [span.name for span in found]
    return found


def server_span(found: list[ReadableSpan]) -> ReadableSpan:
    (span,) = (span for span in found if span.kind is SpanKind.SERVER)
    return span


def test_a_request(app: Atila, exporter: InMemorySpanExporter) -> None:
    app.route("/users/<int:id>")(lambda was, id, q: "user")
    app.test_client().get("/users/7?q=1", headers=ASKED)
    (span,) = ended(exporter, 1)
    assert span.name == "GET /users/<int:id>"
    assert span.kind is SpanKind.SERVER
    assert format(span.context.trace_id, "032x") == TRACE
    assert span.parent is not None
    assert format(span.parent.span_id, "016x") == PARENT
    assert span.context.trace_state.get("vendor") == "1"
    expected = {
        "http.request.method": "GET",
        "http.route": "/users/<int:id>",
        "http.response.status_code": 200,
        "url.path": "/users/7",
        "url.query": "q=1",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
    }
    assert expected.items() <= dict(span.attributes or {}).items()
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("asked", ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01", "ff-1-2-3"])
def test_a_malformed_parent_is_left_out(
    app: Atila, exporter: InMemorySpanExporter, asked: str
) -> None:
    app.route("/")(lambda was: "x")
    assert app.test_client().get("/", headers={"traceparent": asked}).status_code == 200
    (span,) = ended(exporter, 1)
    assert span.parent is None


def test_requests_without_a_route_or_of_strange_methods(
    app: Atila, exporter: InMemorySpanExporter
) -> None:
    client = app.test_client()
    client.get("/nowhere")
    client.request("BREW", "/nowhere")
    first, second = ended(exporter, 2)
    assert (first.name, second.name) == ("GET", "HTTP")
    assert (second.attributes or {})["http.request.method_original"] == "BREW"
    assert (first.attributes or {})["http.response.status_code"] == 404
    assert first.status.status_code is StatusCode.UNSET


def _def(was: Was) -> Any:
    raise KeyError("gone")


def _coroutine(was: Was) -> Any:
    yield was.Thread(lambda: None)
    raise KeyError("gone")


async def _async(was: Was) -> Any:
    raise KeyError("gone")


STYLES = {"def": (_def, {}), "coroutine": (_coroutine, {"coroutine": True}), "async": (_async, {})}


@pytest.mark.parametrize("style", STYLES)
def test_errors(app: Atila, exporter: InMemorySpanExporter, style: str) -> None:
    handler, options = STYLES[style]
    app.route("/", **options)(handler)
    assert app.test_client().get("/").status_code == 500
    span = server_span(ended(exporter, 1))
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "KeyError"
    (event,) = span.events
    assert event.name == "exception"


def current_trace() -> str:
    return format(trace.get_current_span().get_span_context().trace_id, "032x")


def test_the_span_is_there_in_all_that_belongs_to_the_request(
    app: Atila, exporter: InMemorySpanExporter
) -> None:
    seen: dict[str, str] = {}

    @app.before_request
    def before(was: Was) -> None:
        seen["hook"] = current_trace()

    @app.route("/def")
    def by_def(was: Was) -> Any:
        seen["def"] = current_trace()
        seen["thread"] = was.Thread(current_trace).fetch()
        return "x"

    @app.route("/coroutine", coroutine=True)
    def coroutine(was: Was) -> Any:
        yield was.Thread(lambda: None)
        seen["coroutine"] = current_trace()
        return "x"

    @app.route("/pieces")
    def pieces(was: Was) -> Iterator[str]:
        seen["pieces"] = current_trace()
        yield "x"

    @app.route("/async")
    async def by_async(was: Was) -> AsyncIterator[str]:
        async def make() -> AsyncIterator[str]:
            seen["async"] = current_trace()
            yield "x"

        return make()

    client = app.test_client()
    for path in ("/def", "/coroutine", "/pieces", "/async"):
        client.get(path, headers=ASKED)
    names = {"hook", "def", "thread", "coroutine", "pieces", "async"}
    assert seen == dict.fromkeys(names, TRACE)


def test_calls_of_other_servers(app: Atila, exporter: InMemorySpanExporter) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer

    asked: list[dict[str, str]] = []

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200 if self.path.startswith("/ok") else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        port = other.server_port
        skitai.alias("@other", skitai.PROTO_HTTP, f"127.0.0.1:{port}")

        @app.route("/<word>")
        def ask(was: Was, word: str) -> str:
            was.get(f"@other/{word}?token=secret").dispatch()
            return "asked"

        client = app.test_client()
        client.get("/ok", headers=ASKED)
        client.get("/none", headers=ASKED)
        other.shutdown()
    found = ended(exporter, 4)
    calls = [span for span in found if span.kind is SpanKind.CLIENT]
    for span, code, headers in zip(calls, (200, 404), asked, strict=True):
        assert span.name == "GET"
        attributes = dict(span.attributes or {})
        assert attributes["http.response.status_code"] == code
        assert attributes["server.address"] == "127.0.0.1"
        assert attributes["server.port"] == port
        assert "secret" not in str(attributes)
        assert headers["traceparent"].split("-")[1:3] == [
            TRACE,
            format(span.context.span_id, "016x"),
        ]
        assert headers["tracestate"] == "vendor=1"
    assert calls[1].status.status_code is StatusCode.ERROR


def test_calls_of_grpc(app: Atila, exporter: InMemorySpanExporter) -> None:
    pb2, pb2_grpc = generated()["route_guide"]
    asked: list[dict[str, Any]] = []

    class Guide(pb2_grpc.RouteGuideServicer):  # type: ignore[name-defined, misc]
        def GetFeature(self, point: Any, context: Any) -> Any:
            asked.append(dict(context.invocation_metadata()))
            if point.latitude:
                context.abort(grpc.StatusCode.NOT_FOUND, "nothing there")
            return pb2.Feature(name="here")

        def ListFeatures(self, area: Any, context: Any) -> Iterator[Any]:
            asked.append(dict(context.invocation_metadata()))
            yield from (pb2.Feature(name=name) for name in "ab")

    with futures.ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        pb2_grpc.add_RouteGuideServicer_to_server(Guide(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        skitai.alias("@guide", skitai.PROTO_HTTP, f"127.0.0.1:{port}")

        @app.route("/<int:latitude>")
        def ask(was: Was, latitude: int) -> str:
            stub = was.grpc("@guide/routeguide.RouteGuide")
            result = stub.GetFeature(pb2.Point(latitude=latitude)).dispatch()
            return str(result.status)

        @app.route("/list")
        async def listed(was: Was) -> str:
            features = was.grpc("@guide/routeguide.RouteGuide").ListFeatures.stream(pb2.Rectangle())
            return "".join([feature.name async for feature in features])

        client = app.test_client()
        client.get("/0", headers=ASKED)
        client.get("/1", headers=ASKED)
        assert client.get("/list", headers=ASKED).text == "ab"
        server.stop(None).wait()
    calls = [span for span in ended(exporter, 6) if span.kind is SpanKind.CLIENT]
    methods = ["GetFeature", "GetFeature", "ListFeatures"]
    codes = ["OK", "NOT_FOUND", "OK"]
    for span, method, code, metadata in zip(calls, methods, codes, asked, strict=True):
        assert span.name == f"routeguide.RouteGuide/{method}"
        assert dict(span.attributes or {}) == {
            "rpc.system.name": "grpc",
            "rpc.method": f"routeguide.RouteGuide/{method}",
            "rpc.response.status_code": code,
            "server.address": "127.0.0.1",
            "server.port": port,
            **({} if code == "OK" else {"error.type": "atila_tasks.core.errors.RpcError"}),
        }
        assert metadata["traceparent"].split("-")[1:3] == [
            TRACE,
            format(span.context.span_id, "016x"),
        ]
    assert calls[1].status.status_code is StatusCode.ERROR


def test_queries(app: Atila, exporter: InMemorySpanExporter, tmp_path: Path) -> None:
    skitai.alias("@traced", skitai.DB_SQLITE3, str(tmp_path / "a.db"))

    @app.route("/")
    def ask(was: Was) -> str:
        with was.db("@traced") as db:
            db.execute("SELECT ? AS a", ("secret",)).fetch()
        with was.db("@traced", transaction=True) as db:
            db.execute("CREATE TABLE t (a)").commit()
        with was.db("@traced") as db:
            db.execute("SELECT nothing").dispatch()
        return "asked"

    app.test_client().get("/")
    found = ended(exporter, 4)
    server = server_span(found)
    calls = [span for span in found if span.kind is SpanKind.CLIENT]
    texts = [(span.attributes or {})["db.query.text"] for span in calls]
    assert texts == ["SELECT ? AS a", "CREATE TABLE t (a)", "SELECT nothing"]
    for span in calls:
        assert (span.attributes or {})["db.system.name"] == "sqlite"
        assert span.parent is not None
        assert span.parent.span_id == server.context.span_id
        assert "secret" not in str(dict(span.attributes or {}))
    assert calls[0].name == "SELECT @traced"
    assert calls[2].status.status_code is StatusCode.ERROR


def test_queries_of_servers(app: Atila, exporter: InMemorySpanExporter, tmp_path: Path) -> None:
    redis = RedisServer(tmp_path)
    with PostgreSQLServer() as postgresql:
        skitai.alias("@traced_redis", skitai.DB_REDIS, f"127.0.0.1:{redis.port}/0")
        skitai.alias("@traced_pg", skitai.DB_PGSQL, postgresql.address)

        @app.route("/")
        async def ask(was: Was) -> str:
            with was.db("@traced_redis") as db:
                await db.set("name", "secret")
            with was.db("@traced_pg") as db:
                await db.execute("SELECT $1::text", ("secret",))
            return "asked"

        with app.test_client() as client:
            assert client.get("/").text == "asked"
    redis.stop()
    calls = [span for span in ended(exporter, 3) if span.kind is SpanKind.CLIENT]
    assert [span.name for span in calls] == ["SET @traced_redis", "SELECT @traced_pg"]
    names = {"db.system.name", "db.operation.name", "db.namespace", "server.address", "server.port"}
    for span, system, port in zip(
        calls, ("redis", "postgresql"), (redis.port, postgresql.port), strict=True
    ):
        attributes = dict(span.attributes or {})
        assert attributes["db.system.name"] == system
        assert attributes["server.port"] == port
        assert names <= attributes.keys()
        assert "secret" not in str(attributes)
        assert postgresql.password not in str(attributes)


def test_websockets_and_methods(app: Atila, exporter: InMemorySpanExporter) -> None:
    @app.route("/talk")
    @app.websocket(skitai.WS_COROUTINE, 60)
    def talk(was: Was) -> Any:
        message = yield was.Input()
        yield f"{message}"

    @app.route("/add", methods=["POST"])
    def add(was: Was, a: int, b: int) -> int:
        return a + b

    @app.route("/later", methods=["POST"])
    async def later(was: Was) -> str:
        return current_trace()

    client = app.test_client()
    with client.websocket("/talk", headers=ASKED) as socket:
        socket.send_message("x")
        assert socket.receive_message() == "x"
    found = ended(exporter, 2)
    talked = next(span for span in found if span.kind is SpanKind.INTERNAL)
    assert talked.name == "websocket /talk"
    assert format(talked.context.trace_id, "032x") == TRACE
    assert (server_span(found).attributes or {})["http.response.status_code"] == 101
    exporter.clear()
    call = [
        {"jsonrpc": "2.0", "id": 1, "method": "add", "params": [1, 2]},
        {"jsonrpc": "2.0", "id": 2, "method": "later"},
    ]
    headers = {**ASKED, "content-type": "application/json-rpc"}
    got = client.post("/rpc2", json.dumps(call), headers=headers)
    assert [each["result"] for each in got.json()] == [3, TRACE]
    found = ended(exporter, 3)
    assert {span.name for span in found if span.kind is SpanKind.INTERNAL} == {"add", "later"}


def test_nothing_of_it_is_imported_where_it_is_off() -> None:
    code = (
        "import sys; from atila import Atila; app = Atila('x');"
        "app.route('/')(lambda was: 'x'); app.test_client().get('/');"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_it_ends_with_its_site(app: Atila) -> None:
    app.route("/")(lambda was: "x")
    app.test_client().get("/")
    assert spans.active is not None
    assert app.site is not None
    app.site.shutdown()
    assert spans.active is None


def test_an_event_stream_is_in_the_span_of_its_request(
    app: Atila, exporter: InMemorySpanExporter
) -> None:
    seen, gate = [], threading.Event()

    @app.route("/updates")
    def updates(was: Was) -> Any:
        def events() -> Iterator[int]:
            for number in range(3):
                seen.append(trace.get_current_span().get_span_context().span_id)
                yield number
                gate.wait(PATIENCE)

        return was.EventStream(events())

    with app.test_client().events("/updates") as stream:
        assert next(stream).data == "0"
        # The span lasts as long as the stream.
        assert not exporter.get_finished_spans()
        gate.set()
        assert [event.data for event in stream] == ["1", "2"]
    (span,) = ended(exporter, 1)
    assert span.name == "GET /updates"
    assert set(seen) == {span.context.span_id}
    assert (span.attributes or {})["http.response.status_code"] == 200


@pytest.mark.parametrize("style", ["def", "async def"])
def test_work_after_the_answer_belongs_to_the_trace(
    app: Atila, exporter: InMemorySpanExporter, style: str
) -> None:
    tracer = trace.get_tracer(__name__)

    def blocking() -> None:
        with tracer.start_as_current_span("mail"):
            pass

    async def waiting() -> None:
        blocking()

    @app.route("/order")
    def order(was: Was) -> str:
        was.after(blocking if style == "def" else waiting)
        return "taken"

    app.test_client().get("/order", headers=ASKED)
    found = {span.name: span for span in ended(exporter, 2)}
    request, mail = found["GET /order"], found["mail"]
    assert mail.context.trace_id == request.context.trace_id
    assert mail.parent is not None
    assert mail.parent.span_id == request.context.span_id
    assert request.end_time is not None
    assert mail.start_time is not None
