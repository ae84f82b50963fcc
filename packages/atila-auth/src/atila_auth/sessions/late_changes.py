"""Session data that workers share by session id: ended sessions, and changes made after the cookie
was sent.

A session is in its cookie. Copies of the cookie do not end with the session, so ended sessions are
noted here, and looked up for each session that is read. Changes by a WebSocket, or by a stream that
has begun, cannot be sent to the client; they are kept here with a number. A cookie has the number
of the last change that it contains, and gets later ones when it is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from atila.values import json
from atila_auth.sealing.seal import dump

if TYPE_CHECKING:
    from atila.runtime.shared import Shared

_SPACE = "sessions"
_OVER = b"null"


@dataclass(frozen=True, slots=True)
class Record:
    """The shared data of a session besides its cookie.

    Attributes:
        is_over: it has been ended, or has another id now.
        last: the number of the last change.
        changes: by name, the number of the change, and in a list the value, or nothing if the
            name was removed.
    """

    is_over: bool = False
    last: int = 0
    changes: dict[str, tuple[int, list[Any]]] = field(default_factory=dict)

    def applied(self, values: dict[str, Any], seen: int) -> dict[str, Any]:
        """The values of a session with the changes that it does not know.

        Args:
            values: the values of the session.
            seen: the number of the last change that it knows.
        """
        applied = dict(values)
        for name, (number, value) in self.changes.items():
            if number <= seen:
                continue
            if value:
                applied[name] = value[0]
            else:
                applied.pop(name, None)
        return applied


_NOTHING = Record()


def find(shared: Shared, session_id: str) -> Record:
    """The shared data of a session."""
    found = shared.get(_SPACE, session_id)
    if found is None:
        return _NOTHING
    if found == _OVER:
        return Record(is_over=True)
    last, changes = json.loads(found)
    return Record(False, last, changes)


def end(shared: Shared, session_id: str, seconds: float) -> None:
    """Have all cookies of a session refused.

    Args:
        shared: the state.
        session_id: the id of the session.
        seconds: the time that any of them may still be valid.
    """
    shared.set(_SPACE, session_id, _OVER, seconds)


def change(shared: Shared, session_id: str, name: str, value: list[Any], seconds: float) -> None:
    """Keep a change that no cookie can bring to the client.

    Args:
        shared: the state.
        session_id: the id of the session.
        name: the name of the value.
        value: the value in a list, or [] if it is removed.
        seconds: the time that it is kept.

    Raises:
        TypeError: it is a value that JSON has no type for.
    """
    with shared.lock(_SPACE):
        record = find(shared, session_id)
        if record.is_over:
            return
        number = record.last + 1
        changes = {**record.changes, name: (number, value)}
        shared.set(_SPACE, session_id, dump([number, changes]), seconds)
