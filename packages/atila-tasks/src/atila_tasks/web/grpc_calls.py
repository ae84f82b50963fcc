"""Runs a gRPC call on a member of an alias."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from atila.runtime import spans
from atila_tasks.core.errors import BadResponse, RpcError, TaskTimeout, Unreachable, UpstreamError
from atila_tasks.web import grpc_methods

if TYPE_CHECKING:
    from atila.http.exchange import Headers
    from atila_tasks.web.grpc_methods import GrpcMethod
    from atila_tasks.web.http import Http


@dataclass(frozen=True, slots=True)
class GrpcCall:
    """One call of a method.

    Attributes:
        method: the method.
        message: the argument; a tuple or an asynchronous iterator of messages if several.
        timeout: seconds until its deadline; None for none.
        metadata: sent with it.
    """

    method: GrpcMethod
    message: Any = field(repr=False)
    timeout: float | None
    metadata: Headers = field(repr=False)

    async def carry_out(self, http: Http) -> Any:
        """Call it, and give its message, or a list of its messages.

        Raises:
            BadResponse: they are too long.
            RpcError: it failed; `fault` is the name of the status.
            TaskTimeout: it was not done before the deadline.
            Unreachable: there is no connection, so nothing was sent.
            UpstreamError: the connection failed.
        """
        if spans.active is None:
            return await self._replied(http)
        member, path = http.member, self.method.path.strip("/")
        attributes: dict[str, str | int] = {
            "rpc.system.name": "grpc",
            "rpc.method": path,
            "server.address": member.host,
        }
        if member.port:
            attributes["server.port"] = member.port
        with spans.active.client(path, attributes) as span:
            traced = replace(self, metadata=[*self.metadata, *span.headers()])
            try:
                replied = await traced._replied(http)
            except RpcError as error:
                span.set_attribute("rpc.response.status_code", str(error.fault))
                raise
            span.set_attribute("rpc.response.status_code", "OK")
            return replied

    async def _replied(self, http: Http) -> Any:
        from grpc.aio import AioRpcError

        call = self._begun(http)
        if self.method.gives_stream:
            return await self._collected(http, GrpcReplies(self, http, call))
        try:
            return await call
        except AioRpcError as error:
            raise self.translated(http, error) from None

    async def _collected(self, http: Http, replies: GrpcReplies) -> list[Any]:
        limit, size, messages = http.options["max_response"], 0, []
        try:
            while (message := await replies.read()) is not None:
                messages.append(message)
                size += message.ByteSize()
                if size > limit:
                    raise BadResponse(f"{http.name} answered more than {limit} bytes")
        finally:
            replies.cancel()
        return messages

    def _begun(self, http: Http) -> Any:
        method = self.method
        begin = getattr(http.channel(grpc_methods.channel), method.kind)(
            method.path, request_serializer=method.serialize, response_deserializer=method.reply
        )
        given = {"content-type", *(name for name, _ in self.metadata)}
        own = [header for header in http.headers if header[0] not in given]
        return begin(self.message, timeout=self.timeout, metadata=[*own, *self.metadata])

    def translated(self, http: Http, error: Any) -> Exception:
        """The error that one of the library's means."""
        status, reason = error.code().name, str(error.details() or "")
        if status == "DEADLINE_EXCEEDED":
            return TaskTimeout(self.timeout or 0.0)
        if status == "UNAVAILABLE":
            # What the library says when it has no connection, so that nothing was sent.
            unsent = reason.startswith("failed to connect")
            kind, why = (Unreachable, "no connection") if unsent else (UpstreamError, "unavailable")
            return kind(f"{http.name}: {why}")
        return RpcError(f"{self.method.path} failed at {http.name}", status, reason)


@dataclass(frozen=True, slots=True)
class GrpcOpening(GrpcCall):
    """A call whose messages are taken one by one; carried out when the first of them is there, with
    which its span ends as well.
    """

    async def _replied(self, http: Http) -> GrpcReplies:
        replies = GrpcReplies(self, http, self._begun(http))
        try:
            replies.first = await replies.read()
        except BaseException:
            replies.cancel()
            raise
        return replies


class GrpcReplies:
    """The messages of an answer while they come.

    Args:
        call: the call.
        http: the server.
        begun: the library's call.

    Attributes:
        first: the first message, received already; None if there is none at all.
    """

    __slots__ = ("_begun", "_call", "_http", "first")

    def __init__(self, call: GrpcCall, http: Http, begun: Any) -> None:
        self._call = call
        self._http = http
        self._begun = begun
        self.first: Any = None

    async def read(self) -> Any:
        """The next message; None at the end."""
        from grpc.aio import EOF, AioRpcError

        try:
            message = await self._begun.read()
        except AioRpcError as error:
            raise self._call.translated(self._http, error) from None
        return None if message is EOF else message

    def cancel(self) -> None:
        """Be done with it."""
        self._begun.cancel()

    async def __aiter__(self) -> AsyncIterator[Any]:
        message = self.first
        try:
            while message is not None:
                yield message
                message = await self.read()
        finally:
            self.cancel()
