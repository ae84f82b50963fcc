"""One session within one request: the content of its cookie, its expiry, its writing."""

from __future__ import annotations

import logging
import math
import secrets
import time
from typing import TYPE_CHECKING, Any

from atila.runtime.keeping import kept
from atila_auth.sealing import revocations
from atila_auth.sealing.cookie import SealedCookie, on_headers
from atila_auth.sealing.keys import is_time
from atila_auth.sealing.seal import dump
from atila_auth.sessions import late_changes as records

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import Header

IMPENDING = 0.2
"""Part of its time that a session has left when its end is impending."""

_LOGGED = "routes whose lost values were logged"

log = logging.getLogger("atila.auth")


class SessionState:
    """A session. Its cookie is read at the first use, and written if needed.

    Args:
        was: the request.
        cookie: the cookie that holds it.
        timeout: seconds from its last change to its end.
        extend: whether a change moves its end; else it ends `timeout` after its beginning.

    Attributes:
        values: its contents, by name.
    """

    __slots__ = (
        "_before",
        "_began",
        "_cookie",
        "_ends",
        "_extend",
        "_extended",
        "_id",
        "_is_altered",
        "_is_known",
        "_is_sent",
        "_old_ids",
        "_seen",
        "_timeout",
        "_was",
        "values",
    )

    def __init__(self, was: Was, cookie: SealedCookie, timeout: float, *, extend: bool) -> None:
        self._was = was
        self._cookie = cookie
        self._timeout = timeout
        self._extend = extend
        self._is_sent = self._is_altered = self._is_known = False
        self._old_ids: list[str] = []
        self._begin()
        self._load()
        on_headers(was, self._headers)

    # Reading ------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Be a session that nobody knows of yet."""
        self.values: dict[str, Any] = {}
        self._before = b"{}"
        self._id = ""
        self._seen = 0
        self._began = self._extended = time.time()
        self._ends = self._began + self._timeout

    def _load(self) -> None:
        found = self._cookie.read()
        if found is None:
            return
        # Whatever is wrong with it, the client is to forget it when there is a new one.
        session_id, began, extended, ends, seen, values = found
        if ends <= time.time():
            return
        record = records.find(revocations.of(self._was), session_id)
        if record.is_over:
            return
        self._is_known = True
        self._id, self._began, self._extended, self._ends = session_id, began, extended, ends
        self.values, self._seen = values, seen
        self._before = dump(values)
        if record.last > seen:
            self._merge(record)

    def _merge(self, record: records.Record) -> None:
        """Take over changes that came too late for the cookie."""
        merged = record.applied(self.values, self._seen)
        if not self._cookie.fits(self._content(merged)):
            # Each of them did, when it was set; together they would fail this client for ever.
            log.warning("values set after the start of an answer do not fit into the session")
            return
        self.values, self._seen = merged, record.last
        self._is_altered = True

    @property
    def id(self) -> str:
        """Identifies the session, if it comes to be one; not known to its client."""
        if not self._id:
            self._id = secrets.token_urlsafe(16)
        return self._id

    @property
    def is_known(self) -> bool:
        """Whether the client has a cookie of it."""
        return self._is_known

    def use_time(self) -> float:
        """Seconds since it began."""
        return max(0.0, time.time() - self._began)

    def impending(self) -> bool:
        """Whether no more than a fifth of its time remains."""
        return self._ends - time.time() <= (self._ends - self._extended) * IMPENDING

    # Changing -----------------------------------------------------------------------------------

    def set(self, name: str, value: Any) -> None:
        """Set a value.

        Raises:
            TypeError: the name is no str, or the value is one that JSON has no type for.
            ValueError: it does not fit into a cookie any more.
        """
        if not isinstance(name, str):
            raise TypeError(f"a name in a session must be a str, not {type(name).__name__}")
        try:
            self._cookie.check(self._content({**self.values, name: value}))
        except TypeError as error:
            raise TypeError(
                f"the value of {name!r}, {type(value).__name__}, cannot be kept in a session:"
                f" {error}"
            ) from None
        self.values[name] = value
        self._change(name, [value])

    def remove(self, name: str) -> None:
        """Remove a value.

        Raises:
            KeyError: there is none.
        """
        del self.values[name]
        self._change(name, [])

    def _change(self, name: str, value: list[Any]) -> None:
        if not self._is_late():
            self._is_altered = True
            if self._extend:
                self.touch()
        elif self._is_known:
            left = max(0.0, self._ends - time.time())
            records.change(revocations.of(self._was), self.id, name, value, left + self._timeout)
        else:
            self._tell_lost(name)

    def _tell_lost(self, name: str) -> None:
        route = self._was.endpoint.route
        logged: set[str] = kept(self._was.app, _LOGGED, set)
        if route.rule in logged:
            return  # Once: whoever has no session could fill the log.
        logged.add(route.rule)
        log.warning(
            "%s: the value %r of its session is lost, as are others: the answer has begun, and the"
            " client has no session yet; set something in the session in a request before",
            route.name or route.rule,
            name,
        )

    def touch(self) -> None:
        """Have it end `timeout` from now, if that is later than its end is."""
        if time.time() + self._timeout >= self._ends:
            self.set_expiry(self._timeout)

    def set_expiry(self, seconds: float) -> None:
        """Have it end some seconds from now.

        Raises:
            ValueError: the time is not in the future.
            RuntimeError: the head of the answer has been sent.
        """
        if not is_time(seconds):
            raise ValueError(f"a session ends some seconds from now, not {seconds!r}")
        self._write()
        self._extended = time.time()
        self._ends = self._extended + seconds

    def rotate(self) -> None:
        """Go on under another id; cookies of the one before are refused from now on.

        Raises:
            RuntimeError: the head of the answer has been sent.
        """
        self._write()
        if self._is_known:
            self._old_ids.append(self.id)
        self._id, self._seen = secrets.token_urlsafe(16), 0

    def expire(self) -> None:
        """End it; all its cookies are refused from now on. Later values begin another session."""
        if self._is_known:
            self._old_ids.append(self.id)
            self._end_old_ids()
        self._is_known, self._is_altered = False, True
        self._begin()

    def _end_old_ids(self) -> None:
        # Another request may have extended it meanwhile.
        longest = max(self._ends - time.time(), self._ends - self._extended, self._timeout)
        while self._old_ids:
            lasts = longest + revocations.SLACK
            records.end(revocations.of(self._was), self._old_ids.pop(), lasts)

    # Writing ------------------------------------------------------------------------------------

    def _is_late(self) -> bool:
        """Whether changes can no longer be sent to the client."""
        return self._is_sent or self._was.headers_sent

    def _write(self) -> None:
        if self._is_late():
            raise RuntimeError(
                "the answer has begun: its session can be given no other end or id any more"
            )
        self._is_altered = True

    def _content(self, values: dict[str, Any]) -> list[Any]:
        times = [round(at, 3) for at in (self._began, self._extended, self._ends)]
        return [self.id, *times, self._seen, values]

    def _headers(self) -> list[Header]:
        """The headers of the answer; see `Response.on_headers`."""
        if not self._is_sent and not self._is_altered and dump(self.values) != self._before:
            # A list or dict in it has been changed in place.
            self._is_altered = True
            if self._extend:
                self.touch()
        if not self._is_altered:
            self._is_sent = True
            return []
        if self.values or self._is_known:
            left = max(1, math.ceil(self._ends - time.time()))
            headers = [self._cookie.header(self._content(self.values), left)]
            self._is_known = True
            # Not before: if the request fails, the client goes on with the old one.
            self._end_old_ids()
        else:
            has_cookie = self._cookie.name in self._was.cookie
            headers = [self._cookie.removal()] if has_cookie else []
        self._is_sent = True
        return headers
