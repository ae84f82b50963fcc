"""Details of hypercorn's HTTP/2 that ASGI does not expose.

Its `send` returns as soon as a client takes nothing more, so that a body would pile up in memory.
Relied on: `send` is a method of a stream (`stream_id`, `send`), whose `send` is one of the
connection, which has a buffer for each stream (`stream_buffers`; `buffer`, and `drain` to wait
until it is empty). That the client has left does not make it raise, either.
"""

from __future__ import annotations

from typing import Any

FULL = 65536
"""Bytes in a buffer from which on its sender waits."""


def buffer_of(send: Any) -> Any:
    """The buffer of sent bytes that the client has not taken yet; None if unknown."""
    stream = getattr(send, "__self__", None)
    connection = getattr(getattr(stream, "send", None), "__self__", None)
    buffers = getattr(connection, "stream_buffers", None)
    if not isinstance(buffers, dict):
        return None
    buffer = buffers.get(getattr(stream, "stream_id", None))
    return buffer if hasattr(buffer, "drain") and hasattr(buffer, "buffer") else None


async def wait_for_room(buffer: Any) -> None:
    """Return when the client has taken the buffered bytes, if they are many, or has left."""
    if len(buffer.buffer) >= FULL:
        await buffer.drain()
