"""gRPC of a real server, which is like the public route guide: unary calls and streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import trustme
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message_factory import GetMessageClass

from atila import Atila, HTTPError, Was
from atila_tasks import (
    STA_NETERR,
    STA_NORMAL,
    STA_REQFAIL,
    STA_TIMEOUT,
    RpcError,
    Unreachable,
)

Fixture = Any
SERVICE = "atila.tests.RouteGuide"


def _describe() -> tuple[Any, Any]:
    """What importing a generated module does: the service becomes known to protobuf."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="atila_tests_route_guide.proto", package="atila.tests", syntax="proto3"
    )
    for name, fields in {
        "Point": [("latitude", field.TYPE_INT32), ("longitude", field.TYPE_INT32)],
        "Feature": [("name", field.TYPE_STRING)],
    }.items():
        message = file.message_type.add(name=name)
        for number, (label, kind) in enumerate(fields, 1):
            message.field.add(name=label, number=number, type=kind, label=field.LABEL_OPTIONAL)
    service = file.service.add(name="RouteGuide")
    for name, takes, gives in [
        ("GetFeature", False, False),
        ("ListFeatures", False, True),
        ("RecordRoute", True, False),
        ("RouteChat", True, True),
    ]:
        service.method.add(
            name=name,
            input_type=".atila.tests.Point",
            output_type=".atila.tests.Feature",
            client_streaming=takes,
            server_streaming=gives,
        )
    pool = descriptor_pool.Default()
    pool.Add(file)
    return tuple(  # type: ignore[return-value]
        GetMessageClass(pool.FindMessageTypeByName(f"atila.tests.{name}"))
        for name in ("Point", "Feature")
    )


Point, Feature = _describe()


class Guide:
    """The service. The latitude of a point says what goes wrong."""

    async def get_feature(self, point: Any, context: Any) -> Any:
        sent = context.invocation_metadata()
        told = dict(sent)
        assert len([name for name, _ in sent if name == "authorization"]) <= 1
        match point.latitude:
            case 404:
                await context.abort(grpc.StatusCode.NOT_FOUND, "inner detail")
            case 504:
                await asyncio.sleep(30)
            case 500:
                raise ValueError("inner")
        names = ("authorization", "x-a", "x-request-id", "b-bin")
        return Feature(name="|".join(str(told.get(name, "")) for name in names))

    async def list_features(self, point: Any, context: Any) -> AsyncIterator[Any]:
        for number in range(point.latitude):
            yield Feature(name=f"{number}" + "x" * point.longitude)

    async def record_route(self, points: AsyncIterator[Any], context: Any) -> Any:
        return Feature(name=str(sum([point.latitude async for point in points])))

    async def route_chat(self, points: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for point in points:
            yield Feature(name=str(point.latitude))


def _handlers() -> Any:
    guide, codec = Guide(), (Point.FromString, Feature.SerializeToString)
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "GetFeature": grpc.unary_unary_rpc_method_handler(guide.get_feature, *codec),
            "ListFeatures": grpc.unary_stream_rpc_method_handler(guide.list_features, *codec),
            "RecordRoute": grpc.stream_unary_rpc_method_handler(guide.record_route, *codec),
            "RouteChat": grpc.stream_stream_rpc_method_handler(guide.route_chat, *codec),
        },
    )


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ports(servers: Fixture, authority: trustme.CA) -> Iterator[tuple[int, int]]:
    """Where the server listens, without TLS and with it."""

    async def start() -> tuple[Any, int, int]:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((_handlers(),))
        clear = server.add_insecure_port("127.0.0.1:0")
        own = authority.issue_cert("localhost")
        chain = b"".join(pem.bytes() for pem in own.cert_chain_pems)
        credentials = grpc.ssl_server_credentials([(own.private_key_pem.bytes(), chain)])
        tls = server.add_secure_port("127.0.0.1:0", credentials)
        await server.start()
        return server, clear, tls

    server, clear, tls = servers.run(start())
    yield clear, tls
    servers.run(server.stop(0))


@pytest.fixture
def guide(app: Atila, ports: tuple[int, int]) -> str:
    app.alias("@guide", "*http", f"u:p@127.0.0.1:{ports[0]}")
    return f"@guide/{SERVICE}"


def test_unary(run: Fixture, guide: str) -> None:
    def use(was: Was) -> Any:
        with was.grpc(guide) as stub:
            # As in the example of the specification: the deadline comes second.
            task = stub.GetFeature(Point(latitude=1), 10.0)
            metadata = {"x-a": "1", "b-bin": b"\x00\xff"}
            other = stub.GetFeature(Point(), metadata=metadata)
        third = was.grpc(guide, auth="token").GetFeature(Point())
        return task.fetch(), other.fetch(), third.fetch(), was.request_id

    first, second, third, request_id = run(use)
    assert isinstance(first, Feature)
    assert first.name == f"Basic dTpw||{request_id}|"
    assert third.name == f"Bearer token||{request_id}|"
    assert second.name == f"Basic dTpw|1|{request_id}|b'\\x00\\xff'"


def test_streams(run: Fixture, guide: str) -> None:
    def use(was: Was) -> Any:
        stub = was.grpc(guide)
        points = [Point(latitude=number) for number in range(5)]

        async def later() -> AsyncIterator[Any]:
            for point in points:
                await asyncio.sleep(0)
                yield point

        return [
            stub.ListFeatures(Point(latitude=3)).fetch(),
            stub.RecordRoute(iter(points)).fetch(),
            stub.RecordRoute(later()).fetch(),
            stub.RouteChat(points, 5.0).fetch(),
            stub.ListFeatures(Point()).fetch(),
        ]

    listed, recorded, also, chat, none = run(use)
    assert [feature.name for feature in listed] == ["0", "1", "2"]
    assert recorded.name == also.name == "10"
    assert [feature.name for feature in chat] == ["0", "1", "2", "3", "4"]
    assert none == []


def test_messages_one_by_one(app: Atila, guide: str) -> None:
    @app.route("/stream")
    async def handler(was: Was, count: int = 3) -> str:
        names = []
        async for feature in was.grpc(guide).ListFeatures.stream(Point(latitude=int(count)), 10.0):
            names.append(feature.name)
            if len(names) == 5:
                break
        points = [Point(latitude=number) for number in range(3)]
        names += [reply.name async for reply in was.grpc.lb(guide).RouteChat.stream(points)]
        with pytest.raises(TypeError, match="one message"):
            _ = [one async for one in was.grpc(guide).GetFeature.stream(Point())]
        return ",".join(names)

    client = app.test_client()
    assert client.get("/stream").text == "0,1,2,0,1,2"
    # The rest of a stream that never ends is not waited for.
    assert client.get("/stream?count=1000000000").text == "0,1,2,3,4,0,1,2"
    assert client.get("/stream?count=0").text == "0,1,2"


def test_errors(ask: Fixture, guide: str) -> None:
    result = ask(lambda was: was.grpc(guide).GetFeature(Point(latitude=404)))
    assert result.status == STA_REQFAIL
    assert isinstance(result.error, RpcError)
    assert (result.error.code, result.error.fault) == (502, "NOT_FOUND")
    assert result.error.reason == "inner detail"
    assert "inner" not in result.error.detail
    result = ask(lambda was: was.grpc(guide).GetFeature(Point(latitude=500)))
    assert (result.status, result.error.fault) == (STA_REQFAIL, "UNKNOWN")


def test_deadline(ask: Fixture, guide: str) -> None:
    result = ask(lambda was: was.grpc(guide).GetFeature(Point(latitude=504), 0.2))
    assert result.status == STA_TIMEOUT
    assert isinstance(result.error, HTTPError)
    assert result.error.code == 504


def test_too_much(app: Atila, ask: Fixture, ports: tuple[int, int]) -> None:
    app.alias("@small", "*http", f"127.0.0.1:{ports[0]}", max_response=10_000)
    address = f"@small/{SERVICE}"
    result = ask(lambda was: was.grpc(address).ListFeatures(Point(latitude=100, longitude=1000)))
    assert result.status == STA_REQFAIL
    assert "more than 10000 bytes" in result.error.report
    result = ask(lambda was: was.grpc(address).ListFeatures(Point(latitude=1, longitude=20_000)))
    assert (result.status, result.error.fault) == (STA_REQFAIL, "RESOURCE_EXHAUSTED")


def test_tls(
    app: Atila, ask: Fixture, ports: tuple[int, int], authority: trustme.CA, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    app.alias("@tls", "*https", f"localhost:{ports[1]}", ca=str(path))
    app.alias("@strange", "*https", f"localhost:{ports[1]}")
    assert ask(lambda was: was.grpc(f"@tls/{SERVICE}").GetFeature(Point())).status == STA_NORMAL
    strange = ask(lambda was: was.grpc(f"@strange/{SERVICE}").GetFeature(Point(), 10))
    assert strange.status == STA_NETERR


def test_members(app: Atila, run: Fixture, ports: tuple[int, int]) -> None:
    app.alias("@two", "*http", ["127.0.0.1:1", f"127.0.0.1:{ports[0]}"])

    def use(was: Was) -> Any:
        address = f"@two/{SERVICE}"
        mapped = was.grpc.map(address).GetFeature(Point()).dispatch()
        one = was.grpc.lb(address).GetFeature(Point()).fetch()
        return [result.status for result in mapped], mapped[0].error, one

    statuses, error, one = run(use)
    assert statuses == [STA_NETERR, STA_NORMAL]
    assert isinstance(error, Unreachable)
    assert isinstance(one, Feature)


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"])
def test_a_server_that_speaks_no_grpc(
    app: Atila, ask: Fixture, answer: Fixture, data: bytes
) -> None:
    app.alias("@none", "*http", f"127.0.0.1:{answer(data)}")
    result = ask(lambda was: was.grpc(f"@none/{SERVICE}").GetFeature(Point(), 5.0))
    assert result.status == STA_NETERR


def test_mistakes(run: Fixture, guide: str) -> None:
    def use(was: Was) -> None:
        with pytest.raises(LookupError, match="_pb2"):
            was.grpc("@guide/no.Service")
        with pytest.raises(AttributeError, match="GetNothing"):
            was.grpc(guide).GetNothing(Point())
        with pytest.raises(TypeError, match="takes atila"):
            was.grpc(guide).GetFeature({"latitude": 1})
        with pytest.raises(TypeError, match="takes atila"):
            was.grpc(guide).RecordRoute([Feature()])
        with pytest.raises(ValueError, match="for aliases"):
            was.grpc(f"http://localhost/{SERVICE}")

    run(use)
