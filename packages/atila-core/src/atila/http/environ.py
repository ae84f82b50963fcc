"""`was.env`: a request as the environment variables of CGI and WSGI (RFC 3875; PEP 3333)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atila import Was

_GIVEN: dict[str, Callable[[Any], str | None]] = {
    "REQUEST_METHOD": lambda was: was.exchange.method,
    "SCRIPT_NAME": lambda was: was.exchange.prefix + was.app.mount_prefix,
    "PATH_INFO": lambda was: was.exchange.path.removeprefix(was.app.mount_prefix),
    "QUERY_STRING": lambda was: was.exchange.query,
    "REQUEST_URI": lambda was: was.request.uri,
    "CONTENT_TYPE": lambda was: was.exchange.header("content-type"),
    "CONTENT_LENGTH": lambda was: was.exchange.header("content-length"),
    "SERVER_NAME": lambda was: was.exchange.server[0],
    "SERVER_PORT": lambda was: str(was.exchange.server[1]),
    "SERVER_PROTOCOL": lambda was: f"HTTP/{was.exchange.version}",
    "REMOTE_ADDR": lambda was: was.exchange.client[0],
    "REMOTE_PORT": lambda was: str(was.exchange.client[1]),
    "GATEWAY_INTERFACE": lambda was: "CGI/1.1",
    "wsgi.url_scheme": lambda was: was.exchange.scheme,
}


class Environ(Mapping[str, str]):
    """The variables of a request, each made when it is asked for; read only.

    Headers are under "HTTP_" and their name. Nothing of the environment of the process is in it.
    A header whose name has an underscore in it is left out: it would pass for another one.
    """

    __slots__ = ("_was",)

    def __init__(self, was: Was) -> None:
        self._was = was

    def __getitem__(self, key: str) -> str:
        value: str | None = None
        if key.startswith("HTTP_") and key.isupper():
            name = key[5:].replace("_", "-").lower()
            if name not in ("content-type", "content-length"):
                value = self._was.exchange.header(name)
        elif (given := _GIVEN.get(key)) is not None:
            value = given(self._was)
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        for key, given in _GIVEN.items():
            if given(self._was) is not None:
                yield key
        names = {name for name, _ in self._was.exchange.headers() if "_" not in name}
        for name in sorted(names - {"content-type", "content-length"}):
            yield "HTTP_" + name.replace("-", "_").upper()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        # Headers may be secrets.
        return f"<Environ {self['REQUEST_METHOD']} {self['PATH_INFO']}>"
