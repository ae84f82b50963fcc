"""The wire form of messages, and the conversion of handlers' values into messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

Message = str | bytes


class Malformed(ValueError):
    """A client's message does not fit the route's encoding."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a connection writes and reads messages.

    Attributes:
        encode: a message of a value that a handler sends; raises TypeError for one it cannot.
        decode: the value that a handler gets for a client's message; raises Malformed. None if it
            is the message itself.
    """

    encode: Callable[[Any], Message]
    decode: Callable[[Message], Any] | None


def encode_text(value: Any) -> Message:
    """Text as text, bytes as binary, dict and list as JSON text.

    Raises:
        TypeError: the value is none of these.
    """
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    raise TypeError(f"a WebSocket sends str, bytes, dict or list, not {type(value).__name__}")


def _encode_binary(value: Any) -> Message:
    message = encode_text(value)
    return message.encode() if isinstance(message, str) else message


def _decode_binary(message: Message) -> bytes:
    return message.encode() if isinstance(message, str) else message


def _encode_json(value: Any) -> Message:
    return orjson.dumps(value).decode()


def _decode_json(message: Message) -> Any:
    try:
        return orjson.loads(message)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"no JSON: {error}") from None


ENCODINGS = {
    "text": Encoding(encode_text, None),
    "binary": Encoding(_encode_binary, _decode_binary),
    "json": Encoding(_encode_json, _decode_json),
}
"""By the name that `@app.websocket(encoding=...)` gives."""
