"""`was.cookie`: reads the client's cookies and sets new ones (RFC 6265)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from atila.http.caching import http_date

if TYPE_CHECKING:
    from atila import Was

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PATH = re.compile(r"/[ -:<-~]*")
_DOMAIN = re.compile(r"\.?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_PLAIN = "!#$&'()*+-./:<=>?@[]^_`{|}~"
"""The characters of a value beside letters and digits (RFC 6265, section 4.1.1), but for "%"."""
_SAMESITE = {"lax": "Lax", "strict": "Strict", "none": "None"}

MAX_SIZE = 4096
"""Bytes of a name and its value that all browsers keep (RFC 6265, section 6.1)."""
MAX_COOKIES = 500
"""Cookies of a request that are read; the rest is ignored."""
CENTURY = 100 * 365 * 86400
"""Seconds that "never" stands for."""


def parse(header: str) -> dict[str, str]:
    """The cookies of a Cookie header, whatever is in it; never fails.

    Of several with one name the first counts: browsers send the one of the longest path first.
    """
    found: dict[str, str] = {}
    for pair in header.split(";", MAX_COOKIES)[:MAX_COOKIES]:
        name, equals, value = pair.partition("=")
        name = name.strip(" \t")
        if not (equals and name) or name in found:
            continue
        value = value.strip(" \t")
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        found[name] = unquote(value) if "%" in value else value
    return found


def build(
    name: str,
    value: str,
    *,
    path: str = "/",
    domain: str | None = None,
    max_age: int | None = None,
    secure: bool = True,
    http_only: bool = True,
    samesite: str | None = "Lax",
) -> str:
    """The value of a Set-Cookie header.

    Args:
        name: a token; letters, digits and some signs.
        value: any text; characters that a cookie cannot carry are percent-encoded as UTF-8.
        path: the path where it is valid, with all below it.
        domain: the domain where it is valid, with all below it; None for this host alone.
        max_age: seconds that it lasts; None until the browser is closed; 0 or less to delete it.
        secure: only sent over https.
        http_only: not readable by scripts.
        samesite: "Lax", "Strict", "None" (which browsers want to be `secure`), or None to leave it
            to the browser.

    Raises:
        ValueError: one of them cannot be in a cookie, or it is too long.
    """
    encoded = quote(value.encode("utf-8", "surrogatepass"), safe=_PLAIN)
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a cookie: letters, digits and !#$%&'*+-.^_`|~")
    if len(name) + len(encoded) > MAX_SIZE:
        raise ValueError(f"the cookie {name!r} has more than {MAX_SIZE} bytes: browsers drop it")
    if not _PATH.fullmatch(path):
        raise ValueError(f"the path {path!r} of the cookie {name!r} must begin with / and be ASCII")
    parts = [f"{name}={encoded}", f"Path={path}"]
    if domain is not None:
        if not _DOMAIN.fullmatch(domain):
            raise ValueError(f"{domain!r} is no domain for the cookie {name!r}")
        parts.append(f"Domain={domain}")
    if max_age is not None:
        # Expires for clients that do not know Max-Age.
        expires = http_date(time.time() + max_age) if max_age > 0 else http_date(0)
        parts += [f"Max-Age={max(0, max_age)}", f"Expires={expires}"]
    if samesite is not None:
        if samesite.lower() not in _SAMESITE:
            raise ValueError(f'samesite must be "Lax", "Strict" or "None", not {samesite!r}')
        parts.append(f"SameSite={_SAMESITE[samesite.lower()]}")
        secure = secure or samesite.lower() == "none"
    if secure:
        parts.append("Secure")
    if http_only:
        parts.append("HttpOnly")
    return "; ".join(parts)


def default_path(was: Was) -> str:
    """The path of a cookie that is given none: the mount point of the app, with the prefix."""
    return quote(was.exchange.prefix + was.app.mount_prefix, safe="/:@!$&'()*+,=~-._") or "/"


class Cookies(MutableMapping[str, str]):
    """The cookies of a request. Those that are set are sent with the answer and can be read at
    once.

    An error that is raised drops the cookies that were set before, as it does with all headers.
    """

    __slots__ = ("_cookies", "_sent", "_was")

    def __init__(self, was: Was) -> None:
        self._was = was
        self._cookies = parse(was.exchange.header("cookie") or "")
        self._sent: dict[tuple[str, str, str | None], tuple[str, str]] = {}

    def __getitem__(self, key: str) -> str:
        return self._cookies[key]

    def __setitem__(self, key: str, value: str) -> None:
        self.set(key, value)

    def __delitem__(self, key: str) -> None:
        if key not in self._cookies:
            raise KeyError(key)
        self.remove(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._cookies)

    def __len__(self) -> int:
        return len(self._cookies)

    def __repr__(self) -> str:
        # Values may be secrets.
        return f"<Cookies {', '.join(self._cookies) or 'none'}>"

    def set(
        self,
        key: str,
        val: object,
        expires: float | str | None = None,
        path: str | None = None,
        domain: str | None = None,
        secure: bool | None = None,
        http_only: bool | None = None,
        samesite: str | None = "Lax",
    ) -> None:
        """Have the client keep a cookie.

        Args:
            key: its name.
            val: its value; anything but str is sent as str(val).
            expires: seconds that it lasts; None until the browser is closed; 0 or "now" to delete
                it at once; "never" for a hundred years.
            path: the path where it is valid, with all below it; None for the mount point of the
                app.
            domain: the domain where it is valid, with all below it; None for this host alone.
            secure: only sent over https; None if this request came over https.
            http_only: not readable by scripts; None for yes.
            samesite: "Lax", "Strict" or "None"; None to leave it to the browser.

        Raises:
            ValueError: one of them cannot be in a cookie, or it is too long.
        """
        max_age = _seconds(expires)
        if path is None:
            path = default_path(self._was)
        value = str(val)
        header = build(
            key,
            value,
            path=path,
            domain=domain,
            max_age=max_age,
            secure=self._was.exchange.scheme == "https" if secure is None else secure,
            http_only=http_only is not False,
            samesite=samesite,
        )
        self._send((key, path, domain), ("set-cookie", header))
        if max_age is None or max_age > 0:
            self._cookies[key] = value
        else:
            self._cookies.pop(key, None)

    def remove(self, key: str, path: str | None = None, domain: str | None = None) -> None:
        """Have the client forget a cookie, which must have been set with this path and domain."""
        self.set(key, "", 0, path, domain)

    def _send(self, place: tuple[str, str, str | None], header: tuple[str, str]) -> None:
        headers = self._was.response.headers
        before = self._sent.get(place)
        if before is not None and before in headers:
            # One cookie, one header (RFC 6265, section 4.1.1).
            headers.remove(before)
        headers.append(header)
        self._sent[place] = header


def _seconds(expires: float | str | None) -> int | None:
    if expires is None:
        return None
    if expires == "now":
        return 0
    if expires == "never":
        return CENTURY
    if isinstance(expires, str):
        raise ValueError(f'expires must be seconds, "now", "never" or None, not {expires!r}')
    return int(expires)
