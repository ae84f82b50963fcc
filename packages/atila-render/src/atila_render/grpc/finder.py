"""Finds gRPC calls, and loads protobuf only at the first one."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from atila import HTTPError
from atila.app.settings import Setting, flag, number
from atila_render.grpc.status import UNIMPLEMENTED, GrpcError

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.exchange import Exchange
    from atila.layers import Finder
    from atila.routing.router import Match
    from atila.serving.endpoint import Endpoint


def _is_port(value: Any) -> bool:
    """50051, or "0.0.0.0:50051"."""
    number = str(value).rpartition(":")[2] if isinstance(value, str) else value
    is_number = str(number).isascii() and str(number).isdecimal() and not isinstance(number, bool)
    return value is None or (is_number and 0 < int(number) < 65536)


SETTINGS: dict[str, Setting] = {
    "GRPC_MAX_MESSAGE": number(4 * 1024 * 1024),
    "GRPC_HEALTH": flag(True),
    "GRPC_REFLECTION": flag(False),
    "GRPC_PORT": Setting(
        None, 'a port: 50051 or "0.0.0.0:50051", or None', _is_port, parse=str, is_port=True
    ),
}
"""Settings:

- GRPC_MAX_MESSAGE: bytes that a message of a client may have.
- GRPC_HEALTH: whether grpc.health.v1.Health answers.
- GRPC_REFLECTION: whether grpc.reflection.v1alpha.ServerReflection answers, which shows services
  and their messages to all clients that may call it.
- GRPC_PORT: a port of its own for gRPC, 50051 or "0.0.0.0:50051"; a number alone is of 127.0.0.1.
  `atila serve --grpc-port` wins over it. For servers without HTTP/2 trailers: granian, uvicorn.
"""

VARIABLE = "ATILA_GRPC_PORT"
"""The environment variable that `atila serve --grpc-port` sets: 50051 or "0.0.0.0:50051"; a number
alone is of the address that the server listens at."""
TYPES = ("application/grpc", "application/grpc+proto")
ADVICE = 'gRPC is not installed. Mend: pip install "atila-render[grpc]"'

log = logging.getLogger("atila.app")


def finders(app: Atila) -> dict[str, Finder]:
    """The finders of gRPC calls, by media type."""
    finder = _LazyFinder(app)
    if "google.protobuf.descriptor_pool" in sys.modules:
        finder.prepare()
    return dict.fromkeys(TYPES, finder)


class _LazyFinder:
    def __init__(self, app: Atila) -> None:
        self._app = app
        self._finder: Finder | None = None

    def prepare(self) -> Finder:
        if self._finder is None:
            try:
                from atila_render.grpc.methods import Finder as Methods
            except ImportError as error:
                if (error.name or "").partition(".")[0] != "google":
                    raise
                log.error("a gRPC call cannot be answered: %s", ADVICE)
                self._finder = self._absent()
            else:
                self._finder = Methods(self._app)
        return self._finder

    def _absent(self) -> Finder:
        from atila_render.grpc.refusals import answer_error

        async def refuse(was: Was) -> Any:
            raise GrpcError(UNIMPLEMENTED, "this server has no gRPC")

        endpoint = self._app.rejection.for_calls(refuse, answer_error, streams_body=True)
        return lambda exchange, path, match: endpoint

    def __call__(self, exchange: Exchange, path: str, match: Match | None) -> Endpoint | None:
        return self.prepare()(exchange, path, match)


def refuse_other_types(app: Atila) -> Finder:
    """A function that refuses bodies of other types than gRPC at the paths of its methods."""

    def find(exchange: Exchange, path: str, match: Match | None) -> Endpoint | None:
        service, _, name = exchange.path[1:].rpartition("/")
        pool: Any = sys.modules.get("google.protobuf.descriptor_pool")
        if pool is None or "." not in service:
            return None
        try:
            methods = pool.Default().FindServiceByName(service).methods_by_name
        except KeyError:
            return None
        if name in methods:
            raise HTTPError(415, f"a call is of the type {TYPES[0]}")
        return None

    return find
