"""WebSocket for Atila: the layer "ws"."""

from typing import Any

from atila import PROTOCOL, Layer
from atila.layers import names_of
from atila.was import Was
from atila_ws import names
from atila_ws.compiler import compile_route
from atila_ws.connection import WebSocket
from atila_ws.flags import (
    WS_CHATTY,
    WS_COROUTINE,
    WS_NOPOOL,
    WS_REPORTY,
    WS_SESSION,
    WS_THREADSAFE,
)
from atila_ws.settings import DEFAULTS


def _no_websocket(was: Was) -> Any:
    # An open connection stands in the context itself and is found before this.
    raise RuntimeError(
        f"{was.endpoint.route.name or 'this request'} has no open WebSocket: was.websocket is for"
        " handlers under @app.websocket, from onopen on"
    )


layer = Layer(
    name="ws",
    protocol=PROTOCOL,
    was={"websocket": _no_websocket},
    app=names_of(names.AppOfWebSocket),
    config=DEFAULTS,
    compile=compile_route,
    # The other numbers are Skitai's own.
    launch={"WS_COROUTINE": WS_COROUTINE},
)

__all__ = [
    "WS_CHATTY",
    "WS_COROUTINE",
    "WS_NOPOOL",
    "WS_REPORTY",
    "WS_SESSION",
    "WS_THREADSAFE",
    "WebSocket",
    "layer",
]
