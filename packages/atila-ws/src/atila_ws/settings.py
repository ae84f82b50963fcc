"""The settings of this layer."""

from typing import Any

DEFAULTS: dict[str, Any] = {
    "WS_MAX_MESSAGE": 1024 * 1024,
    "WS_SEND_BUFFER": 1024 * 1024,
    "WS_SEND_TIMEOUT": 30.0,
    "WS_DELIVERY_TIMEOUT": 5.0,
    "WS_GRACE": 10.0,
}
"""Settings and their defaults:

- WS_MAX_MESSAGE: bytes of a message from a client; a larger one closes the connection with 1009.
- WS_SEND_BUFFER: bytes that may wait for a client to take them; who sends more waits. A client that
  leaves twice as much of what others send to it is closed with 1008.
- WS_SEND_TIMEOUT: seconds that a client may take nothing; then the connection is closed with 1008.
- WS_DELIVERY_TIMEOUT: seconds that `app.websocket_send` waits for the client to take the message;
  what is not sent by then is withdrawn.
- WS_GRACE: seconds that an `async def` handler or a coroutine has after its connection ended; then
  it is cancelled.
"""
