"""The cookies that the test client keeps and sends back, as browsers do."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from email.message import Message
from http.cookiejar import Cookie, CookieJar
from typing import TYPE_CHECKING
from urllib.request import Request

if TYPE_CHECKING:
    from atila.http.exchange import Header

BASE = "http://testserver"
_DOMAIN = "testserver.local"
"""The jar's form of a host name without a dot."""


class ClientCookies(MutableMapping[str, str]):
    """Cookies by name, as a mapping; those of servers are kept with path and time of expiry.

    Cookies set by item are for all paths, until they are deleted. Where a name stands for several
    paths, reading gives one of them and deleting removes all.
    """

    def __init__(self) -> None:
        self._jar = CookieJar()

    def header(self, url: str) -> str | None:
        """The Cookie header of a request.

        Args:
            url: path and query.
        """
        if not len(self):
            return None
        request = _request(url)
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie")

    def take(self, url: str, headers: Sequence[Header]) -> None:
        """Keep the cookies that an answer sets.

        Args:
            url: the URL of its request: path and query.
            headers: the headers of the answer.
        """
        lines = [value for name, value in headers if name.lower() == "set-cookie"]
        if lines:
            self._jar.extract_cookies(_Answer(lines), _request(url))  # type: ignore[arg-type]

    def __getitem__(self, name: str) -> str:
        for cookie in self._jar:
            if cookie.name == name:
                return cookie.value or ""
        raise KeyError(name)

    def __setitem__(self, name: str, value: str) -> None:
        if name in self:
            del self[name]
        self._jar.set_cookie(
            Cookie(
                version=0,
                name=name,
                value=value,
                port=None,
                port_specified=False,
                domain=_DOMAIN,
                domain_specified=False,
                domain_initial_dot=False,
                path="/",
                path_specified=True,
                secure=False,
                expires=None,
                discard=True,
                comment=None,
                comment_url=None,
                rest={},
            )
        )

    def __delitem__(self, name: str) -> None:
        found = [cookie for cookie in self._jar if cookie.name == name]
        if not found:
            raise KeyError(name)
        for cookie in found:
            self._jar.clear(cookie.domain, cookie.path, cookie.name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(cookie.name for cookie in self._jar))

    def __len__(self) -> int:
        return len({cookie.name for cookie in self._jar})

    def __repr__(self) -> str:
        return f"<ClientCookies {sorted(self)}>"


def _request(url: str) -> Request:
    return Request(BASE + url)  # noqa: S310 - nothing is opened


class _Answer:
    """As much of an answer as the jar asks for."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._message = Message()
        for line in lines:
            self._message["Set-Cookie"] = line

    def info(self) -> Message:
        return self._message
