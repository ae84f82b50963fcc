"""Cookies whose content only the app can read or write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila.app import settings
from atila.http.cookies import MAX_SIZE, build, default_path
from atila_auth.sealing.keys import Secrets
from atila_auth.sealing.seal import dump, length_of, sealer

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import Header

SETTINGS = {
    "COOKIES_SECURE": settings.flag(None),
    "COOKIES_SAMESITE": settings.choice("Lax", "Lax", "Strict", "None"),
}
"""Settings of an app for its sealed cookies:

- COOKIES_SECURE: they are sent over https only; None for those that were set over https. True
  belongs where a server in front ends TLS.
- COOKIES_SAMESITE: "Lax"; "Strict", not even with links from elsewhere; "None", in pages of others.
"""


class _Headers:
    """The headers of an answer that depends on sealed cookies; see `Response.on_headers`."""

    __slots__ = ("sources",)

    def __init__(self) -> None:
        self.sources: list[Callable[[], list[Header]]] = []

    def __call__(self) -> list[Header]:
        cookies = [header for source in self.sources for header in source()]
        # No cache may give the answer to somebody else; nor a new cookie to all who have none.
        private = [("cache-control", "private")] if cookies else []
        return [("vary", "cookie"), *private, *cookies]


def on_headers(was: Was, provide: Callable[[], list[Header]]) -> None:
    """Have the Set-Cookie headers added that `provide` gives when the head is sent."""
    last = was.response.header_callbacks or ()
    headers = next((each for each in last if isinstance(each, _Headers)), None)
    if headers is None:
        headers = _Headers()
        was.response.on_headers(headers)
    headers.sources.append(provide)


class SealedCookie:
    """A cookie of one request. Its content is bound to its name, path and domain.

    Args:
        was: the request.
        name: the name of the cookie.
        purpose: see `Sealer`.
        secrets: the secrets of the app.
        path: the path where it is valid, with all below it; None for the mount point of the app.
        domain: the domain where it is valid, with all below it; None for this host alone.
        secure: only sent over https; None for the setting COOKIES_SECURE.
        http_only: not readable by scripts; None for yes.
    """

    __slots__ = (
        "_context",
        "_domain",
        "_http_only",
        "_name",
        "_path",
        "_sealer",
        "_secure",
        "_was",
    )

    def __init__(
        self,
        was: Was,
        name: str,
        purpose: str,
        secrets: Secrets,
        path: str | None = None,
        domain: str | None = None,
        secure: bool | None = None,
        http_only: bool | None = None,
    ) -> None:
        self._was = was
        self._name = name
        self._sealer = sealer(secrets, purpose)
        self._path = default_path(was) if path is None else path
        self._domain = domain
        if secure is None:
            secure = was.app.config.COOKIES_SECURE
        self._secure: bool = was.exchange.scheme == "https" if secure is None else secure
        self._http_only = http_only is not False
        self._context = f"{name}\0{self._path}\0{domain or ''}"

    @property
    def name(self) -> str:
        """Of the cookie."""
        return self._name

    def read(self) -> Any:
        """The value in the cookie; None if there is none, or none that this app has made."""
        return self._sealer.open(self._was.cookie.get(self._name), self._context)

    def check(self, value: Any) -> bytes:
        """A value as it can be written.

        Raises:
            TypeError: JSON has no type for it.
            ValueError: the cookie is too long: browsers keep 4096 bytes.
        """
        content = dump(value)
        length = len(self._name) + length_of(len(content))
        if length > MAX_SIZE:
            raise ValueError(
                f"the cookie {self._name!r} would have {length} bytes, and browsers keep no more"
                f" than {MAX_SIZE}: put an id in it, and the rest in a database or in app.store"
            )
        return content

    def fits(self, value: Any) -> bool:
        """Whether it can be written."""
        return len(self._name) + length_of(len(dump(value))) <= MAX_SIZE

    def header(self, value: Any, max_age: int | None) -> Header:
        """The Set-Cookie header for a value.

        Args:
            value: see `check`.
            max_age: seconds that it is kept; None until the browser is closed.
        """
        return self._build(self._sealer.seal_bytes(self.check(value), self._context), max_age)

    def removal(self) -> Header:
        """The Set-Cookie header that deletes it.

        Raises:
            ValueError: its name, path or domain cannot be in a cookie.
        """
        return self._build("", 0)

    def _build(self, value: str, max_age: int | None) -> Header:
        text = build(
            self._name,
            value,
            path=self._path,
            domain=self._domain,
            max_age=max_age,
            secure=self._secure,
            http_only=self._http_only,
            samesite=self._was.app.config.COOKIES_SAMESITE,
        )
        return "set-cookie", text
