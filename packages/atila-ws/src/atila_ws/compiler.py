"""Compiles a WebSocket declaration into the steps of its route; reports mistakes."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from atila import SetupError, Steps
from atila.validation.messages import json_reader
from atila_ws import flags, protocols
from atila_ws.declaration import Declaration, declaration_of, message_parameter
from atila_ws.messages import ENCODINGS, Encoding, typed_json
from atila_ws.origins import checker
from atila_ws.styles import chatty, conversation, coroutine, reporty
from atila_ws.styles.conversation import Leader

if TYPE_CHECKING:
    from atila import Atila
    from atila.layers import Handler
    from atila.routing.router import Route


def compile_route(route: Route, app: Atila) -> Steps | None:
    """The steps of a WebSocket route; None for any other.

    Raises:
        SetupError: the declaration is wrong, or does not fit the handler or the route.
    """
    declared = declaration_of(route.handler)
    if declared is None:
        return None
    problem = _problem(route, declared)
    if problem:
        raise SetupError(problem, route.source)
    lead = _leader(_written(route), declared)
    encoding = _encoding(route, declared)
    return Steps(
        before=[checker(route, app, declared)],
        wrap=lambda handler: _answering(handler, lead, declared, encoding),
        websocket=True,
        max_message=app.config.WS_MAX_MESSAGE,
        loop_safe=True,
    )


def _written(route: Route) -> Handler:
    """The handler without the wrappers of decorators."""
    written: Handler = inspect.unwrap(route.handler)
    return written


def _problem(route: Route, declared: Declaration) -> str:
    """The fault of a declaration; "" for none."""
    if problem := _spec_problem(declared.spec):
        return problem
    timeout = declared.timeout
    if timeout is not None and not (_is_number(timeout) and timeout > 0):
        return f"timeout={timeout!r} of @app.websocket must be seconds, or None to wait for ever"
    if declared.encoding not in ENCODINGS:
        known = '", "'.join(ENCODINGS)
        return f'encoding={declared.encoding!r} of @app.websocket must be one of "{known}"'
    if problem := protocols.problem(declared.protocols):
        return problem
    for name in ("onopen", "onclose"):
        hook = getattr(declared, name)
        if hook is not None and not callable(hook):
            return f"{name}={hook!r} of @app.websocket must be a function: def {name}(was)"
    if "GET" not in route.methods:
        return 'a WebSocket begins as a GET request: leave methods out of @app.route, or add "GET"'
    return _handler_problem(route.name, _written(route), declared)


def _spec_problem(spec: Any) -> str:
    if type(spec) is not int or spec <= 0 or spec & ~flags.KNOWN:
        return (
            f"@app.websocket does not know the spec {spec!r}: write skitai.WS_CHATTY,"
            " skitai.WS_COROUTINE or skitai.WS_REPORTY"
        )
    if spec & flags.WS_COROUTINE and spec & flags.WS_REPORTY:
        return "WS_COROUTINE goes with neither WS_REPORTY nor WS_CHATTY: choose one of the three"
    if not spec & (flags.WS_COROUTINE | flags.WS_REPORTY | flags.WS_SESSION):
        return (
            f"the spec {spec} of @app.websocket has flags only: add skitai.WS_CHATTY,"
            " skitai.WS_COROUTINE or skitai.WS_REPORTY"
        )
    return ""


def _handler_problem(name: str, handler: Handler, declared: Declaration) -> str:
    if not declared.is_reporty:
        if inspect.isgeneratorfunction(handler) or inspect.iscoroutinefunction(handler):
            return ""
        kind = "WS_COROUTINE" if declared.spec & flags.WS_COROUTINE else "WS_CHATTY"
        wait = "yield was.Input()" if kind == "WS_COROUTINE" else "yield"
        return (
            f"{name} must be a generator function (msg = {wait} … yield answer) or async def"
            f" without yield, for @app.websocket with {kind}"
        )
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        return f"{name} is called for each message and cannot yield: use WS_CHATTY or WS_COROUTINE"
    if message_parameter(handler) is None:
        return (
            f"{name} must take the client's message after the context, for @app.websocket with"
            f" WS_REPORTY: def {name}(was, message)"
        )
    return ""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _leader(written: Handler, declared: Declaration) -> Leader:
    in_pool = not declared.spec & flags.WS_NOPOOL
    if declared.is_reporty:
        return _reporter(written, in_pool=in_pool)
    if inspect.iscoroutinefunction(written):
        return lambda was, socket, handler, params: handler(was, **params)
    if declared.spec & flags.WS_COROUTINE:
        return lambda was, socket, handler, params: coroutine.drive(
            was, socket, lambda: handler(was, **params), in_pool=in_pool
        )
    return lambda was, socket, handler, params: chatty.converse(
        was, socket, lambda: handler(was, **params), in_pool=in_pool
    )


def _reporter(written: Handler, *, in_pool: bool) -> Leader:
    # What an `async def` handler gives is awaited on the loop, where it may as well be called.
    in_pool = in_pool and not inspect.iscoroutinefunction(written)
    return lambda was, socket, handler, params: reporty.report(
        was, socket, lambda message: handler(was, message, **params), in_pool=in_pool
    )


def _encoding(route: Route, declared: Declaration) -> Encoding:
    """How messages are written: JSON as the type of the handler's parameter, if that has one.

    Raises:
        SetupError: nothing can be converted to the type.
    """
    encoding = ENCODINGS[declared.encoding]
    message = message_parameter(_written(route)) if declared.is_reporty else None
    if message is None or declared.encoding != "json":
        return encoding
    read = json_reader(route, message)
    return encoding if read is None else typed_json(read)


def _answering(
    handler: Handler, lead: Leader, declared: Declaration, encoding: Encoding
) -> Handler:
    message = message_parameter(inspect.unwrap(handler)) if declared.is_reporty else None
    is_named = message is not None and message.kind is not inspect.Parameter.POSITIONAL_ONLY
    taken = message.name if message is not None and is_named else None
    is_coroutine = inspect.iscoroutinefunction(inspect.unwrap(handler))
    has_grace = not declared.is_reporty and (
        is_coroutine or bool(declared.spec & flags.WS_COROUTINE)
    )
    return conversation.answering(
        handler, lead, declared, encoding, taken=taken, has_grace=has_grace
    )
