"""`was.xmlrpc` and `was.jsonrpc`: methods of other servers as tasks.

`rpc_messages` is imported at the first call: the libraries of both protocols take 20 ms of a start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atila.values import json
from atila_tasks.core.errors import UpstreamStatus
from atila_tasks.upstream.access import Access
from atila_tasks.upstream.calls import DEFAULT_TIMEOUT
from atila_tasks.upstream.interfaces import WithBlock
from atila_tasks.upstream.response_head import Reply
from atila_tasks.web import targets
from atila_tasks.web.http_request import HttpRequest
from atila_tasks.web.upstream_target import OF_STUBS, UpstreamTarget, refuse_unknown

if TYPE_CHECKING:
    from typing import Unpack

    from atila_tasks.core.waitable import Waitable
    from atila_tasks.web.http import Http
    from atila_tasks.web.stubs import Sending


@dataclass(frozen=True, slots=True)
class RpcCall:
    """A call of a method, as a request of HTTP.

    Attributes:
        request: the request.
        decode: gives the data of the answer's body: (name of the server, body).
    """

    request: HttpRequest
    decode: Callable[[str, bytes], Any] = field(repr=False)

    async def carry_out(self, http: Http) -> Reply:
        """Call the method, and give its result.

        Raises:
            RpcError: the method failed.
            BadResponse: the answer is malformed.
        """
        name = self.request.server or http.name
        try:
            head, body = await http.receive(self.request)
        except UpstreamStatus as error:
            # Some servers of JSON-RPC tell an error by the status, too.
            if not isinstance(error.data, dict | list) or error.response is None:
                raise
            data, head = error.data, error.response
            body = json.dumps(data)
        return Reply(self.decode(name, body), head)


class Method:
    """A method of another server, called to make a task; a name below it is another one.

    Args:
        start: makes a task of name and arguments.
        name: its name there.
    """

    __slots__ = ("_name", "_start")

    def __init__(self, start: Callable[..., Waitable], name: str) -> None:
        self._start = start
        self._name = name

    def __getattr__(self, name: str) -> Method:
        if name.startswith("__"):
            raise AttributeError(name)
        return Method(self._start, f"{self._name}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Waitable:
        return self._start(self._name, args, kwargs)


class RpcStub(WithBlock):
    """The result of `was.xmlrpc(…)`: its methods are the server's; a context manager, too."""

    _content_type = "text/xml"

    def __init__(self, upstream: UpstreamTarget, options: Sending) -> None:
        refuse_unknown(options, OF_STUBS)
        self._upstream = upstream
        self._options = options
        self._target = upstream.prefix + (targets.fill(upstream.base, ()) or "/")

    def __getattr__(self, name: str) -> Method:
        if name.startswith("__"):
            raise AttributeError(name)
        return Method(self._call, name)

    def _call(self, name: str, args: Any, kwargs: Any) -> Waitable:
        if kwargs:
            raise TypeError("methods of XML-RPC take no arguments by name")
        from atila_tasks.web import rpc_messages as messages

        return self._send(
            messages.xml_call(name, args),
            lambda server, data: messages.xml_result(server, name, data),
        )

    def _send(self, body: bytes, decode: Callable[[str, bytes], Any]) -> Waitable:
        options = self._options
        headers = self._upstream.headers(options.get("headers"), options.get("auth"))
        headers.append(("content-type", self._content_type))
        request = HttpRequest("POST", self._target, headers, body, self._upstream.server)
        return self._upstream.start(
            RpcCall(request, decode),
            timeout=options.get("timeout", DEFAULT_TIMEOUT),
            filter=options.get("filter"),
            meta=options.get("meta"),
        )


class JsonRpcStub(RpcStub):
    """The result of `was.jsonrpc(…)` (JSON-RPC 2.0)."""

    _content_type = "application/json"

    def _call(self, name: str, args: Any, kwargs: Any) -> Waitable:
        from atila_tasks.web import rpc_messages as messages

        call = messages.json_call(name, args, kwargs)
        return self._send(
            json.dumps(call), lambda server, data: messages.json_result(server, call, data)
        )

    def _batch(self, calls: Sequence[tuple[Any, ...]]) -> Waitable:
        """Call several methods at once.

        Args:
            calls: of each its name and arguments: `[("add", 1, 2), ("now",)]`.

        Returns:
            A task whose data is a list: the results, or the `RpcError` of a failed call.
        """
        from atila_tasks.web import rpc_messages as messages

        made = [messages.json_call(call[0], call[1:], {}) for call in calls]
        if not made:
            raise ValueError("a batch has at least one call")
        return self._send(
            json.dumps(made), lambda server, data: messages.json_results(server, made, data)
        )


def batch(stub: JsonRpcStub, *calls: tuple[Any, ...]) -> Waitable:
    """Call several methods of JSON-RPC in one request: `batch(stub, ("add", 1, 2), ("now",))`.

    A function, since any name of the stub is a method of the server.

    Returns:
        A task whose data is a list: the results, or the `RpcError` of a failed call.
    """
    return stub._batch(calls)


class XmlRpc(Access):
    """`was.xmlrpc`."""

    def __call__(self, address: str, **options: Unpack[Sending]) -> RpcStub:
        """Call methods of XML-RPC: `stub.add(156, 952)`, `stub.system.listMethods()`.

        Args:
            address: an alias and a path, "@myapi/rpc2", or an URL.
            options: the options of all calls; see `Sending`.
        """
        return RpcStub(UpstreamTarget(self._was, self._way, address), options)


class JsonRpc(Access):
    """`was.jsonrpc`."""

    def __call__(self, address: str, **options: Unpack[Sending]) -> JsonRpcStub:
        """Call methods of JSON-RPC 2.0: `stub.add(156, 952)` or `stub.add(a=156, b=952)`.

        The arguments are those of `was.xmlrpc`.
        """
        return JsonRpcStub(UpstreamTarget(self._was, self._way, address), options)
