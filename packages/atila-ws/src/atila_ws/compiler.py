"""From a declared WebSocket handler to the steps of its route; mistakes are found here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila import SetupError, Steps
from atila_ws import chatty, conversation, specs
from atila_ws.declaration import Declaration, declaration_of

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.layers import Handler
    from atila.routing import Route
    from atila_ws.connection import WebSocket


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
    wrap = _wrap_generator if inspect.isgeneratorfunction(_written(route)) else _wrap_coroutine
    return Steps(wrap=lambda handler: wrap(handler, declared), websocket=True)


def _written(route: Route) -> Handler:
    """The handler without what decorators have put around it."""
    written: Handler = inspect.unwrap(route.handler)
    return written


def _problem(route: Route, declared: Declaration) -> str:
    """What is wrong with a declaration; "" if nothing is."""
    if problem := _spec_problem(declared.spec):
        return problem
    timeout = declared.timeout
    if timeout is not None and not (_is_number(timeout) and timeout > 0):
        return f"timeout={timeout!r} of @app.websocket must be seconds, or None to wait for ever"
    for name in ("onopen", "onclose"):
        hook = getattr(declared, name)
        if hook is not None and not callable(hook):
            return f"{name}={hook!r} of @app.websocket must be a function: def {name}(was)"
    if "GET" not in route.methods:
        return 'a WebSocket begins as a GET request: leave methods out of @app.route, or add "GET"'
    handler = _written(route)
    if not (inspect.isgeneratorfunction(handler) or inspect.iscoroutinefunction(handler)):
        return (
            f"{route.name} must be a generator function (msg = yield … yield answer) or async def"
            " without yield, for @app.websocket with WS_CHATTY"
        )
    return ""


def _spec_problem(spec: Any) -> str:
    if type(spec) is not int or spec <= 0 or spec & ~specs.KNOWN:
        return f"@app.websocket does not know the spec {spec!r}: write skitai.WS_CHATTY"
    if spec & specs.WS_COROUTINE:
        return "WS_COROUTINE is not there yet in this version of atila-ws: use WS_CHATTY"
    if spec & specs.WS_SESSION:
        return ""
    if spec & specs.WS_REPORTY:
        return "WS_REPORTY is not there yet in this version of atila-ws: use WS_CHATTY"
    return f"the spec {spec} of @app.websocket has flags only: add skitai.WS_CHATTY"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrap_generator(handler: Handler, declared: Declaration) -> Handler:
    in_pool = not declared.spec & specs.WS_NOPOOL

    def talk_of(was: Was, params: dict[str, Any]) -> conversation.Talk:
        return lambda socket: chatty.converse(
            was, socket, lambda: handler(was, **params), in_pool=in_pool
        )

    return _answering(talk_of, declared)


def _wrap_coroutine(handler: Handler, declared: Declaration) -> Handler:
    def talk_of(was: Was, params: dict[str, Any]) -> conversation.Talk:
        async def talk(socket: WebSocket) -> None:
            await conversation.coroutine(was, socket, handler(was, **params))

        return talk

    return _answering(talk_of, declared)


def _answering(
    talk_of: Callable[[Was, dict[str, Any]], conversation.Talk], declared: Declaration
) -> Handler:
    """The handler that core calls instead: `async`, for all of it runs on the task loop."""

    async def answer(was: Was, **params: Any) -> Any:
        return await conversation.run(was, talk_of(was, params), declared)

    return answer
