"""Server-sent events: their values and their form on the wire (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from atila.values.models import is_model, to_json

EVENT_STREAM = ("content-type", "text/event-stream")
HEARTBEAT = b":\n\n"
"""A comment, which clients pass over."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream.

    Attributes:
        data: text as it is; dict, list, number, bool or a model as JSON. None for no data, so that
            clients dispatch nothing.
        event: the name under which a browser dispatches it; "" for "message".
        id: the browser sends it as Last-Event-ID when it connects again; None leaves the last one.
        retry: milliseconds after which it does so.
        comment: a text that clients pass over.

    Raises:
        TypeError: the data are nothing that can be sent.
        ValueError: a name, id or time that the format has no place for.
    """

    data: Any = None
    event: str = ""
    id: str | None = None
    retry: int | None = None
    comment: str | None = None
    text: str | None = field(init=False, repr=False, compare=False)
    """The data as text."""

    def __post_init__(self) -> None:
        for name in ("event", "id"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{name}= of an event is a str, not a {type(value).__name__}")
            if value and any(char in value for char in "\r\n\0"):
                raise ValueError(f"{name}={value!r} of an event has a line break or a NUL in it")
        retry = self.retry
        if retry is not None and (type(retry) is not int or retry < 0):
            raise ValueError(f"retry={retry!r} of an event: a whole number of milliseconds")
        object.__setattr__(self, "text", None if self.data is None else text_of(self.data))

    def encode(self) -> bytes:
        """The event as it is sent."""
        lines = [] if self.comment is None else [f": {line}" for line in _lines(self.comment)]
        if self.retry is not None:
            lines.append(f"retry: {self.retry}")
        if self.id is not None:
            lines.append(f"id: {self.id}")
        if self.event:
            lines.append(f"event: {self.event}")
        if self.text is not None:
            lines.extend(f"data: {line}" for line in _lines(self.text))
        return ("\n".join(lines) + "\n\n").encode()


def _lines(text: str) -> list[str]:
    # Not splitlines(), which knows more line ends than the format does.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def text_of(value: Any) -> str:
    """The data of an event: text as it is, all else as JSON.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list | tuple | int | float) or is_model(type(value)):
        return to_json(value).decode()
    raise TypeError(
        "an event has str, dict, list, a number or a model for its data, or is an Event; not"
        f" {type(value).__name__}"
    )


def encode(value: Any) -> bytes:
    """A value that a stream yields, as it is sent."""
    event = value if isinstance(value, Event) else Event(value)
    return event.encode()


Source = Iterable[Any] | AsyncIterable[Any]
"""Values of which each is an event: data, or an `Event`."""


class EventStream:
    """An answer that goes on: `return was.EventStream(updates())`.

    Args:
        source: an iterator or asynchronous iterator of the events.
        retry: milliseconds after which a client that lost the connection comes again; None leaves
            it to the client.
        heartbeat: seconds after which a silent stream sends a comment; None for the setting
            EVENT_HEARTBEAT.

    Raises:
        TypeError: the source is no iterator.
    """

    __slots__ = ("heartbeat", "retry", "source")

    def __init__(
        self, source: Source, *, retry: int | None = None, heartbeat: float | None = None
    ) -> None:
        _check_source(source)
        self.source = source
        _check(retry, heartbeat)
        self.retry = retry
        self.heartbeat = heartbeat


class RoomEvents(EventStream):
    """An answer that goes on with the messages of rooms; a layer turns it into an `EventStream`.

    Args:
        rooms: their names.
        retry: see `EventStream`.
        heartbeat: see `EventStream`.

    Raises:
        TypeError: the rooms are no list of names.
    """

    __slots__ = ("rooms",)

    def __init__(
        self, rooms: Sequence[str], *, retry: int | None = None, heartbeat: float | None = None
    ) -> None:
        is_list = isinstance(rooms, list | tuple) and rooms
        if not is_list or not all(isinstance(room, str) for room in rooms):
            raise TypeError(f'rooms={rooms!r} of an event stream is a list of names: ["orders"]')
        super().__init__((), retry=retry, heartbeat=heartbeat)
        self.rooms = tuple(dict.fromkeys(rooms))


def _check_source(source: object) -> None:
    is_iterable = hasattr(source, "__aiter__") or hasattr(source, "__iter__")
    if is_iterable and not isinstance(source, str | bytes | dict):
        return
    hint = ": call it, was.EventStream(updates())" if callable(source) else ""
    kind = type(source).__name__
    raise TypeError(f"was.EventStream takes a generator or a list, not a {kind}{hint}")


def _check(retry: int | None, heartbeat: float | None) -> None:
    Event(retry=retry)
    if heartbeat is not None and not heartbeat > 0:
        raise ValueError(f"heartbeat={heartbeat!r} of an event stream: seconds, above 0")
