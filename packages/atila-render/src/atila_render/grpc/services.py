"""Services of every app: health, and reflection where it is on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

from atila import SetupError
from atila.routing.router import Route
from atila_render.grpc.status import NOT_FOUND, GrpcError

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.serving.endpoint import Endpoint

HEALTH = "/grpc.health.v1.Health/"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/"


def own_endpoints(
    app: Atila, serves: Callable[[str], bool], services: Callable[[], list[str]]
) -> dict[str, Endpoint]:
    """The endpoints of the services that an app has by its settings, by path.

    Args:
        app: the app.
        serves: whether the app has a service.
        services: the names of those it has.

    Raises:
        SetupError: the setting GRPC_REFLECTION is on, and grpcio-reflection is not installed.
    """
    handlers: dict[str, Callable[..., Any]] = {}
    if app.config.GRPC_HEALTH:
        handlers.update(_health(serves))
    if app.config.GRPC_REFLECTION:
        handlers.update(_reflection(services))
    return {
        path: app.endpoint_for(Route(path, handler, ("POST",), name=path, automatic=True))
        for path, handler in handlers.items()
    }


def _health(serves: Callable[[str], bool]) -> dict[str, Callable[..., Any]]:
    """https://github.com/grpc/grpc/blob/master/doc/health-checking.md"""
    try:
        from grpc_health.v1 import health_pb2
    except ImportError:
        return {}
    answer = health_pb2.HealthCheckResponse

    def is_there(service: str) -> bool:
        return not service or serves(service)

    async def check(was: Was, request: Any) -> Any:
        if not is_there(request.service):
            raise GrpcError(NOT_FOUND, "there is no such service")
        return answer(status=answer.SERVING)

    async def watch(was: Was, request: Any) -> AsyncIterator[Any]:
        yield answer(status=answer.SERVING if is_there(request.service) else answer.SERVICE_UNKNOWN)
        # It stays so for as long as there is a server to ask.
        await asyncio.Event().wait()

    return {f"{HEALTH}Check": check, f"{HEALTH}Watch": watch}


def _reflection(services: Callable[[], list[str]]) -> dict[str, Callable[..., Any]]:
    """https://github.com/grpc/grpc/blob/master/doc/server-reflection.md"""
    try:
        from grpc_reflection.v1alpha.reflection import ReflectionServicer
    except ImportError as error:
        raise SetupError(
            "the setting GRPC_REFLECTION needs grpcio-reflection. Mend:"
            ' pip install "atila-render[grpc]"'
        ) from error

    def inform(was: Was, requests: Any) -> Iterator[Any]:
        yield from ReflectionServicer(services()).ServerReflectionInfo(requests, None)

    return {f"{REFLECTION}ServerReflectionInfo": inform}
