"""`was.xmlrpc` and `was.jsonrpc`: methods of other servers as tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any
from xmlrpc import client as xmlrpc

from defusedxml.xmlrpc import DefusedExpatParser
from jsonrpclib.jsonrpc import Payload, ProtocolError, check_for_errors

from atila.values import json
from atila_tasks.core.errors import BadResponse, RpcError, UpstreamStatus
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

_ids = count(1)


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
        body = xmlrpc.dumps(tuple(args), name, allow_none=True).encode()
        return self._send(body, lambda server, data: _from_xml(server, name, data))

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
        call = _json_call(name, args, kwargs)
        return self._send(
            json.dumps(call),
            lambda server, data: _result(server, call, _json(server, data)),
        )

    def _batch(self, calls: Sequence[tuple[Any, ...]]) -> Waitable:
        """Call several methods at once.

        Args:
            calls: of each its name and arguments: `[("add", 1, 2), ("now",)]`.

        Returns:
            A task whose data is a list: the results, or the `RpcError` of a failed call.
        """
        made = [_json_call(call[0], call[1:], {}) for call in calls]
        if not made:
            raise ValueError("a batch has at least one call")
        return self._send(
            json.dumps(made), lambda server, data: _results(server, made, _json(server, data))
        )


def batch(stub: JsonRpcStub, *calls: tuple[Any, ...]) -> Waitable:
    """Call several methods of JSON-RPC in one request: `batch(stub, ("add", 1, 2), ("now",))`.

    A function, since any name of the stub is a method of the server.

    Returns:
        A task whose data is a list: the results, or the `RpcError` of a failed call.
    """
    return stub._batch(calls)


def _from_xml(server: str, name: str, body: bytes) -> Any:
    target = xmlrpc.Unmarshaller(use_builtin_types=True)
    failed: BadResponse
    try:
        # Neither entities nor a document type: both are ways to make a small text a large one.
        parser = DefusedExpatParser(target, forbid_dtd=True)
        parser.feed(body)
        parser.close()
        (value,) = target.close()
    except xmlrpc.Fault as fault:
        failed = RpcError(f"{name}() failed at {server}", fault.faultCode, str(fault.faultString))
    except Exception:
        failed = BadResponse(f"{server} answered no XML-RPC")
    else:
        return value
    raise failed


def _json_call(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    if args and kwargs:
        raise TypeError("methods of JSON-RPC take arguments by position or by name, not both")
    call: dict[str, Any] = Payload(next(_ids), 2.0).request(name, kwargs or list(args))
    return call


def _json(server: str, body: bytes) -> Any:
    try:
        return json.loads(body)
    except json.NotJSON:
        raise BadResponse(f"{server} answered malformed JSON") from None


def _result(server: str, call: dict[str, Any], answer: Any) -> Any:
    """The result of a call, from its answer (JSON-RPC 2.0, section 5; or 1.0)."""
    try:
        check_for_errors(answer)
    except ProtocolError as error:
        raise _failed(f"{call['method']}() failed at {server}", answer["error"], error) from None
    except Exception:
        # No object, none of its members, a version to come, a code that is no number.
        answer = None
    if not isinstance(answer, dict) or "result" not in answer or answer.get("id") != call["id"]:
        raise BadResponse(f"{server} answered no JSON-RPC, or not to this call")
    return answer["result"]


def _failed(text: str, answered: Any, error: Exception) -> RpcError:
    (fault,) = error.args
    code, reason = fault[:2] if isinstance(fault, tuple) else (0, fault)
    # Of the codes that the protocol reserves, the exception has no data.
    data = answered.get("data") if isinstance(answered, dict) else None
    return RpcError(text, code, str(reason), data)


def _results(server: str, calls: Sequence[dict[str, Any]], answers: Any) -> list[Any]:
    if not isinstance(answers, list):
        # One error for the whole batch.
        return [_result(server, calls[0], answers)]
    by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
    results: list[Any] = []
    for call in calls:
        try:
            results.append(_result(server, call, by_id.get(call["id"])))
        except RpcError as error:
            results.append(error)
    return results


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
