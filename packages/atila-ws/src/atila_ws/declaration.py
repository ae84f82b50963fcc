"""`@app.websocket`: what it says of a handler, left on the handler until the app is mounted."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from atila import SetupError
from atila.errors import source_of
from atila_ws.specs import WS_CHATTY

if TYPE_CHECKING:
    from atila import Atila, Was

Function = TypeVar("Function", bound=Callable[..., Any])
Hook = Callable[["Was"], Any]

_MARK = "__atila_websocket__"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a handler was decorated with; see `websocket`. Not checked yet."""

    spec: int
    timeout: float | None
    onopen: Hook | None
    onclose: Hook | None


def websocket(
    app: Atila,
    spec: int = WS_CHATTY,
    timeout: float | None = 60,
    onopen: Hook | None = None,
    onclose: Hook | None = None,
) -> Callable[[Function], Function]:
    """Have a handler lead a conversation over a WebSocket. To stand under `@app.route(...)`.

    With WS_CHATTY it is a generator function, called once for each connection:

        while True:
            message = yield                 # waits; None when the connection has ended
            if not message:
                break
            yield "ECHO: " + message        # sends

    Its steps run in worker threads and may block; with WS_CHATTY | WS_NOPOOL they run on the task
    loop, where nothing may. Or it is an `async def` function, on the task loop, that uses
    `was.websocket`:

        async for message in was.websocket:
            await was.websocket.send("ECHO: " + message)

    The connection is closed with 1000 when the handler ends, and with 1011 when it raises.

    Args:
        app: the app.
        spec: WS_CHATTY, and flags.
        timeout: seconds that the handler waits for a message, after which the connection is closed
            with 1001, as Jetty and Tomcat do; None waits for ever.
        onopen: onopen(was), called in a worker thread when the connection is open, before the
            handler; if it raises, there is no conversation.
        onclose: onclose(was), called in a worker thread when the connection is closed: exactly once
            for each that was opened, however it ended.
    """
    if callable(spec):
        raise SetupError(
            "@app.websocket needs its spec: @app.websocket(skitai.WS_CHATTY, 60)", source_of(spec)
        )
    declared = Declaration(spec, timeout, onopen, onclose)

    def decorate(function: Function) -> Function:
        _check_order(app, function)
        try:
            setattr(function, _MARK, declared)
        except AttributeError:
            raise SetupError(
                f"@app.websocket decorates functions only; {function!r} is none",
                source_of(function),
            ) from None
        return function

    return decorate


def declaration_of(function: Callable[..., Any]) -> Declaration | None:
    """What `@app.websocket` said of a function; None if it said nothing."""
    return getattr(function, _MARK, None)


def _check_order(app: Atila, function: Callable[..., Any]) -> None:
    """Refuse to stand above @app.route where it would come too late for the route to know of it."""
    inner = inspect.unwrap(function)
    routed = [route.handler for route in app.routes]
    # Before the app is mounted the order does not matter, for nothing has been compiled: then the
    # route only has to have this very function, not one that another decorator wraps.
    mounted = app._site is not None
    if any(handler is function for handler in routed):
        late = mounted
    else:
        late = any(handler is inner for handler in routed)
    if late:
        raise SetupError(
            "@app.websocket must stand under @app.route, next to the function", source_of(inner)
        )
