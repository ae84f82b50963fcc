"""XML-RPC (http://xmlrpc.com/spec.md), with the `nil` of its common extensions and multicall."""

from __future__ import annotations

from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from atila_render.rpc import calling, system
from atila_render.rpc.faults import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    CallFault,
    http_status,
    of_error,
)
from atila_render.rpc.xml_reading import parse
from atila_render.rpc.xml_writing import (
    Unwritable,
    array,
    fault_document,
    fault_value,
    value_document,
    value_of,
)

if TYPE_CHECKING:
    from atila import HTTPError, Was

MULTICALL = "system.multicall"
XML_TYPE = "text/xml; charset=utf-8"
_respond = partial(calling.respond, XML_TYPE)


def answer(was: Was) -> Any:
    """Answer a request whose body is a call. In a worker thread."""
    try:
        name, params = parse(bytes(was.exchange.body))
    except CallFault as fault:
        return _respond(was, _written(fault))
    if name == MULTICALL:
        return _multicall(was, params)
    outcome = _one(was, (name, params))
    if isawaitable(outcome):
        return _answer_later(was, outcome)
    return _respond(was, _written(outcome, was))


async def _answer_later(was: Was, outcome: Any) -> bytes:
    return _respond(was, _written(await outcome, was))


def answer_error(was: Was, error: HTTPError) -> None:
    """Answer with an error of the request as a whole."""
    head = [("content-type", XML_TYPE), *error.headers]
    was.exchange.respond(http_status(error), head, _written(of_error(was, error)))


# Calls --------------------------------------------------------------------------------------------


def _one(was: Was, each: tuple[str, Any]) -> Any:
    """The value of a call, or its fault; or an awaitable of them."""
    name, params = each
    try:
        is_system = name.startswith("system.")
        value = (system.call if is_system else calling.call)(was, name, params)
    except Exception as error:
        return _failed(was, error)
    return _later(was, value) if isawaitable(value) else value


async def _later(was: Was, value: Any) -> Any:
    try:
        return await value
    except Exception as error:
        return _failed(was, error)


def _failed(was: Was, error: Exception) -> CallFault:
    calling.failed(was, error)
    return of_error(was, error)


def _multicall(was: Was, params: list[Any]) -> Any:
    calls = params[0] if len(params) == 1 else None
    most = was.app.config.RPC_MAX_BATCH
    if not isinstance(calls, list) or len(calls) > most:
        fault = CallFault(INVALID_PARAMS, f"{MULTICALL} takes an array of at most {most} calls")
        return _respond(was, _written(fault))
    outcomes = calling.in_order(was, calls, _one_of_many)
    if isawaitable(outcomes):
        return _many_later(was, outcomes)
    return _respond(was, _written_many(was, outcomes))


async def _many_later(was: Was, outcomes: Any) -> bytes:
    return _respond(was, _written_many(was, await outcomes))


def _one_of_many(was: Was, each: Any) -> Any:
    name = each.get("methodName") if isinstance(each, dict) else None
    params = each.get("params", []) if isinstance(each, dict) else None
    if not isinstance(name, str) or not isinstance(params, list) or name == MULTICALL:
        return CallFault(INVALID_REQUEST, "a call is a struct of methodName and params")
    return _one(was, (name, params))


# Answers ------------------------------------------------------------------------------------------


def _written(outcome: Any, was: Was | None = None) -> bytes:
    if not isinstance(outcome, CallFault):
        try:
            return value_document(value_of(outcome))
        except Unwritable as error:
            assert was is not None  # noqa: S101 - faults alone come without it
            outcome = _failed(was, error)
    return fault_document(outcome)


def _written_many(was: Was, outcomes: list[Any]) -> bytes:
    values = []
    for outcome in outcomes:
        if not isinstance(outcome, CallFault):
            try:
                values.append(value_of([outcome]))
                continue
            except Unwritable as error:
                outcome = _failed(was, error)
        values.append(fault_value(outcome))
    return value_document(array(values))
