"""`@app.websocket`: declares a WebSocket handler until the app is mounted."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atila import SetupError
from atila.errors import source_of
from atila.routing import notes
from atila.serving.provision import supplied
from atila.typevars import Context, Function, Hook
from atila_ws.flags import WS_CHATTY, WS_REPORTY, WS_SESSION

if TYPE_CHECKING:
    from atila import Atila


@dataclass(frozen=True, slots=True)
class Declaration:
    """The arguments of `@app.websocket` for one handler, not checked yet."""

    spec: int
    timeout: float | None
    onopen: Callable[..., Any] | None
    onclose: Callable[..., Any] | None
    encoding: str
    origins: Sequence[str] | None
    protocols: Sequence[str] | None

    @property
    def is_reporty(self) -> bool:
        """Whether the handler is called for each message."""
        return self.spec & (WS_REPORTY | WS_SESSION) == WS_REPORTY


def websocket(
    app: Atila,
    spec: int = WS_CHATTY,
    timeout: float | None = 60,
    onopen: Hook[Context] | None = None,
    onclose: Hook[Context] | None = None,
    *,
    encoding: str = "text",
    origins: Sequence[str] | None = None,
    protocols: Sequence[str] | None = None,
) -> Callable[[Function], Function]:
    """Have a handler lead a conversation over a WebSocket. To stand under `@app.route(...)`.

    With WS_CHATTY it is a generator function, called once for each connection:

        while True:
            message = yield                 # waits; None when the connection has ended
            if not message:
                break
            yield "ECHO: " + message        # sends

    Its steps run in worker threads and may block. With WS_COROUTINE it is one that waits on the
    task loop, for messages by `yield was.Input()`, for tasks by yielding them. With WS_REPORTY it
    is a function (was, message) that is called for each message, in a worker thread, one message of
    a client after the other; its result is sent unless it is None. With WS_NOPOOL everything
    runs on the task loop, where nothing may block.

    An `async def` function runs on the task loop: for each message with WS_REPORTY, else for the
    whole conversation, in which it uses `was.websocket`:

        async for message in was.websocket:
            await was.websocket.send("ECHO: " + message)

    The connection is closed with 1000 when the handler ends, and with 1011 when it raises.

    Args:
        app: the app.
        spec: WS_CHATTY, WS_COROUTINE or WS_REPORTY, and flags.
        timeout: seconds that the handler waits for a message, after which the connection is closed
            with 1001, as Jetty and Tomcat do; None waits for ever.
        onopen: onopen(was), called in a worker thread before the handshake is answered; if it
            raises, the handshake is refused. The answer carries the cookies and the session that it
            sets.
        onclose: onclose(was), called in a worker thread when the connection is closed: exactly once
            for each that `onopen` has let in, however it ended. Both may take values of providers,
            the same as the handler's.
        encoding: "text", messages as they come: str or bytes; "binary", bytes only; "json", any
            values: a message that is not JSON closes the connection with 1007.
        origins: whose pages may open it, besides those of the same host: ["https://example.com"],
            or ["*"] for all; if not given, those that the CORS setting names.
        protocols: the subprotocols that the handler speaks: ["graphql-transport-ws"]. The client's
            first one among them is `was.websocket.protocol`; None if it asks for none. A client
            that asks for others only is refused, with 400. If not given, none is ever chosen.
    """
    if callable(spec):
        raise SetupError(
            "@app.websocket needs its spec: @app.websocket(skitai.WS_CHATTY, 60)", source_of(spec)
        )
    opened, closed = _supplied(app, onopen), _supplied(app, onclose)
    declared = Declaration(spec, timeout, opened, closed, encoding, origins, protocols)

    def decorate(function: Function) -> Function:
        notes.check_order(app, function, "websocket")
        notes.add(function, declared, "websocket")
        if type(spec) is int and declared.is_reporty:
            _hide_message(function)
        return function

    return decorate


def _supplied(app: Atila, hook: Any) -> Any:
    """A hook, with values of providers; one that cannot be called is reported at the mount."""
    return supplied(app, hook, 1) if callable(hook) else hook


@dataclass(frozen=True, slots=True)
class _Whole:
    """The note of a function whose message is hidden: its signature with that."""

    signature: inspect.Signature


def _hide_message(function: Callable[..., Any]) -> None:
    """Leave the message, which no request gives, out of the signature that core inspects."""
    whole = _whole(function)
    taken = message_parameter(function)
    if taken is not None:
        notes.add(function, _Whole(whole), "websocket")
        rest = [p for p in whole.parameters.values() if p.name != taken.name]
        function.__signature__ = whole.replace(parameters=rest)  # type: ignore[attr-defined]


def _whole(function: Callable[..., Any]) -> inspect.Signature:
    noted = notes.of(function, _Whole)
    return noted[0].signature if noted else inspect.signature(function)


def message_parameter(function: Callable[..., Any]) -> inspect.Parameter | None:
    """The parameter of a WS_REPORTY handler that gets the message: the one after the context."""
    parameters = list(_whole(function).parameters.values())[1:2]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return next((p for p in parameters if p.kind in kinds), None)


def declaration_of(function: Callable[..., Any]) -> Declaration | None:
    """The declaration of `@app.websocket` on a function; None if there is none."""
    return next(iter(notes.of(function, Declaration)), None)
