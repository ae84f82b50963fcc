"""The names that this layer adds to `was` and to the app.

Functions stand here as they are, and are the methods of the app.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atila.layers import made
from atila_ws.connection import WebSocket
from atila_ws.declaration import websocket
from atila_ws.delivery.sending import broadcast, websocket_broadcast, websocket_send
from atila_ws.flags import WS_COROUTINE

if TYPE_CHECKING:
    from atila import Was


def no_websocket(was: Was) -> WebSocket:
    """Raise the error of `was.websocket` where there is none.

    An open connection stands in the context itself and is found before this.
    """
    raise RuntimeError(
        f"{was.endpoint.route.name or 'this request'} has no open WebSocket: was.websocket is for"
        " handlers under @app.websocket, from onopen on"
    )


class WasOfWebSocket:
    """Names of `was`."""

    websocket = made(no_websocket)
    """The open WebSocket, in handlers under `@app.websocket`, from `onopen` on."""


class AppOfWebSocket:
    """Names of the app."""

    broadcast = broadcast
    websocket = websocket
    websocket_broadcast = websocket_broadcast
    websocket_send = websocket_send


# Core's stub imports all that stands here: the classes, and what Layer.exports has.
__all__ = ["WS_COROUTINE", "AppOfWebSocket", "WasOfWebSocket"]
