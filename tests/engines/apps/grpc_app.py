"""Methods of gRPC services, each in the way of a handler of its own."""

from __future__ import annotations

import asyncio
import os
import time

import interop_pb2
import odd_pb2  # noqa: F401 - its service is known by that
import route_guide_pb2
import skitai
from support.board import Board

from atila import Atila
from atila_render import GrpcError

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)
app.config.GRPC_REFLECTION = True
app.config.SHUTDOWN_TIMEOUT = float(os.environ.get("ATILA_TEST_PATIENCE", "30"))

db = {
    (409146138, -746188906): "Berkshire Valley Management Area Trail, Jefferson, NJ, USA",
    (413628156, -749015468): "U.S. 6, Shohola, PA 18458, USA",
    (419999544, -740371136): "",
}


@app.route("/")
def index(was):
    return "ready"


def get_feature(db, point):
    name = db.get((point.latitude, point.longitude))
    return None if name is None else route_guide_pb2.Feature(name=name, location=point)


# As it stands in the specification.
@app.route("/GetFeature")
def GetFeature(was, point):
    feature = get_feature(db, point)
    if feature is None:
        return route_guide_pb2.Feature(name="", location=point)
    else:
        return feature


@app.route("/ListFeatures")
def ListFeatures(was, rectangle):
    lo, hi = rectangle.lo, rectangle.hi
    for (latitude, longitude), name in db.items():
        inside = lo.latitude <= latitude <= hi.latitude
        if inside and lo.longitude <= longitude <= hi.longitude and name:
            location = route_guide_pb2.Point(latitude=latitude, longitude=longitude)
            yield route_guide_pb2.Feature(name=name, location=location)


@app.route("/RecordRoute")
async def RecordRoute(was, points):
    count = features = 0
    async for point in points:
        count += 1
        features += bool(db.get((point.latitude, point.longitude)))
    return route_guide_pb2.RouteSummary(point_count=count, feature_count=features)


@app.route("/RouteChat", coroutine=True)
def RouteChat(was, notes):
    seen = []
    while True:
        note = yield was.Input()
        if note is None:
            break
        for earlier in seen:
            if earlier.location == note.location:
                yield earlier
        seen.append(note)


# The interoperability cases -----------------------------------------------------------------------

PREFIX = "/grpc.testing.TestService"


def payload(size):
    return interop_pb2.Payload(body=b"\0" * size)


def check_status(request):
    if request.response_status.code:
        raise GrpcError(request.response_status.code, request.response_status.message)


@app.route(f"{PREFIX}/EmptyCall")
def empty_call(was, request):
    return interop_pb2.Empty()


@app.route(f"{PREFIX}/UnaryCall")
def unary_call(was, request):
    check_status(request)
    initial = was.request.get_header("x-grpc-test-echo-initial")
    if initial:
        was.response.set_header("x-grpc-test-echo-initial", initial)
    trailing = was.request.get_header("x-grpc-test-echo-trailing-bin")
    if trailing:
        was.response.add_trailer("x-grpc-test-echo-trailing-bin", trailing)
    return interop_pb2.SimpleResponse(payload=payload(request.response_size))


@app.route(f"{PREFIX}/StreamingOutputCall")
async def streaming_output_call(was, request):
    for wanted in request.response_parameters:
        yield interop_pb2.StreamingOutputCallResponse(payload=payload(wanted.size))


@app.route(f"{PREFIX}/StreamingInputCall")
def streaming_input_call(was, requests):
    size = sum(len(request.payload.body) for request in requests)
    return interop_pb2.StreamingInputCallResponse(aggregated_payload_size=size)


@app.route(f"{PREFIX}/FullDuplexCall")
def full_duplex_call(was, requests):
    for request in requests:
        check_status(request)
        for wanted in request.response_parameters:
            yield interop_pb2.StreamingOutputCallResponse(payload=payload(wanted.size))


# What goes wrong, under the names of a service of the tests' own ----------------------------------


@app.route("/odd.Odd/Fails")
def fails(was, request):
    raise KeyError("a secret of the server")


@app.route("/odd.Odd/Refuses")
def refuses(was, request):
    raise was.Error("404 Not Found", "no spoon: löffel 100%", 40401)


@app.route("/odd.Odd/Breaks")
def breaks(was, request):
    yield interop_pb2.Payload(body=b"one")
    raise was.Error(409, "broken in the middle")


@app.route("/odd.Odd/Wrong")
def wrong(was, request):
    return interop_pb2.Empty()


@app.route("/odd.Odd/Sleeps")
def sleeps(was, request):
    board.pass_gate(request.body.decode())
    return request


@app.route("/odd.Odd/Pours")
async def pours(was, request):
    """Sends without end, and notes each message, and its own end."""
    name = request.body.decode()
    try:
        while True:
            yield interop_pb2.Payload(body=b"\0" * 65536)
            board.note(name)
    finally:
        board.note(f"{name}-ended")


@app.route("/odd.Odd/Waits")
async def waits(was, request):
    name = request.body.decode()
    board.note(f"{name}-begun")
    try:
        await asyncio.sleep(60)
    finally:
        board.note(f"{name}-ended")


@app.route("/odd.Odd/Counts")
def counts(was, requests):
    """Takes no message before a gate is open, and counts those that come."""
    first = next(requests)
    board.pass_gate(first.body.decode())
    count = sum(1 for _ in requests)
    return interop_pb2.Payload(type=count)


@app.route("/odd.Odd/Tasks", coroutine=True)
def tasks(was, request):
    for function in (bytes.upper, bytes.title):
        task = yield was.Thread(function, args=(request.body,))
        yield interop_pb2.Payload(body=task.fetch())


@app.route("/odd.Odd/Task", coroutine=True)
def task(was, request):
    task = yield was.Thread(bytes.upper, args=(request.body,))
    return interop_pb2.Payload(body=task.fetch())


@app.route("/odd.Odd/Floods")
async def floods(was, requests):
    """Sends without end, and never looks whether the client sends any more."""
    name = (await requests.get()).body.decode()
    try:
        while True:
            yield interop_pb2.Payload(body=b"\0" * 65536)
            await asyncio.sleep(0)
    finally:
        board.note(f"{name}-ended")


@app.route("/odd.Odd/Holds")
async def holds(was, requests):
    """Neither sends nor takes anything."""
    name = (await requests.get()).body.decode()
    try:
        yield interop_pb2.Payload(body=b"begun")
        await asyncio.sleep(60)
    finally:
        board.note(f"{name}-ended")


@app.permission_handler
def permit(was, permissions):
    if was.request.get_header("x-staff") != "yes":
        raise was.Error("403 Forbidden", "not for you")
    was.request.user = "a member of the staff"


@app.route("/odd.Odd/Now")
@app.permission_required(["staff"])
def now(was, request):
    return interop_pb2.Payload(type=int(time.time()) & 0xFF)


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000)
