"""A message to the clients of another worker, and its form as bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from atila_ws.messages import Message, encode_text

_HEAD = 4
"""Bytes of the length that goes before the head."""


@dataclass(slots=True)
class Envelope:
    """A message and its recipients.

    Attributes:
        to: a client id, or the name of a room.
        kind: "text" or "bytes", which the connection's encoding will encode; "json" is text that
            is encoded already.
        value: the message.
        is_room: it is for a room.
        space: the name space of the app that the room is in.
        until: seconds since the epoch; later it is not delivered any more, so that a sender
            can rely on a report that it was not.
        event: for event streams as well: the name of the event, "" for the usual one; None for
            WebSockets alone.
        mark: its place in the history of the room, see `Mark`; "" if none is kept.
    """

    to: str
    kind: str
    value: Message
    is_room: bool = False
    space: str = ""
    until: float = 0.0
    event: str | None = None
    mark: str = ""

    @classmethod
    def of(cls, to: str, value: Any, **rest: Any) -> Envelope:
        """The envelope of a message that an app sends.

        Raises:
            TypeError: WebSockets cannot send a value of its type.
        """
        message = encode_text(value)
        kind = "json" if isinstance(value, dict | list) else "text"
        return cls(to, kind if isinstance(message, str) else "bytes", message, **rest)

    def pack(self) -> bytes:
        """As bytes."""
        fields = [self.to, self.kind, self.is_room, self.space, self.until, self.event, self.mark]
        head = orjson.dumps(fields)
        value = self.value if isinstance(self.value, bytes) else self.value.encode()
        return len(head).to_bytes(_HEAD, "big") + head + value

    @classmethod
    def unpack(cls, data: bytes) -> Envelope:
        """The parcel that some bytes are."""
        end = _HEAD + int.from_bytes(data[:_HEAD], "big")
        to, kind, *rest = orjson.loads(data[_HEAD:end])
        value = data[end:]
        return cls(to, kind, value if kind == "bytes" else value.decode(), *rest)
