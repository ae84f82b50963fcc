"""The names that this layer adds to `was` and to the app.

Functions stand here as they are, and are the methods of the app. What is only annotated is made at
its first use, by the factories of `Layer.was`.
"""

from __future__ import annotations

from atila_ws.connection import WebSocket
from atila_ws.declaration import websocket
from atila_ws.delivery.sending import websocket_broadcast, websocket_send


class WasOfWebSocket:
    """Names of `was`."""

    websocket: WebSocket
    """The open WebSocket, in handlers under `@app.websocket`, from `onopen` on."""


class AppOfWebSocket:
    """Names of the app."""

    websocket = websocket
    websocket_broadcast = websocket_broadcast
    websocket_send = websocket_send


# Core's stub imports all that stands here: the classes, and what Layer.exports has.
__all__ = ["AppOfWebSocket", "WasOfWebSocket"]
