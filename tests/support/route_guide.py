"""A gRPC service like the public route guide, described without generated code.

Importing this does what importing a generated module does: protobuf knows the service.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message_factory import GetMessageClass

SERVICE = "atila.calls.RouteGuide"
_Field = descriptor_pb2.FieldDescriptorProto
_METHODS = {
    "GetFeature": (False, False),
    "ListFeatures": (False, True),
    "RecordRoute": (True, False),
    "RouteChat": (True, True),
}


def _describe() -> tuple[Any, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="atila_calls_route_guide.proto", package="atila.calls", syntax="proto3"
    )
    for name, fields in {
        "Point": [("latitude", _Field.TYPE_INT32), ("longitude", _Field.TYPE_INT32)],
        "Feature": [("name", _Field.TYPE_STRING)],
    }.items():
        message = file.message_type.add(name=name)
        for number, (label, kind) in enumerate(fields, 1):
            message.field.add(name=label, number=number, type=kind, label=_Field.LABEL_OPTIONAL)
    service = file.service.add(name="RouteGuide")
    for name, (takes, gives) in _METHODS.items():
        service.method.add(
            name=name,
            input_type=".atila.calls.Point",
            output_type=".atila.calls.Feature",
            client_streaming=takes,
            server_streaming=gives,
        )
    pool = descriptor_pool.Default()
    pool.Add(file)
    point, feature = (
        GetMessageClass(pool.FindMessageTypeByName(f"atila.calls.{name}"))
        for name in ("Point", "Feature")
    )
    return point, feature


Point, Feature = _describe()


def handlers() -> Any:
    """The service, for a server of grpc.aio."""
    import asyncio

    import grpc

    async def get_feature(point: Any, context: Any) -> Any:
        if point.latitude < 0:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such place")
        if point.latitude == 504:
            await asyncio.sleep(30)
        return Feature(name=f"{point.latitude}, {point.longitude}")

    async def list_features(point: Any, context: Any) -> Any:
        for number in range(point.latitude):
            yield Feature(name=str(number))

    async def record_route(points: Any, context: Any) -> Any:
        return Feature(name=str(sum([point.latitude async for point in points])))

    async def route_chat(points: Any, context: Any) -> Any:
        async for point in points:
            yield Feature(name=str(point.latitude))

    functions = [get_feature, list_features, record_route, route_chat]
    made = {}
    for (name, (takes, gives)), function in zip(_METHODS.items(), functions, strict=True):
        kind = f"{'stream' if takes else 'unary'}_{'stream' if gives else 'unary'}"
        maker = getattr(grpc, f"{kind}_rpc_method_handler")
        made[name] = maker(function, Point.FromString, Feature.SerializeToString)
    return grpc.method_handlers_generic_handler(SERVICE, made)
