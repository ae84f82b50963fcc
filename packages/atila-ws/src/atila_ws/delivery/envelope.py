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
        until: on this host's monotonic clock; later it is not delivered any more, so that a sender
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

    def pack(self, ahead: float = 0.0) -> bytes:
        """As bytes.

        Args:
            ahead: seconds by which the clock of those that will read it is ahead of our monotonic
                one; see `unpack`.
        """
        until = self.until + ahead
        fields = [self.to, self.kind, self.is_room, self.space, until, self.event, self.mark]
        head = orjson.dumps(fields)
        value = self.value if isinstance(self.value, bytes) else self.value.encode()
        return len(head).to_bytes(_HEAD, "big") + head + value

    @classmethod
    def unpack(cls, data: bytes, ahead: float = 0.0) -> Envelope:
        """The envelope that some bytes are.

        Args:
            ahead: seconds by which the clock of its sender was ahead of our monotonic one.
        """
        end = _HEAD + int.from_bytes(data[:_HEAD], "big")
        to, kind, is_room, space, until, *rest = orjson.loads(data[_HEAD:end])
        value = data[end:]
        message = value if kind == "bytes" else value.decode()
        return cls(to, kind, message, is_room, space, until - ahead, *rest)
