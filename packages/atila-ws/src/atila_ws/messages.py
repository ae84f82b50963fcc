"""The wire form of messages, and the conversion of handlers' values into messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from atila.errors import HTTPError
from atila.values import json
from atila.values.models import is_model, to_json

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
    """Text as text, bytes as binary, dicts, lists and models as JSON text.

    Raises:
        TypeError: the value is none of these.
    """
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, dict | list) or is_model(type(value)):
        return _encode_json(value)
    kind = type(value).__name__
    hint = ""
    if hasattr(type(value), "__await__"):
        hint = ": WS_COROUTINE is for handlers that yield what they wait for"
    raise TypeError(f"a WebSocket sends str, bytes, dict, list or a model, not {kind}{hint}")


def _encode_binary(value: Any) -> Message:
    message = encode_text(value)
    return message.encode() if isinstance(message, str) else message


def _decode_binary(message: Message) -> bytes:
    return message.encode() if isinstance(message, str) else message


def _encode_json(value: Any) -> Message:
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("this WebSocket sends JSON; bytes alone are a message of another encoding")
    return to_json(value).decode()


def _decode_json(message: Message) -> Any:
    try:
        return json.loads_sent(message)
    except json.NotJSON as error:
        raise Malformed(f"no JSON: {error}") from None


def typed_json(read: Callable[[bytes], Any]) -> Encoding:
    """JSON whose messages are of a type.

    Args:
        read: the value of a message; raises HTTPError for one that is none.
    """

    def decode(message: Message) -> Any:
        try:
            return read(message.encode() if isinstance(message, str) else message)
        except (HTTPError, UnicodeEncodeError) as error:
            raise Malformed(getattr(error, "detail", "no JSON")) from None

    return Encoding(_encode_json, decode)


ENCODINGS = {
    "text": Encoding(encode_text, None),
    "binary": Encoding(_encode_binary, _decode_binary),
    "json": Encoding(_encode_json, _decode_json),
}
"""By the name that `@app.websocket(encoding=...)` gives."""
