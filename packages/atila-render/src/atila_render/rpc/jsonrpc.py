"""JSON-RPC 2.0 (https://www.jsonrpc.org/specification) and 1.0, batches and notifications."""

from __future__ import annotations

from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from jsonrpclib.jsonrpc import Payload

from atila.http.forms import JSON_TYPE
from atila.values import json
from atila_render.data.json import to_json
from atila_render.rpc import calling, system
from atila_render.rpc.faults import (
    INVALID_REQUEST,
    PARSE_ERROR,
    CallFault,
    http_status,
    of_error,
)
from atila_render.settings import settings_of

if TYPE_CHECKING:
    from atila import HTTPError, Was

_respond = partial(calling.respond, JSON_TYPE)


def answer(was: Was) -> Any:
    """Answer a request whose body is a call, or a batch of them. In a worker thread."""
    try:
        calls = json.loads_sent(bytes(was.exchange.body))
    except json.NotJSON as error:
        return _respond(was, _reply_fault(CallFault(PARSE_ERROR, str(error)), None, 2.0))
    if not isinstance(calls, list):
        outcome = _one(was, calls)
        return _answer_later(was, outcome) if isawaitable(outcome) else _respond(was, outcome)
    most = was.app.config.RPC_MAX_BATCH
    if not 0 < len(calls) <= most:
        fault = CallFault(INVALID_REQUEST, f"a batch has 1 to {most} calls")
        return _respond(was, _reply_fault(fault, None, 2.0))
    outcomes = calling.in_order(was, calls, _one)
    if isawaitable(outcomes):
        return _answer_batch_later(was, outcomes)
    return _respond(was, _batch(outcomes))


async def _answer_later(was: Was, outcome: Any) -> bytes:
    return _respond(was, await outcome)


async def _answer_batch_later(was: Was, outcomes: Any) -> bytes:
    return _respond(was, _batch(await outcomes))


def _batch(replies: list[bytes]) -> bytes:
    replies = [reply for reply in replies if reply]
    return b"[" + b",".join(replies) + b"]" if replies else b""


def answer_error(was: Was, error: HTTPError) -> None:
    """Answer with an error of the request as a whole."""
    head = [("content-type", JSON_TYPE), *error.headers]
    body = _reply_fault(of_error(was, error), None, 2.0)
    was.exchange.respond(http_status(error), head, body)


class _Call:
    """One call, checked.

    Attributes:
        version: 2.0 or 1.0.
        id: the id of its reply.
        is_notification: it has no reply.

    Raises:
        CallFault: it is malformed; `id` and `version` are set as far as they are known.
    """

    def __init__(self) -> None:
        self.version = 2.0
        self.id: Any = None
        self.is_notification = False
        self.method = ""
        self.params: calling.Params = ()

    def read(self, value: Any) -> None:
        """Take the members of a call."""
        if not isinstance(value, dict):
            raise CallFault(INVALID_REQUEST, "a call is an object")
        if value.get("jsonrpc", "") not in ("2.0", ""):
            raise CallFault(INVALID_REQUEST, 'jsonrpc must be "2.0"')
        number = value.get("id")
        if isinstance(number, bool | list | dict):
            raise CallFault(INVALID_REQUEST, "id must be a string or a number")
        self.id = number
        method, params = value.get("method"), value.get("params")
        if not isinstance(method, str):
            raise CallFault(INVALID_REQUEST, "method must be a string")
        self.version = 2.0 if value.get("jsonrpc") else 1.0
        if params is None and not (self.version == 2 and "params" in value):
            params = ()
        if not isinstance(params, list | dict | tuple):
            raise CallFault(INVALID_REQUEST, "params must be an array or an object")
        # In 1.0 the id of a notification is null.
        self.is_notification = "id" not in value or (self.version < 2 and number is None)
        self.method, self.params = method, params


def _one(was: Was, each: Any) -> Any:
    """The reply to a call, b"" for none; or an awaitable of it."""
    checked = _Call()
    try:
        checked.read(each)
        is_system = checked.method.startswith("system.")
        call = system.call if is_system else calling.call
        value = call(was, checked.method, checked.params)
    except Exception as error:
        return _failed(was, checked, error)
    return _later(was, checked, value) if isawaitable(value) else _succeeded(was, checked, value)


async def _later(was: Was, checked: _Call, value: Any) -> bytes:
    try:
        value = await value
    except Exception as error:
        return _failed(was, checked, error)
    return _succeeded(was, checked, value)


def _succeeded(was: Was, checked: _Call, value: Any) -> bytes:
    if checked.is_notification:
        return b""
    reply = Payload(checked.id, checked.version).response(value)
    try:
        return settings_of(was.app).to_json(reply)
    except TypeError as error:
        return _failed(was, checked, error)


def _failed(was: Was, checked: _Call, error: Exception) -> bytes:
    calling.failed(was, error)
    fault = of_error(was, error)
    if checked.is_notification:
        return b""
    return _reply_fault(fault, checked.id, checked.version)


def _reply_fault(fault: CallFault, id: Any, version: float) -> bytes:
    data = fault.data or ({"detail": fault.detail} if fault.detail else None)
    reply = Payload(id, version).error(fault.code, fault.title or "Error", data)
    try:
        return to_json(reply)
    except TypeError:
        # A lone surrogate out of the call's text.
        reply["error"].pop("data", None)
        return to_json(reply)
