"""The requests of the test clients: URL, headers and body, and those that redirects ask for."""

from __future__ import annotations

import mimetypes
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import IO, Any
from urllib.parse import urlencode, urljoin, urlsplit

from atila.http.exchange import Header, Headers
from atila.testing.exchange import Pieces, TestExchange, TestResponse
from atila.values import json as exact

FileContent = IO[bytes] | bytes | str | os.PathLike[str]
File = FileContent | tuple[str, FileContent] | tuple[str, FileContent, str]
"""A file of a request; see `TestClient.request`."""
HeadersGiven = Mapping[str, str] | Iterable[Header]
Files = Mapping[str, File | list[File]] | Iterable[tuple[str, File]]

MOST_REDIRECTS = 20
_BINARY = "application/octet-stream"
_OF_A_BODY = frozenset({"content-length", "content-type"})
_SERVER = "testserver"


class RedirectError(Exception):
    """A redirect cannot be followed. `follow_redirects=False` gives its answer."""


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A request of a test, as it is sent.

    Attributes:
        method: "GET".
        url: path and query.
        headers: names in lower case, and values.
        body: the body, whole; b"" for none.
        pieces: a body that is sent while it is made; None for none.
    """

    method: str
    url: str
    headers: Headers
    body: bytes = b""
    pieces: Pieces | None = None

    def exchange(self, kind: type[TestExchange] = TestExchange) -> TestExchange:
        """The same for a site.

        Args:
            kind: see `Dispatch.exchange_class`.
        """
        return kind(self.method, self.url, list(self.headers), self.body, self.pieces)

    def header(self, name: str) -> str | None:
        """The value of its first header of a name in lower case."""
        return next((value for key, value in self.headers if key == name), None)

    def with_header(self, name: str, value: str) -> ClientRequest:
        """The same with one more header."""
        return replace(self, headers=[*self.headers, (name, value)])

    def redirected(self, answer: TestResponse) -> ClientRequest:
        """The request that a redirect asks for (RFC 9110, section 15.4).

        Raises:
            RedirectError: it leads to another server, or the body cannot be sent twice.
        """
        where = urljoin(self.url, answer.headers["location"])
        parts = urlsplit(where)
        own = ("", _SERVER, f"{_SERVER}:80", self.header("host"))
        if parts.scheme not in ("", "http") or parts.netloc not in own:
            raise RedirectError(f"{self.method} {self.url} leads to another server, {where}")
        url = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        code, method = answer.status_code, self.method
        if (code == 303 and method != "HEAD") or (code in (301, 302) and method == "POST"):
            kept = [header for header in self.headers if header[0] not in _OF_A_BODY]
            return ClientRequest("GET", url, kept)
        if self.pieces is not None:
            raise RedirectError(f"{method} {self.url} wants a body twice that is made only once")
        return replace(self, url=url)


def prepared(
    method: str,
    url: str,
    *,
    params: Mapping[str, Any] | None = None,
    headers: HeadersGiven | None = None,
    data: Any = None,
    json: Any = None,
    files: Files | None = None,
) -> ClientRequest:
    """A request of these parts; see `TestClient.request`.

    Raises:
        TypeError: there are two bodies, or a file is none.
    """
    if params:
        url += ("&" if "?" in url else "?") + urlencode(params, doseq=True)
    pairs = header_pairs(headers)
    if json is not None and (data is not None or files is not None):
        raise TypeError("a request has one body: json=, or data= and files=")
    body, media = b"", ""
    pieces: Pieces | None = None
    if files:
        body, media = _multipart(data, files)
    elif json is not None:
        body, media = exact.dumps(json), "application/json"
    elif isinstance(data, Mapping):
        body, media = urlencode(data, doseq=True).encode(), "application/x-www-form-urlencoded"
    elif isinstance(data, str):
        body = data.encode()
    elif isinstance(data, bytes):
        body = data
    elif isinstance(data, Iterator | AsyncIterator):
        pieces = data
    elif data is not None:
        raise TypeError(f"data= is a dict, bytes, str or an iterator, not {_kind(data)}")
    if media and not any(name == "content-type" for name, _ in pairs):
        pairs.append(("content-type", media))
    if body:
        pairs.append(("content-length", str(len(body))))
    return ClientRequest(method, url, pairs, body, pieces)


def header_pairs(given: HeadersGiven | None) -> Headers:
    """Headers with their names in lower case."""
    pairs = given.items() if isinstance(given, Mapping) else given or ()
    return [(name.lower(), value) for name, value in pairs]


def _multipart(data: Any, files: Files) -> tuple[bytes, str]:
    """A form with files (RFC 7578), and its media type."""
    # A dependency of Skitai's, and slow to import.
    from requests import Request

    if data is not None and not isinstance(data, Mapping):
        raise TypeError(f"with files=, data= is a dict of the other fields, not {_kind(data)}")
    parts = [(name, _part(name, file)) for name, file in _each(files)]
    sent = Request("POST", f"http://{_SERVER}/", data=data, files=parts).prepare()
    body: Any = sent.body
    return body, str(sent.headers["Content-Type"])


def _each(files: Files) -> Iterator[tuple[str, Any]]:
    for name, file in files.items() if isinstance(files, Mapping) else files:
        yield from ((name, one) for one in (file if isinstance(file, list) else [file]))


def _part(name: str, file: Any) -> tuple[str, bytes, str]:
    """A file's name, content and media type."""
    given: tuple[Any, ...] = file if isinstance(file, tuple) else (None, file)
    if len(given) not in (2, 3):
        raise TypeError(f"files[{name!r}] has {len(given)} values: (filename, content, media type)")
    filename, content, media = (*given, None)[:3]
    if isinstance(content, os.PathLike):
        filename = filename or os.path.basename(content)
        with open(content, "rb") as opened:
            content = opened.read()
    elif hasattr(content, "read"):
        path = getattr(content, "name", None)
        filename = filename or (os.path.basename(path) if isinstance(path, str) else None)
        content = content.read()
    if isinstance(content, str):
        content = content.encode()
    if not isinstance(content, bytes | bytearray | memoryview):
        raise TypeError(
            f"files[{name!r}] is {_kind(content)}: a file that is open, bytes, a path, or"
            " (filename, content, media type)"
        )
    filename = str(filename or name)
    return filename, bytes(content), media or mimetypes.guess_type(filename)[0] or _BINARY


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"
