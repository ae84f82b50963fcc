"""`was.response`: status and headers of the answer, and answers built by hand."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from atila.errors import parse_status, reason_phrase
from atila.http import caching
from atila.http.exchange import Header, Headers
from atila.http.fields import checked_header

if TYPE_CHECKING:
    from datetime import datetime

    from atila import Was
    from atila.http.exchange import Exchange

HTML: Header = ("content-type", "text/html; charset=utf-8")
BINARY: Header = ("content-type", "application/octet-stream")
JSON: Header = ("content-type", "application/json")


class Response:
    """The answer to one request, but for its body.

    Calling it makes an answer to return: `return was.response("201 Created", body)`.
    """

    __slots__ = (
        "_exchange",
        "body",
        "etag",
        "given_reason",
        "given_status",
        "header_callbacks",
        "headers",
        "mtime",
        "trailers",
    )

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.given_status = 0
        """0 until it is set: then 200, or 204 if there is no body."""
        self.given_reason = ""
        self.headers: list[Header] = []
        self.header_callbacks: list[Callable[[], Iterable[Header]]] | None = None
        """The functions of `on_headers`."""
        self.trailers: tuple[Header, ...] = ()
        self.body: Any = None
        self.etag = ""
        """Entity tag of the answer, with its quotes; "" if it has none."""
        self.mtime: float | None = None
        """The time of its last change, in seconds since 1970; None if that is not known."""

    def __call__(
        self,
        status: int | str = "200 OK",
        body: Any = None,
        headers: Iterable[Header] | Mapping[str, str] | None = None,
    ) -> Response:
        """Set status, body and more headers at once.

        Args:
            status: 201, or "201 Created".
            body: anything that a handler may return, also results of was.API and the like.
            headers: added to those that are set already; Content-Type replaces its default.

        Returns:
            Itself, to be returned by the handler.
        """
        self.set_status(status)
        if body is not self:
            self.body = body
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        for name, value in pairs:
            self.add_header(name, value)
        return self

    @property
    def is_untouched(self) -> bool:
        """Whether nothing is set but a body."""
        return not (
            self.given_status
            or self.headers
            or self.header_callbacks
            or self.trailers
            or self.etag
            or self.mtime is not None
        )

    @property
    def status_code(self) -> int:
        """The status; 200 while nothing set another."""
        return self.given_status or 200

    @property
    def reason(self) -> str:
        """The reason phrase of the status, as it was given or as it is usual."""
        return self.given_reason or reason_phrase(self.status_code)

    def set_status(self, status: int | str) -> None:
        """Set the status: 201, or "201 Created"."""
        self.give_status(*parse_status(status))

    def give_status(self, code: int, reason: str) -> None:
        """Set the status by its code and its reason phrase."""
        self.given_status, self.given_reason = code, reason
        if reason != reason_phrase(code) and reason.isascii() and reason.isprintable():
            self._exchange.set_reason(code, reason)

    def add_header(self, name: str, value: object) -> None:
        """Add a header, even if there is one of this name; but there is one Content-Length only.

        Raises:
            ValueError: it cannot be sent, see `atila.http.fields`.
        """
        header = checked_header(name, value)
        if header[0] == "content-length":
            self.del_header(header[0])
        self.headers.append(header)

    def add_trailer(self, name: str, value: object) -> None:
        """Add a field that follows the body: trailing metadata of gRPC. Other answers have none."""
        self.trailers = (*self.trailers, checked_header(name, value))

    def set_header(self, name: str, value: object) -> None:
        """Set a header in place of all of this name."""
        header = checked_header(name, value)
        self.del_header(name)
        self.headers.append(header)

    def get_header(self, name: str, default: str | None = None) -> str | None:
        """The value of the first header of this name that was set."""
        name = name.lower()
        for key, value in self.headers:
            if key == name:
                return value
        return default

    def del_header(self, name: str, default: object = None) -> None:
        """Remove all headers of this name; `default` is taken for the specification's sake."""
        name = name.lower()
        self.headers = [header for header in self.headers if header[0] != name]

    __setitem__ = set_header

    def __getitem__(self, name: str) -> str:
        value = self.get_header(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: str) -> bool:
        return self.get_header(name) is not None

    def on_headers(self, provide: Callable[[], Iterable[Header]]) -> None:
        """Add headers that are known only when the head is sent.

        Kept for the answer of an error below 500. Not called if a request fails: its headers are
        dropped with the rest of the answer.

        Args:
            provide: gives the headers; may be called twice, if a first answer cannot be sent.
        """
        if self.header_callbacks is None:
            self.header_callbacks = []
        self.header_callbacks.append(provide)

    # Caching; see atila.http.caching.

    def set_etag(self, key: object, max_age: int | None = None) -> None:
        """Identify the version of the answer by a key; to be called before the work for it is done.

        Args:
            key: identifies the version; the same for the same content only.
            max_age: seconds that caches may keep it without asking.

        Raises:
            NotModified: the client has this version: 304 is the answer.
            HTTPError: 412, the client wants another version than this to be there.
        """
        self._validate(caching.make_etag(key), None, max_age)

    def set_mtime(self, time: float | datetime, max_age: int | None = None) -> None:
        """Set the time of the content's last change; see `set_etag`.

        Args:
            time: seconds since 1970, or a datetime; a naive one is local time.
            max_age: seconds that caches may keep it without asking.

        Raises:
            NotModified: the client has this version: 304 is the answer.
            HTTPError: 412, it was changed after the time that the client names.
        """
        seconds = time if isinstance(time, int | float) else time.timestamp()
        self._validate("", seconds, max_age)

    def set_max_age(self, seconds: int) -> None:
        """Set how long caches may keep the answer, by a header of the client's HTTP version.

        Args:
            seconds: 0 for an answer to be asked for each time.
        """
        for name, value in caching.age_headers(self._exchange.version, int(seconds)):
            self.set_header(name, value)

    def set_validators(self, etag: str, mtime: float | None) -> None:
        """Set ETag, with its quotes, and Last-Modified; "" and None leave them as they are."""
        if etag:
            self.etag = etag
            self.set_header("etag", etag)
        if mtime is not None:
            self.mtime = mtime
            # Never in the future (RFC 9110, section 8.8.2.1).
            self.set_header("last-modified", caching.http_date(min(mtime, time.time())))

    def _validate(self, etag: str, mtime: float | None, max_age: int | None) -> None:
        self.set_validators(etag, mtime)
        if max_age is not None:
            self.set_max_age(max_age)
        caching.check(self._exchange, self.etag or None, self.mtime)

    def status_line(self) -> str:
        """ "200 OK"."""
        return f"{self.status_code} {self.reason}"


class FileBody:
    """A file to answer with.

    Args:
        path: its path.
        content_type: its media type; None to guess it from the name.
        filename: the name under which browsers save it; None to show it instead.
        coding: the content coding that the file is in: "br"; "" for none. The media type is that of
            the content, so it has to be given, too.
    """

    __slots__ = ("coding", "content_type", "filename", "path")

    def __init__(
        self,
        path: str | os.PathLike[str],
        content_type: str | None = None,
        filename: str | None = None,
        coding: str = "",
    ) -> None:
        self.coding = coding
        self.path = os.fspath(path)
        self.content_type = content_type
        self.filename = filename


class _Answered:
    def __repr__(self) -> str:
        return "ANSWERED"


NO_BODY = frozenset({204, 304})
"""Statuses of answers without a body (RFC 9110, section 6.4.1)."""
ANSWERED: Final = _Answered()
"""The result of a handler, or of its awaitable, that has used the exchange to answer itself."""


def status_beside(value: object) -> int | None:
    """The number of a returned `value, number` or `value, number, headers`; None for any other
    value.
    """
    if type(value) is tuple and len(value) in (2, 3) and type(value[1]) is int:
        number: int = value[1]
        return number
    return None


def is_unset(was: Was) -> bool:
    """Whether an answer is a 200 with a body and that body's own headers, and nothing else: no
    handler and no hook has set anything at `was.response`, and the route adds no headers.
    """
    response = was._response
    if response is not None and not response.is_untouched:
        return False
    return not was.endpoint.has_headers and was.exchange.method != "HEAD"


def head(was: Was, default: Header | None) -> Headers:
    """The headers of the answer: set by the handler, by default, and by the route's layers.

    Args:
        was: the request.
        default: a Content-Type for an answer that has none; None for an answer without a body.
    """
    response = was.response
    headers = list(response.headers)
    if response.header_callbacks is not None:
        for last in response.header_callbacks:
            headers.extend(last())
    if default is not None and response.get_header("content-type") is None:
        headers.append(default)
    for provide in was.endpoint.headers:
        headers.extend(provide(was))
    return headers
