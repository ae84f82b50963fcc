"""WebSocket for Atila: the layer "ws"."""

from atila import PROTOCOL, Layer
from atila.http.events import RoomEvents
from atila_ws import listeners, names
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
from atila_ws.settings import SETTINGS

layer = Layer(
    name="ws",
    protocol=PROTOCOL,
    was=names.WasOfWebSocket,
    app=names.AppOfWebSocket,
    config=SETTINGS,
    # The other numbers are Skitai's own.
    exports={"WS_COROUTINE": WS_COROUTINE},
    responders={RoomEvents: listeners.respond},
    compile=compile_route,
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
