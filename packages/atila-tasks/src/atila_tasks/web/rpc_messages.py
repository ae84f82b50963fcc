"""The bodies of calls of XML-RPC and JSON-RPC, and the results in those of answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any
from xmlrpc import client as xmlrpc

from defusedxml.xmlrpc import DefusedExpatParser
from jsonrpclib.jsonrpc import Payload, ProtocolError, check_for_errors

from atila.values import json
from atila_tasks.core.errors import BadResponse, RpcError

_ids = count(1)


def xml_call(name: str, args: Sequence[Any]) -> bytes:
    """The body of a call."""
    return xmlrpc.dumps(tuple(args), name, allow_none=True).encode()


def xml_result(server: str, name: str, body: bytes) -> Any:
    """The result of a call, from the body of its answer.

    Raises:
        RpcError: the method failed.
        BadResponse: it is no answer.
    """
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


def json_call(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """A call; its number is no other one's.

    Raises:
        TypeError: it has arguments of both kinds.
    """
    if args and kwargs:
        raise TypeError("methods of JSON-RPC take arguments by position or by name, not both")
    call: dict[str, Any] = Payload(next(_ids), 2.0).request(name, kwargs or list(args))
    return call


def json_result(server: str, call: dict[str, Any], body: bytes) -> Any:
    """The result of a call, from the body of its answer.

    Raises:
        RpcError: the method failed.
        BadResponse: it is no answer.
    """
    return _result(server, call, _json(server, body))


def json_results(server: str, calls: Sequence[dict[str, Any]], body: bytes) -> list[Any]:
    """The results of a batch, or the `RpcError` of a call, from the body of the answer.

    Raises:
        RpcError: the batch failed as a whole.
        BadResponse: it is no answer.
    """
    answers = _json(server, body)
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
