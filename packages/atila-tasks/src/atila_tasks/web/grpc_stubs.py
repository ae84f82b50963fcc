"""`was.grpc`: methods of gRPC servers called as tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from atila_tasks.upstream.access import Access
from atila_tasks.upstream.calls import DEFAULT_TIMEOUT
from atila_tasks.upstream.interfaces import WithBlock
from atila_tasks.web import grpc_methods
from atila_tasks.web.grpc_calls import GrpcCall, GrpcOpening
from atila_tasks.web.upstream_target import OF_STUBS, UpstreamTarget, refuse_unknown

if TYPE_CHECKING:
    from typing import Unpack

    from atila_tasks.core.waitable import Waitable
    from atila_tasks.web.grpc_methods import GrpcMethod
    from atila_tasks.web.stubs import Sending

OF_STUB = -1.0
"""A deadline that is the stub's."""
Metadata = Mapping[str, str | bytes] | Iterable[tuple[str, str | bytes]]


class GrpcStub(WithBlock):
    """The result of `was.grpc(…)`: its methods are those of the service; a context manager, too.

    Args:
        upstream: the target of the calls.
        service: "package.Service".
        options: the options of all calls.
    """

    def __init__(self, upstream: UpstreamTarget, service: str, options: Sending) -> None:
        refuse_unknown(options, OF_STUBS)
        self._upstream = upstream
        self._service = service
        self._options = options

    def __getattr__(self, name: str) -> BoundMethod:
        if name.startswith("_"):
            raise AttributeError(name)
        method = grpc_methods.method(self._service, name)
        if method is None:
            raise AttributeError(f"the service {self._service} has no method {name!r}")
        return BoundMethod(self._upstream, method, self._options)


class BoundMethod:
    """A method of a service, called to make a task.

    Args:
        upstream: the target of the calls.
        method: the method.
        options: the options of all calls.
    """

    __slots__ = ("_method", "_options", "_upstream")

    def __init__(self, upstream: UpstreamTarget, method: GrpcMethod, options: Sending) -> None:
        self._upstream = upstream
        self._method = method
        self._options = options

    def __call__(
        self, message: Any, timeout: float | None = OF_STUB, metadata: Metadata = ()
    ) -> Waitable:
        """Call it.

        Args:
            message: the argument; if several, a list or an asynchronous iterator of them.
            timeout: seconds until its deadline; None for none.
            metadata: sent with it.

        Returns:
            A task, whose data is a message, or a list of messages.

        Raises:
            TypeError: the message is of another type than the method's.
        """
        options = self._options
        call = GrpcCall(self._method, *self._prepared(message, timeout, metadata))
        return self._upstream.start(
            call,
            timeout=call.timeout,
            filter=options.get("filter"),
            meta=options.get("meta"),
        )

    async def stream(
        self,
        message: Any,
        timeout: float | None = OF_STUB,  # noqa: ASYNC109 - it is sent to the server
        metadata: Metadata = (),
    ) -> AsyncIterator[Any]:
        """Call it, and take its messages one by one, in `async def` handlers: the server waits
        while nobody takes the next one. `async for feature in stub.ListFeatures.stream(area)`.

        Args:
            message: as for a task.
            timeout: seconds until its deadline, by which all have to be taken.
            metadata: sent with it.

        Raises:
            TypeError: the message is not of the type that it takes; it gives one message only.
        """
        if not self._method.gives_stream:
            raise TypeError(f"{self._method.path} gives one message: call it without stream")
        call = GrpcOpening(self._method, *self._prepared(message, timeout, metadata))
        replies = await self._upstream.open(call)
        async for reply in replies:
            yield reply

    def _prepared(
        self, message: Any, timeout: float | None, metadata: Metadata
    ) -> tuple[Any, float | None, Any]:
        """Message, seconds, and metadata, as they are sent."""
        method, options = self._method, self._options
        if not method.takes_stream:
            method.check(message)
        elif not isinstance(message, AsyncIterator):
            # Now and here, since the iterator may block.
            message = tuple(message)
            for one in message:
                method.check(one)
        if timeout == OF_STUB:
            timeout = options.get("timeout", DEFAULT_TIMEOUT)
        headers: Any = self._upstream.headers(options.get("headers"), options.get("auth"))
        headers += metadata.items() if isinstance(metadata, Mapping) else metadata
        return message, timeout, headers


class Grpc(Access):
    """`was.grpc`."""

    def __call__(self, address: str, **options: Unpack[Sending]) -> GrpcStub:
        """Call methods of gRPC: `stub.Predict(request, 10.0)`.

        Args:
            address: alias and service: "@myapi/package.Service".
            options: the options of all calls; see `Sending`.

        Raises:
            LookupError: there is no such alias, or no module that describes the service has been
                imported.
        """
        grpc_methods.prepare()
        upstream = UpstreamTarget(self._was, self._way, address)
        if upstream.prefix:
            raise ValueError('gRPC is for aliases: write was.grpc("@alias/package.Service")')
        service = upstream.base.strip("/")
        grpc_methods.service(service)
        return GrpcStub(upstream, service, options)
