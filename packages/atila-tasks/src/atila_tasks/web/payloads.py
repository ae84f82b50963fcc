"""Bodies of outgoing requests: JSON, a form, text, bytes, a file, uploads."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

from atila.http.forms import FORM_TYPE, JSON_TYPE, media_type
from atila.values import json

BINARY_TYPE = "application/octet-stream"
TEXT_TYPE = "text/plain; charset=utf-8"

FileContent = bytes | Path | IO[bytes]


@dataclass(frozen=True, slots=True)
class Part:
    """One field of an upload (RFC 7578).

    Raises:
        ValueError: a name or the media type has a line break in it.

    Attributes:
        name: the name of the field.
        content: text, bytes, an open file, or where the file is.
        filename: the name of a file; None for a plain field.
        content_type: the media type of a file; None to leave it to the name.
    """

    name: str
    content: str | FileContent = field(repr=False)
    filename: str | None = None
    content_type: str | None = None

    def __post_init__(self) -> None:
        for text in (self.name, self.filename or "", self.content_type or ""):
            if any(sign in text for sign in "\r\n\0"):
                raise ValueError(f"the field {self.name!r} of an upload has a line break in a name")


@dataclass(frozen=True, slots=True)
class Multipart:
    """The fields of an upload."""

    parts: tuple[Part, ...]

    @property
    def replayable(self) -> bool:
        """Whether it can be sent a second time: an open file is read only once."""
        return not any(hasattr(part.content, "read") for part in self.parts)


@dataclass(frozen=True, slots=True)
class Stream:
    """A body that is sent while it is made.

    Attributes:
        pieces: makes its pieces.
        replayable: whether it makes them a second time.
    """

    pieces: Callable[[], AsyncIterator[bytes]]
    replayable: bool = False


Body = bytes | Path | Multipart | Stream | None


def is_replayable(body: Body) -> bool:
    """Whether a body can be sent a second time."""
    return not isinstance(body, Multipart | Stream) or body.replayable


def encode(payload: Any, content_type: str | None) -> tuple[Body, str | None]:
    """A payload as a body, and its media type.

    Args:
        payload: None, bytes, str, the path of a file, or data for JSON; a dict makes a form where
            the media type says so.
        content_type: the media type, if the caller gave one.

    Raises:
        TypeError: it cannot be written as JSON, or as a form.
    """
    if payload is None:
        return None, content_type
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload), content_type or BINARY_TYPE
    if isinstance(payload, str):
        return payload.encode(), content_type or TEXT_TYPE
    if isinstance(payload, Path):
        return payload, content_type or BINARY_TYPE
    if media_type(content_type) == FORM_TYPE:
        return _form(payload), content_type
    if media_type(content_type) == "multipart/form-data":
        raise TypeError("multipart/form-data is sent by upload(path, fields)")
    return json.dumps(payload), content_type or JSON_TYPE


def _form(payload: Any) -> bytes:
    if not isinstance(payload, Mapping):
        raise TypeError(f"a form is a dict, not {type(payload).__name__}")
    for name, value in payload.items():
        if value is None or isinstance(value, Mapping):
            raise TypeError(f"the field {name!r} of a form is a {type(value).__name__}")
    return urlencode(payload, doseq=True).encode()


def multipart(fields: Mapping[str, Any]) -> Multipart:
    """The fields of an upload.

    Args:
        fields: by name: text or a number; for a file its path, an open file, an item of
            `was.request.files`, or (filename, content) and (filename, content, media type), whose
            content is bytes, a path or an open file. A list for several of one name.

    Raises:
        TypeError: a value is none of these.
    """
    parts: list[Part] = []
    for name, value in fields.items():
        several = value if isinstance(value, list) else [value]
        parts += [_part(str(name), one) for one in several]
    return Multipart(tuple(parts))


def _part(name: str, value: Any) -> Part:
    if isinstance(value, tuple) and len(value) in (2, 3):
        filename, content, content_type = (*value, None)[:3]
        if isinstance(content, str):
            content = content.encode()
        if isinstance(content, bytes | Path) or hasattr(content, "read"):
            return Part(name, content, str(filename), content_type)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        return Part(name, str(value))
    elif isinstance(value, Path):
        return Part(name, value, value.name)
    elif hasattr(value, "mimetype") and hasattr(value, "path"):
        # An uploaded file, passed on.
        return Part(name, Path(value.path), value.name, value.mimetype)
    elif hasattr(value, "read"):
        path = getattr(value, "name", None)
        return Part(name, value, os.path.basename(path) if isinstance(path, str) else name)
    raise TypeError(
        f"the field {name!r} of an upload is a {type(value).__name__}; give text, a path, an open"
        " file, or (filename, content, media type)"
    )
