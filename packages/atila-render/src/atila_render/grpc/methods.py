"""Finds the handler of a gRPC method by the path of the call, /package.Service/Method."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from atila import SetupError
from atila.errors import nearest
from atila.routing.router import Match
from atila.routing.signature import Signature
from atila.runtime.context import current
from atila.runtime.coroutines import add_piece_type
from atila_render.grpc import services
from atila_render.grpc.answering import Call, is_on_loop
from atila_render.grpc.refusals import answer_error, check_transport
from atila_render.grpc.status import UNIMPLEMENTED, GrpcError

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.exchange import Exchange
    from atila.serving.endpoint import Endpoint

log = logging.getLogger("atila.app")

# Coroutines yield messages to be sent.
add_piece_type(Message)


class Method:
    """A method of a service, and the endpoint that answers it.

    Args:
        descriptor: the descriptor of the method.
        endpoint: the endpoint of the route.

    Attributes:
        name: "package.Service.Method".
        takes, gives: the classes of its messages.
        client_streaming, server_streaming: whether they come in streams.
        handler: the function of the route, within the wrappers of layers.
        parameter: the name of its parameter; "" if it takes none.
        on_loop: it is called on the task loop.

    Raises:
        SetupError: the function takes more than one parameter.
    """

    def __init__(self, descriptor: Any, endpoint: Endpoint) -> None:
        self.name: str = descriptor.full_name
        self.takes: Any = message_factory.GetMessageClass(descriptor.input_type)
        self.gives: Any = message_factory.GetMessageClass(descriptor.output_type)
        self.client_streaming: bool = descriptor.client_streaming
        self.server_streaming: bool = descriptor.server_streaming
        self.handler = endpoint.handler
        signature = Signature(endpoint.route)
        if len(signature.required) > 1:
            raise SetupError(
                f"{self.name} is given one {'stream of ' * self.client_streaming}"
                f"{descriptor.input_type.full_name}; its handler takes"
                f" {', '.join(signature.names)}: def {descriptor.name}(was, request)",
                endpoint.route.source,
            )
        required = [name for name in signature.names if name in signature.required]
        self.parameter = (required or signature.names or [""])[0]
        self.on_loop = is_on_loop(self.handler)

    def call(self, was: Was, params: dict[str, Any]) -> Any:
        """Call the handler; in a worker thread."""
        current.set(was)
        return self.handler(was, **params)

    async def answer(self, was: Was) -> Any:
        """The handler of the endpoint that answers calls."""
        check_transport(was)
        return await Call(was, self).answer()


class Finder:
    """Finds the methods of an app; see `atila.layers.Finder`.

    Args:
        app: the app, mounted.

    Raises:
        SetupError: a handler of a method takes more than the method gives.
    """

    def __init__(self, app: Atila) -> None:
        self._app = app
        self._found: dict[str, Endpoint] = {}
        self._own = services.own_endpoints(app, self.serves, self.services)
        for endpoint in app.endpoints:
            self._check(endpoint)

    @cached_property
    def _unknown(self) -> Endpoint:
        return self._app.rejection.for_calls(_unimplemented, answer_error, streams_body=True)

    def _check(self, endpoint: Endpoint) -> None:
        path = self._app.mount_prefix + endpoint.route.rule
        service, _, name = path[1:].rpartition("/")
        if (descriptor := _service(service)) is None or "POST" not in endpoint.route.methods:
            return
        if name in descriptor.methods_by_name:
            Method(descriptor.methods_by_name[name], endpoint)
        elif hint := nearest(name, descriptor.methods_by_name):
            # It may be an ordinary route, for requests of other types.
            source = endpoint.route.source
            log.warning("%s: the service %s has no method %r%s", source, service, name, hint)

    def __call__(self, exchange: Exchange, path: str, match: Match | None) -> Endpoint | None:
        """The endpoint for a call; always one, an error at least."""
        full = exchange.path
        endpoint = self._found.get(full)
        if endpoint is None:
            endpoint = self._find(full, path, match)
            if endpoint is None:
                return self._unknown
            self._found[full] = endpoint
        return endpoint

    def _find(self, full: str, path: str, match: Match | None) -> Endpoint | None:
        base, _, name = full.rpartition("/")
        prefix = self._app.mount_prefix
        # Mounted at /package.Service, or below of what the service is.
        service = base.rpartition("/")[2] if base == prefix else base.removeprefix(prefix)[1:]
        descriptor = _service(service)
        if descriptor is None or name not in descriptor.methods_by_name:
            return None
        if (own := self._own.get(f"/{service}/{name}")) is not None and match is None:
            return self._answering(descriptor.methods_by_name[name], own)
        match = match or self._app.router.match("/" + name, "POST")
        if match is None or match.values or match.endpoint.websocket:
            return None
        try:
            return self._answering(descriptor.methods_by_name[name], match.endpoint)
        except SetupError as error:
            # Found this late, for the messages are known only now.
            log.error("%s", error)
            return None

    def _answering(self, descriptor: Any, endpoint: Endpoint) -> Endpoint:
        method = Method(descriptor, endpoint)
        answer: Callable[[Was], Any] = method.answer
        return endpoint.for_calls(answer, answer_error, streams_body=True)

    def serves(self, service: str) -> bool:
        """Whether any method of a service has a handler."""
        descriptor = _service(service)
        if descriptor is None:
            return False
        prefix, router = self._app.mount_prefix, self._app.router
        for name in descriptor.methods_by_name:
            full = f"/{service}/{name}"
            below = full[len(prefix) :] if full.startswith(prefix + "/") else full
            match = router.match(below, "POST")
            if full in self._own or self._find(full, below, match) is not None:
                return True
        return False

    def services(self) -> list[str]:
        """The names of the services that any method of which has a handler."""
        known: set[str] = set()
        for module in list(sys.modules.values()):
            described = getattr(module, "__dict__", {}).get("DESCRIPTOR")
            for service in getattr(described, "services_by_name", {}).values():
                known.add(service.full_name)
        return sorted(name for name in known if self.serves(name))


async def _unimplemented(was: Was) -> Any:
    raise GrpcError(UNIMPLEMENTED, f"there is no method {was.exchange.path[:200]}")


def _service(name: str) -> Any:
    """The descriptor of a service; None if none of the imported modules has it."""
    if "." not in name and not name.isidentifier():
        return None
    try:
        return descriptor_pool.Default().FindServiceByName(name)
    except KeyError:
        return None
