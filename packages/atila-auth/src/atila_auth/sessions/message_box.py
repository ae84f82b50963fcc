"""`was.mbox`: messages for the next page that a client loads, in a sealed cookie."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from atila_auth.sealing import keys
from atila_auth.sealing.cookie import SealedCookie, on_headers

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import Header

COOKIE = "atila-mbox"

log = logging.getLogger("atila.auth")


class Message(NamedTuple):
    """A message.

    Attributes:
        message_id: identifies it in its box.
        category: any word: "notice".
        created: when it was sent, in seconds since the epoch.
        valid: seconds from then that it is shown; 0 if it is shown once.
        msg: the message.
        extra: the other arguments that it was sent with.
    """

    message_id: int
    category: str
    created: int
    valid: float
    msg: Any
    extra: dict[str, Any]

    @property
    def is_over(self) -> bool:
        """Whether its time is over."""
        return bool(self.valid) and self.created + self.valid <= time.time()

    def suits(self, key: str | None, value: Any) -> bool:
        """Whether a filter lets it pass: none, its category, or a pair of its extras."""
        if key is None:
            return True
        if value is None:
            return self.category == key
        return key in self.extra and bool(self.extra[key] == value)


class MessageBox:
    """The messages of a client.

    Args:
        was: the request.

    Raises:
        SetupError: the app has no securekey.
    """

    __slots__ = ("_cookie", "_is_altered", "_messages", "_was")

    def __init__(self, was: Was) -> None:
        secrets = keys.secrets_of(was.app, "was.mbox")
        self._was = was
        self._cookie = SealedCookie(was, COOKIE, "mbox", secrets)
        self._is_altered = False
        found = [Message(*fields) for fields in self._cookie.read() or ()]
        self._messages = [message for message in found if not message.is_over]
        on_headers(was, self._headers)

    def __len__(self) -> int:
        return len(self._messages)

    def __repr__(self) -> str:
        return f"<MessageBox: {len(self)} messages>"

    def send(self, msg: Any, category: str = "", valid: float = 0, **extra: Any) -> int:
        """Put a message into the box. If there is no room, the oldest ones make it.

        Args:
            msg: the message; a str, or another value of JSON.
            category: any word: "notice".
            valid: seconds that it is shown on every page; 0 if it is shown once.
            extra: more about it.

        Returns:
            The id of the message.

        Raises:
            TypeError: something in it is a value that JSON has no type for.
            ValueError: it does not even fit into a cookie alone.
            RuntimeError: the answer has begun, so it would never arrive.
        """
        if valid and not keys.is_time(valid):
            raise TypeError(f"a message is valid for some seconds, not {valid!r}")
        if self._was.headers_sent:
            raise RuntimeError("the answer has begun: no message can be sent with it any more")
        now = time.time()
        last = self._messages[-1].message_id if self._messages else 0
        message = Message(max(int(now * 1000), last + 1), category, int(now), valid, msg, extra)
        self._cookie.check([list(message)])
        kept = [*self._messages, message]
        while not self._cookie.fits(_plain(kept)):
            log.warning("the message box of a client is full: its oldest message is dropped")
            kept.pop(0)
        self._messages = kept
        self._is_altered = True
        return message.message_id

    def get(self, key: str | None = None, val: Any = None) -> list[Message]:
        """Take messages out; those that are valid for some time stay in.

        Args:
            key: None for all; a category; or with `val`, the name of an argument that they were
                sent with.
            val: the value of that argument.
        """
        found = [message for message in self._messages if message.suits(key, val)]
        self._drop([message for message in found if not message.valid])
        return found

    def search(self, key: str, val: Any = None) -> list[int]:
        """Ids of messages, which stay in.

        Args:
            key: a category; or with `val`, the name of an argument that they were sent with.
            val: the value of that argument.
        """
        return [message.message_id for message in self._messages if message.suits(key, val)]

    def remove(self, message_id: int) -> None:
        """Take a message out; nothing if there is none of this id."""
        self._drop([message for message in self._messages if message.message_id == message_id])

    def _drop(self, messages: list[Message]) -> None:
        if messages:
            gone = {message.message_id for message in messages}
            self._messages = [each for each in self._messages if each.message_id not in gone]
            self._is_altered = True

    def _headers(self) -> list[Header]:
        if not self._is_altered:
            return []
        if self._messages:
            return [self._cookie.header(_plain(self._messages), None)]
        return [self._cookie.removal()] if COOKIE in self._was.cookie else []


def _plain(messages: list[Message]) -> list[list[Any]]:
    return [list(message) for message in messages]
