"""The layer's settings in `app.config`."""

from typing import Any

DEFAULTS: dict[str, Any] = {
    "WS_MAX_MESSAGE": 1024 * 1024,
    "WS_SEND_BUFFER": 1024 * 1024,
    "WS_SEND_TIMEOUT": 30.0,
    "WS_GRACE": 10.0,
}
"""Settings and their defaults:

- WS_MAX_MESSAGE: bytes of a message from a client; a larger one closes the connection with 1009.
- WS_SEND_BUFFER: bytes that may wait for a client to take them; who sends more waits.
- WS_SEND_TIMEOUT: seconds that a sender waits for that; then the connection is closed with 1008.
- WS_GRACE: seconds that an `async def` handler has after its connection ended; then it is
  cancelled.
"""
