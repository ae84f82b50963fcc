"""gRPC: grpcio's client calls handlers, on the port of the server or on one of its own."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from support.grpc_wire import Reply, call
from support.protos import generated
from support.servers import ENGINES, USUAL, Server, serving

from atila.testing.ports import free_port
from atila.testing.waits import PATIENCE, patience

engines = (*USUAL, "hypercorn")

SCRIPT = Path(__file__).with_name("apps") / "grpc_app.py"
SAME_PORT = ("skitai", "hypercorn")
"""Engines that send HTTP/2 trailers."""
GET_FEATURE = "/routeguide.RouteGuide/GetFeature"

guide, guide_stubs = generated()["route_guide"]
interop, interop_stubs = generated()["interop"]
_, odd_stubs = generated()["odd"]

KNOWN = guide.Point(latitude=409146138, longitude=-746188906)
MANAGED = "Berkshire Valley Management Area Trail, Jefferson, NJ, USA"


class Place(NamedTuple):
    """A server, and the port on which it serves gRPC."""

    server: Server
    port: int


@pytest.fixture(scope="module")
def place(engine: str) -> Iterator[Place]:
    """A server of apps/grpc_app.py."""
    with pytest.MonkeyPatch.context() as patch:
        own = None if engine in SAME_PORT else free_port()
        if own:
            patch.setenv("ATILA_GRPC_PORT", f"127.0.0.1:{own}")
        with serving(engine, SCRIPT) as server:
            yield Place(server, own or server.port)


@pytest.fixture(scope="module")
def channel(place: Place) -> Iterator[grpc.Channel]:
    """A connection of grpcio's client, once the server serves gRPC."""
    with grpc.insecure_channel(f"127.0.0.1:{place.port}") as channel:
        grpc.channel_ready_future(channel).result(timeout=PATIENCE)
        yield channel


@pytest.fixture
def server(place: Place) -> Server:
    """The server, for what it logs and for its board."""
    return place.server


@pytest.fixture
def routes(channel: grpc.Channel) -> Any:
    """A stub of the RouteGuide example."""
    return guide_stubs.RouteGuideStub(channel)


@pytest.fixture
def tested(channel: grpc.Channel) -> Any:
    """A stub of the interoperability tests' service."""
    return interop_stubs.TestServiceStub(channel)


@pytest.fixture
def odd(channel: grpc.Channel) -> Any:
    """A stub of the service of what goes wrong."""
    return odd_stubs.OddStub(channel)


def payload(body: bytes) -> Any:
    return interop.Payload(body=body)


# The route guide, whose methods are def, a generator, async def and a coroutine ------------------


def test_unary(routes: Any) -> None:
    assert routes.GetFeature(KNOWN, timeout=PATIENCE) == guide.Feature(name=MANAGED, location=KNOWN)
    nowhere = guide.Point(latitude=1)
    assert routes.GetFeature(nowhere, timeout=PATIENCE) == guide.Feature(location=nowhere)


def test_server_stream(routes: Any) -> None:
    lo = guide.Point(latitude=400000000, longitude=-750000000)
    hi = guide.Point(latitude=420000000, longitude=-730000000)
    found = routes.ListFeatures(guide.Rectangle(lo=lo, hi=hi), timeout=PATIENCE)
    assert [feature.name for feature in found] == [MANAGED, "U.S. 6, Shohola, PA 18458, USA"]
    assert list(routes.ListFeatures(guide.Rectangle(), timeout=PATIENCE)) == []


def test_client_stream(routes: Any) -> None:
    summary = routes.RecordRoute(iter([KNOWN, guide.Point()] * 50), timeout=PATIENCE)
    assert (summary.point_count, summary.feature_count) == (100, 50)
    assert routes.RecordRoute(iter([]), timeout=PATIENCE).point_count == 0


def test_streams_both_ways(routes: Any) -> None:
    notes = [guide.RouteNote(location=KNOWN, message=text) for text in "abc"]
    answers = routes.RouteChat(iter(notes), timeout=PATIENCE)
    assert [note.message for note in answers] == ["a", "a", "b"]


def test_coroutines_with_tasks(odd: Any) -> None:
    assert odd.Task(payload(b"name"), timeout=PATIENCE).body == b"NAME"
    answers = odd.Tasks(payload(b"name"), timeout=PATIENCE)
    assert [answer.body for answer in answers] == [b"NAME", b"Name"]


def test_many_calls_at_once(routes: Any) -> None:
    calls = [routes.GetFeature.future(KNOWN, timeout=PATIENCE) for _ in range(100)]
    assert {call.result().name for call in calls} == {MANAGED}


# The interoperability cases of gRPC ---------------------------------------------------------------


def test_empty_unary(tested: Any) -> None:
    assert tested.EmptyCall(interop.Empty(), timeout=PATIENCE) == interop.Empty()


def large_unary() -> Any:
    return interop.SimpleRequest(response_size=314159, payload=payload(b"\0" * 271828))


def test_large_unary(tested: Any) -> None:
    answer = tested.UnaryCall(large_unary(), timeout=PATIENCE)
    assert answer.payload.body == b"\0" * 314159


def test_client_compressed_unary(tested: Any) -> None:
    answer = tested.UnaryCall(large_unary(), timeout=PATIENCE, compression=grpc.Compression.Gzip)
    assert answer.payload.body == b"\0" * 314159


def test_client_streaming(tested: Any) -> None:
    requests = [
        interop.StreamingInputCallRequest(payload=payload(b"\0" * size))
        for size in (27182, 8, 1828, 45904)
    ]
    answer = tested.StreamingInputCall(iter(requests), timeout=PATIENCE)
    assert answer.aggregated_payload_size == 74922


def test_server_streaming(tested: Any) -> None:
    sizes = [31415, 9, 2653, 58979]
    wanted = [interop.ResponseParameters(size=size) for size in sizes]
    request = interop.StreamingOutputCallRequest(response_parameters=wanted)
    answers = tested.StreamingOutputCall(request, timeout=PATIENCE)
    assert [len(answer.payload.body) for answer in answers] == sizes


def test_ping_pong(tested: Any) -> None:
    pong = threading.Semaphore(0)
    got = []

    def pings() -> Iterator[Any]:
        for sent, wanted in ((27182, 31415), (8, 9), (1828, 2653), (45904, 58979)):
            parameters = [interop.ResponseParameters(size=wanted)]
            yield interop.StreamingOutputCallRequest(
                response_parameters=parameters, payload=payload(b"\0" * sent)
            )
            assert pong.acquire(timeout=PATIENCE)

    for answer in tested.FullDuplexCall(pings(), timeout=PATIENCE):
        got.append(len(answer.payload.body))
        pong.release()
    assert got == [31415, 9, 2653, 58979]


def test_empty_stream(tested: Any) -> None:
    assert list(tested.FullDuplexCall(iter([]), timeout=PATIENCE)) == []


@pytest.mark.parametrize(
    "message",
    [
        "test status message",
        "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n",
        "100% %41 ~",
    ],
)
def test_status_code_and_message(tested: Any, message: str) -> None:
    status = interop.EchoStatus(code=2, message=message)
    with pytest.raises(grpc.RpcError) as caught:
        tested.UnaryCall(interop.SimpleRequest(response_status=status), timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.UNKNOWN
    assert caught.value.details() == message
    request = interop.StreamingOutputCallRequest(response_status=status)
    with pytest.raises(grpc.RpcError) as caught:
        list(tested.FullDuplexCall(iter([request]), timeout=PATIENCE))
    assert caught.value.code() is grpc.StatusCode.UNKNOWN
    assert caught.value.details() == message


def test_unimplemented_method(tested: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        tested.UnimplementedCall(interop.Empty(), timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_unimplemented_service(channel: grpc.Channel) -> None:
    stub = interop_stubs.UnimplementedServiceStub(channel)
    with pytest.raises(grpc.RpcError) as caught:
        stub.UnimplementedCall(interop.Empty(), timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    unknown = channel.unary_unary("/no.such.Service/GetFeature")
    with pytest.raises(grpc.RpcError) as caught:
        unknown(b"", timeout=PATIENCE)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_custom_metadata(tested: Any) -> None:
    sent = (
        ("x-grpc-test-echo-initial", "test_initial_metadata_value"),
        ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"),
    )
    request = interop.SimpleRequest(response_size=1)
    _, answered = tested.UnaryCall.with_call(request, timeout=PATIENCE, metadata=sent)
    assert sent[0] in tuple(answered.initial_metadata())
    assert sent[1] in tuple(answered.trailing_metadata())


# Errors -------------------------------------------------------------------------------------------


def failure(called: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        called()
    return caught.value.code(), caught.value.details()


def test_errors_of_handlers(odd: Any, server: Server) -> None:
    nothing = payload(b"")
    code, text = failure(lambda: odd.Fails(nothing, timeout=PATIENCE))
    assert code is grpc.StatusCode.INTERNAL
    assert "secret" not in text
    assert "KeyError" not in text
    assert "a secret of the server" in server.log()
    code, text = failure(lambda: odd.Refuses(nothing, timeout=PATIENCE))
    assert (code, text) == (grpc.StatusCode.NOT_FOUND, "no spoon: löffel 100%")
    code, _ = failure(lambda: odd.Wrong(nothing, timeout=PATIENCE))
    assert code is grpc.StatusCode.INTERNAL
    assert "odd.Odd.Wrong answers with grpc.testing.Payload, not Empty" in server.log()


def test_access_control_holds_for_calls(odd: Any) -> None:
    code, text = failure(lambda: odd.Now(payload(b""), timeout=PATIENCE))
    assert (code, text) == (grpc.StatusCode.PERMISSION_DENIED, "not for you")
    assert odd.Now(payload(b""), timeout=PATIENCE, metadata=(("x-staff", "yes"),)).type >= 0


def test_error_after_a_message(odd: Any) -> None:
    answers = odd.Breaks(payload(b""), timeout=PATIENCE)
    assert next(answers).body == b"one"
    assert failure(lambda: next(answers)) == (grpc.StatusCode.ABORTED, "broken in the middle")


def test_a_message_too_large(tested: Any) -> None:
    request = interop.SimpleRequest(payload=payload(b"\0" * 5 * 1024 * 1024))
    code, _ = failure(lambda: tested.UnaryCall(request, timeout=PATIENCE))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert tested.EmptyCall(interop.Empty(), timeout=PATIENCE) == interop.Empty()


def test_deadline(odd: Any, server: Server, name: str) -> None:
    code, _ = failure(lambda: odd.Sleeps(payload(name.encode()), timeout=0.3))
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    server.board.open(name)


def test_deadline_ends_the_handler(odd: Any, server: Server, name: str) -> None:
    code, _ = failure(lambda: odd.Waits(payload(name.encode()), timeout=0.5))
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    server.board.wait_count(f"{name}-ended")


def test_a_handler_ends_when_its_client_leaves(odd: Any, server: Server, name: str) -> None:
    waiting = odd.Waits.future(payload(name.encode()), timeout=PATIENCE)
    server.board.wait_count(f"{name}-begun")
    waiting.cancel()
    server.board.wait_count(f"{name}-ended")


def test_a_stream_waits_for_its_client_and_ends_with_it(
    place: Place, server: Server, name: str
) -> None:
    # A connection of its own, whose window is not moved by others.
    with grpc.insecure_channel(f"127.0.0.1:{place.port}") as channel:
        pouring = odd_stubs.OddStub(channel).Pours(payload(name.encode()), timeout=PATIENCE)
        assert len(next(pouring).body) == 65536
        # 64 KiB each: what is sent ahead is bounded by buffers and the windows of HTTP/2, of which
        # grpcio's own grows to some 20 MiB. Without a bound it was 5000 in half a second.
        assert server.board.stalled_count(name) < 1000
        pouring.cancel()
        server.board.wait_count(f"{name}-ended")


@pytest.mark.parametrize("method", ["Floods", "Holds"])
def test_a_handler_that_takes_nothing_ends_when_its_client_leaves(
    odd: Any, server: Server, name: str, method: str
) -> None:
    leaving = threading.Event()

    def messages() -> Iterator[Any]:
        yield payload(name.encode())
        leaving.wait(PATIENCE)

    answers = getattr(odd, method)(messages(), timeout=PATIENCE)
    next(answers)
    answers.cancel()
    try:
        server.board.wait_count(f"{name}-ended")
    finally:
        leaving.set()


def test_a_client_waits_for_the_handler(odd: Any, server: Server, name: str) -> None:
    leaving = threading.Event()

    def messages() -> Iterator[Any]:
        yield payload(name.encode())
        while not leaving.is_set():
            server.board.note(f"{name}-sent")
            yield payload(b"\0" * 65536)

    counting = odd.Counts.future(messages(), timeout=PATIENCE)
    server.board.wait_count(f"{name}-sent")
    # 64 KiB each: what is taken ahead is bounded by the windows of HTTP/2, of which grpcio's own
    # grows to some 20 MiB, and by buffers.
    assert server.board.stalled_count(f"{name}-sent") < 1000
    leaving.set()
    server.board.open(name)
    assert counting.result().type == server.board.count(f"{name}-sent")


# Health and reflection ----------------------------------------------------------------------------


def test_health(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", "routeguide.RouteGuide", "grpc.testing.TestService"):
        request = health_pb2.HealthCheckRequest(service=service)
        assert (
            stub.Check(request, timeout=PATIENCE).status == health_pb2.HealthCheckResponse.SERVING
        )
    unknown = health_pb2.HealthCheckRequest(service="no.such.Service")
    assert failure(lambda: stub.Check(unknown, timeout=PATIENCE))[0] is grpc.StatusCode.NOT_FOUND
    watching = stub.Watch(unknown, timeout=PATIENCE)
    assert next(watching).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watching.cancel()


def test_reflection(channel: grpc.Channel) -> None:
    database = ProtoReflectionDescriptorDatabase(channel)
    services = set(database.get_services())
    assert {"routeguide.RouteGuide", "grpc.testing.TestService", "odd.Odd"} <= services
    assert "grpc.testing.UnimplementedService" not in services
    described = database.FindFileContainingSymbol("routeguide.RouteGuide")
    assert [service.name for service in described.service] == ["RouteGuide"]


# Bytes that no client of gRPC sends --------------------------------------------------------------


def bare(place: Place, data: bytes, *headers: tuple[str, str], **options: Any) -> Reply:
    return call(place.port, options.pop("path", GET_FEATURE), data, headers, **options)


def framed(message: bytes, flag: int = 0, size: int | None = None) -> bytes:
    return bytes([flag]) + (len(message) if size is None else size).to_bytes(4, "big") + message


POINT = KNOWN.SerializeToString()
BOMB = gzip.compress(b"\0" * 64 * 1024 * 1024)
GZIP = ("grpc-encoding", "gzip")


BAD = [
    ("truncated head", b"\0\0\0", (), 13),
    ("truncated message", framed(POINT, size=100), (), 13),
    ("too large", framed(b"", size=2**32 - 1), (), 8),
    ("too large", framed(b"", size=4 * 1024 * 1024 + 1), (), 8),
    ("bad flag", framed(POINT, flag=2), (), 13),
    ("compressed without an encoding", framed(POINT, flag=1), (), 13),
    ("no gzip", framed(POINT, flag=1), (GZIP,), 13),
    ("cut gzip", framed(gzip.compress(POINT)[:-9], flag=1), (GZIP,), 13),
    ("gzip bomb", framed(BOMB, flag=1), (GZIP,), 8),
    ("unknown encoding", framed(POINT), (("grpc-encoding", "snappy"),), 12),
    ("no message", b"", (), 12),
    ("two messages", framed(POINT) * 2, (), 12),
    ("no protobuf", framed(b"\xff\xff\xff"), (), 13),
    ("malformed timeout", framed(POINT), (("grpc-timeout", "soon"),), 13),
    ("timeout of nothing", framed(POINT), (("grpc-timeout", "0n"),), 4),
]


def our_own(test: Any) -> Any:
    """For what grpcio does by itself on its port: frames, compression, types of content."""
    for engine in set(ENGINES) - set(SAME_PORT):
        test = pytest.mark.unable(engine, "grpcio reads and writes the frames of its port")(test)
    return test


@our_own
@pytest.mark.parametrize(("what", "data", "headers", "status"), BAD, ids=[bad[0] for bad in BAD])
def test_bad_frames(place: Place, what, data, headers, status) -> None:
    reply = bare(place, data, *headers)
    assert reply.headers[":status"] == "200"
    assert reply.status == status, reply.message


def test_frames_in_order(place: Place) -> None:
    for headers, data in (((), framed(POINT)), ((GZIP,), framed(gzip.compress(POINT), 1))):
        reply = bare(place, data, *headers)
        assert (reply.status, reply.headers["content-type"]) == (0, "application/grpc")
        assert guide.Feature.FromString(reply.data[5:]).name == MANAGED


@our_own
def test_answers_are_compressed_as_questions_are(place: Place) -> None:
    request = framed(
        gzip.compress(interop.SimpleRequest(response_size=5000).SerializeToString()), 1
    )
    path = "/grpc.testing.TestService/UnaryCall"
    reply = bare(place, request, GZIP, ("grpc-accept-encoding", "identity,gzip"), path=path)
    assert (reply.data[0], reply.headers["grpc-encoding"]) == (1, "gzip")
    answer = interop.SimpleResponse.FromString(gzip.decompress(reply.data[5:]))
    assert len(answer.payload.body) == 5000
    plain = bare(place, request, GZIP, path=path)
    assert (plain.data[0], "grpc-encoding" in plain.headers) == (0, False)


def test_deadline_is_kept_by_the_server(place: Place, server: Server, name: str) -> None:
    data = framed(payload(name.encode()).SerializeToString())
    reply = bare(place, data, ("grpc-timeout", "300m"), path="/odd.Odd/Sleeps")
    assert reply.status == 4
    server.board.open(name)


def test_deadline_of_a_handler_that_waits_for_a_message(place: Place, routes: Any) -> None:
    # The client neither sends another message nor ends its stream.
    path = "/grpc.testing.TestService/FullDuplexCall"
    started = time.monotonic()
    reply = bare(place, framed(b""), ("grpc-timeout", "300m"), path=path, end=False)
    assert reply.status == 4
    assert time.monotonic() - started < patience(10)
    assert routes.GetFeature(KNOWN, timeout=PATIENCE).name == MANAGED


@our_own
def test_wrong_content_type(place: Place) -> None:
    for kind in ("application/grpc+json", "text/plain", "application/grpcx"):
        reply = bare(place, framed(POINT), content_type=kind)
        assert reply.headers[":status"] == "415"
    assert bare(place, framed(POINT), content_type="application/grpc+proto").status == 0


def test_messages_with_odd_percent_signs_arrive(place: Place) -> None:
    # What is sent to us is never decoded; what we send always can be.
    reply = bare(place, b"", ("grpc-message", "%zz%4"), path="/odd.Odd/None%zz")
    assert reply.status == 12


@pytest.mark.unable("skitai", "it sends trailers")
@pytest.mark.unable("hypercorn", "it sends trailers")
def test_a_server_without_trailers_says_so(place: Place, engine: str) -> None:
    headers = {"Content-Type": "application/grpc", "TE": "trailers"}
    with httpx.Client(base_url=place.server.url(""), timeout=PATIENCE) as client:
        answer = client.post(GET_FEATURE, content=framed(POINT), headers=headers)
    assert answer.headers["grpc-status"] == "12"
    assert "--grpc-port" in answer.headers["grpc-message"]
    if engine == "granian":
        with grpc.insecure_channel(f"127.0.0.1:{place.server.port}") as channel:
            stub = guide_stubs.RouteGuideStub(channel)
            code, text = failure(lambda: stub.GetFeature(KNOWN, timeout=PATIENCE))
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert "--grpc-port" in text


@our_own
@pytest.mark.memory
def test_memory_under_attack(place: Place, routes: Any) -> None:
    def attack(times: int) -> None:
        for _ in range(times):
            for _, data, headers, _ in BAD:
                bare(place, data, *headers)

    attack(3)
    before = place.server.resident()
    attack(15)
    assert place.server.resident() - before < 40 * 1024 * 1024
    assert routes.GetFeature(KNOWN, timeout=PATIENCE).name == MANAGED


def test_plain_http_goes_on(server: Server) -> None:
    assert server.get("/").text == "ready"
