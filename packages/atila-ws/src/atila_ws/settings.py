"""The settings of this layer."""

from atila.app.settings import Setting, number, seconds

SETTINGS: dict[str, Setting] = {
    "WS_MAX_MESSAGE": number(1024 * 1024),
    "WS_SEND_BUFFER": number(1024 * 1024),
    "WS_SEND_TIMEOUT": seconds(30.0),
    "WS_DELIVERY_TIMEOUT": seconds(5.0),
    "WS_GRACE": seconds(10.0),
    "EVENT_HISTORY": number(1000, 0),
    "EVENT_HISTORY_SECONDS": seconds(3600.0, is_positive=True),
}
"""Settings and their defaults:

- WS_MAX_MESSAGE: bytes of a message from a client; a larger one closes the connection with 1009.
- WS_SEND_BUFFER: bytes that may wait for a client to take them; senders of more wait. A client that
  leaves twice as much untaken is closed with 1008.
- WS_SEND_TIMEOUT: seconds that a client may take nothing; then the connection is closed with 1008.
- WS_DELIVERY_TIMEOUT: seconds that `app.websocket_send` waits for the client to take the message; a
  message that is not sent by then is withdrawn.
- WS_GRACE: seconds that an `async def` handler or a coroutine has after its connection ended; then
  it is cancelled.
- EVENT_HISTORY: messages of `app.broadcast` that are kept of each room, for event streams that were
  interrupted; 0 for none.
- EVENT_HISTORY_SECONDS: how long they are kept, after the last message of the room.
"""
