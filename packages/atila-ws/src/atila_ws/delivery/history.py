"""The last messages of each room, in the shared state: for listeners that come back.

A message has a number, which goes up by one, and a room has an epoch: a token that was made with
the first of these numbers, so that those of another run, or of a room that was forgotten meanwhile,
are not taken for these.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from atila import Atila
    from atila.runtime.shared import Shared


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the messages of a room: the number of one, in an epoch; 0 is before the first."""

    epoch: str = ""
    number: int = 0

    def __str__(self) -> str:
        return f"{self.epoch}.{self.number}"

    @classmethod
    def of(cls, text: str) -> Mark | None:
        """The mark that a text is; None if it is none. Clients may send anything."""
        epoch, point, number = text.partition(".")
        if not point or not number.isascii() or not number.isdecimal() or len(number) > 18:
            return None
        return cls(epoch, int(number))


class History:
    """The last messages of the rooms of an app. Blocks; not for the task loop.

    Args:
        shared: the shared state.
        space: the name space of the app.
        length: how many messages of a room are kept.
        seconds: how long they are kept, and the room is known, after its last message.
    """

    def __init__(self, shared: Shared, space: str, length: int, seconds: float) -> None:
        self._shared = shared
        self._space = f"rooms {space}"
        self._length = length
        self._seconds = seconds

    def add(self, room: str, message: bytes) -> Mark:
        """Keep a message; its mark.

        Raises:
            SharedUnavailable: it could not be kept.
        """
        shared, space, seconds = self._shared, self._space, self._seconds
        with shared.lock(space):
            last = self.newest(room)
            epoch = last.epoch or secrets.token_urlsafe(6)
            mark = Mark(epoch, last.number + 1)
            # Before its number: a message that is known is there, also if this process is killed.
            shared.set(space, f"{mark} {room}", message, seconds)
            shared.set(space, f"newest {room}", orjson.dumps([epoch, mark.number]), seconds)
            if mark.number > self._length:
                shared.take(space, f"{Mark(epoch, mark.number - self._length)} {room}")
        return mark

    def newest(self, room: str) -> Mark:
        """The mark of the last message of a room.

        Raises:
            SharedUnavailable: it cannot be read.
        """
        found = self._shared.get(self._space, f"newest {room}")
        return Mark(*orjson.loads(found)) if found is not None else Mark()

    def between(self, room: str, after: Mark, last: Mark) -> Iterator[tuple[Mark, bytes]]:
        """The messages of a room after one mark up to another, as far as they are kept.

        Raises:
            SharedUnavailable: one cannot be read.
        """
        is_same = after.epoch == last.epoch and after.number <= last.number
        first = max(after.number if is_same else 0, last.number - self._length)
        for number in range(first + 1, last.number + 1):
            mark = Mark(last.epoch, number)
            message = self._shared.get(self._space, f"{mark} {room}")
            if message is not None:
                yield mark, message


def history_of(app: Atila) -> History | None:
    """The history of the rooms of an app; None if none is kept."""
    config, site = app.config, app.site
    if not config.EVENT_HISTORY:
        return None
    space = site.place_of(app)
    return History(site.shared, space, config.EVENT_HISTORY, config.EVENT_HISTORY_SECONDS)
