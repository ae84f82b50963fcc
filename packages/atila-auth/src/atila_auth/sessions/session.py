"""`was.session`: data about a client, kept in sealed cookies."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from atila import SetupError
from atila_auth.sealing import keys
from atila_auth.sealing.cookie import SealedCookie
from atila_auth.sessions.state import SessionState

if TYPE_CHECKING:
    from atila import Atila, Was

COOKIE = "atila-session"
TIMEOUT = 1200
"""Seconds without a change after which a session ends, if the app says nothing else."""


def timeout_of(app: Atila) -> float:
    """Seconds without a change after which sessions of an app end: `pref.session_timeout`.

    Raises:
        SetupError: it is no number of seconds.
    """
    timeout = getattr(app, "session_timeout", TIMEOUT)
    if not keys.is_time(timeout):
        raise SetupError(
            f"session_timeout is {timeout!r}; it must be seconds: pref.session_timeout = {TIMEOUT}"
        )
    seconds: float = timeout
    return seconds


class Session(MutableMapping[str, Any]):
    """The session of a request: a dict of JSON values, kept in a cookie that only the app can read.

    Setting, altering or removing a value has the session end `session_timeout` from then, unless
    it ends later anyway; reading does not.

    Args:
        was: the request.

    Raises:
        SetupError: the app has no securekey.
    """

    __slots__ = ("_current", "_default", "_mounted", "_was")

    def __init__(self, was: Was) -> None:
        self._was = was
        self._mounted: dict[Any, SessionState] = {}
        self._default = self._current = self._state(
            COOKIE, None, None, None, None, None, None, extend=True
        )

    def _state(
        self,
        cookie: str,
        timeout: float | None,
        securekey: str | list[str] | None,
        path: str | None,
        domain: str | None,
        secure: bool | None,
        http_only: bool | None,
        *,
        extend: bool,
    ) -> SessionState:
        was = self._was
        if timeout is None:
            timeout = timeout_of(was.app)
        elif not keys.is_time(timeout):
            raise ValueError(f"session_timeout must be seconds, not {timeout!r}")
        if securekey is None:
            secrets = keys.secrets_of(was.app, "was.session")
        else:
            secrets = keys.checked(securekey, "the securekey of session.mount")
        place = SealedCookie(was, cookie, "session", secrets, path, domain, secure, http_only)
        if cookie != COOKIE:
            # A value that cannot be in a cookie fails where it is written.
            place.removal()
        return SessionState(was, place, timeout, extend=extend)

    def mount(
        self,
        name: str | None = None,
        session_timeout: float | None = None,
        securekey: str | list[str] | None = None,
        path: str | None = None,
        domain: str | None = None,
        secure: bool | None = None,
        http_only: bool | None = None,
        extend: bool = True,
    ) -> None:
        """Have `was.session` be another session from now on, in this request.

        Args:
            name: the name of that session; None for the default one, to which nothing else applies.
            session_timeout: seconds without a change after which it ends; None for the app's.
            securekey: a secret of its own, or a list of it and of old ones; None for the app's.
            path: the path where it is valid, with all below it; None for the mount point of the
                app.
            domain: the domain where it is valid, with all below it; None for this host alone.
            secure: only sent over https; None for the setting COOKIES_SECURE, and without it if
                this request came over https.
            http_only: not readable by scripts; None for yes.
            extend: whether changes move its end; else it ends `session_timeout` after it began.

        Raises:
            ValueError: one of these cannot be in a cookie, or is no time.
            SetupError: the secret is none.
        """
        if name is None:
            self._current = self._default
            return
        if not name:
            raise ValueError("the name of a session must not be empty")
        place = (name, path, domain, str(securekey))
        state = self._mounted.get(place)
        if state is None:
            state = self._mounted[place] = self._state(
                f"{COOKIE}-{name}",
                session_timeout,
                securekey,
                path,
                domain,
                secure,
                http_only,
                extend=extend,
            )
        self._current = state

    @property
    def default(self) -> SessionState:
        """The session that is not mounted."""
        return self._default

    # A dict -------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Any:
        return self._current.values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._current.set(name, value)

    def __delitem__(self, name: str) -> None:
        self._current.remove(name)

    def __iter__(self) -> Iterator[str]:
        # As it is now, so that it can be changed meanwhile.
        return iter(list(self._current.values))

    def __len__(self) -> int:
        return len(self._current.values)

    def __contains__(self, name: object) -> bool:
        return name in self._current.values

    def __repr__(self) -> str:
        # Without the values, which may be anybody's secret.
        return f"<Session: {', '.join(self)}>"

    def set(self, key: str, val: Any) -> None:
        """Set a value: None, a bool, number, str, or a list or dict of them.

        Raises:
            TypeError: it is a value that JSON has no type for.
            ValueError: it does not fit into a cookie any more.
        """
        self._current.set(key, val)

    def remove(self, key: str) -> None:
        """Remove a value; nothing if there is none."""
        self.pop(key, None)

    # Its time -----------------------------------------------------------------------------------

    def touch(self) -> None:
        """Have it end `session_timeout` from now, unless it ends later anyway."""
        self._current.touch()

    def set_expiry(self, timeout: float) -> None:
        """Have it end some seconds from now. Changes do not move an end that is later than theirs.

        Raises:
            ValueError: the time is not in the future.
            RuntimeError: the answer has begun.
        """
        self._current.set_expiry(timeout)

    def expire(self) -> None:
        """End it at once, for all copies of its cookie too."""
        self._current.expire()

    def use_time(self) -> float:
        """Seconds since it began."""
        return self._current.use_time()

    def impending(self) -> bool:
        """Whether no more than a fifth of its time remains."""
        return self._current.impending()

    def rotate(self) -> None:
        """Go on under another id, with the same values; to be called when somebody logs in, or gets
        other rights. Older copies of its cookie and of CSRF tokens are invalid then.

        Raises:
            RuntimeError: the answer has begun.
        """
        self._current.rotate()
