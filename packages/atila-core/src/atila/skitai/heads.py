"""Response heads of HTTP/1.x as bytes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus

from atila.http.exchange import Header
from atila.http.response import NO_BODY

SERVER = "Skitai"

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus
}
_common = ""
_date = b""
_second = 0


def _refresh() -> None:
    global _common, _date, _second
    now = time.time()
    # Another one, not a later one: the clock may have been put back.
    if int(now) != _second:
        _second = int(now)
        date = formatdate(now, usegmt=True)
        _common = f"Server: {SERVER}\r\nDate: {date}\r\n"
        _date = date.encode()


def common_headers() -> str:
    """The Server and Date header lines; made anew once a second."""
    _refresh()
    return _common


def http_date() -> bytes:
    """The time now as a Date header has it."""
    _refresh()
    return _date


def status_line(status: int) -> str:
    """The status line; HTTP/1.1 also in answer to HTTP/1.0 (RFC 9110, section 2.5)."""
    return _STATUS_LINES.get(status) or f"HTTP/1.1 {status} \r\n"


def is_bodiless(status: int) -> bool:
    """Whether an answer with this status never has a body (RFC 9110, section 6.4.1)."""
    return status in NO_BODY or status < 200


class Head:
    """The head of one response.

    Args:
        status: its code.
        headers: the headers of the answer. Connection and Transfer-Encoding are the engine's to
            write: a "Connection: close" among them is remembered, the lines themselves are left
            out.
    """

    __slots__ = ("has_length", "lines", "status", "wants_close")

    def __init__(self, status: int, headers: Sequence[Header]) -> None:
        self.status = status
        self.has_length = False
        self.wants_close = False
        self.lines = lines = [status_line(status), common_headers()]
        for name, value in headers:
            size = len(name)
            # Lengths first: they settle it for nearly all headers.
            if size == 14 and name.lower() == "content-length":
                self.has_length = True
            elif size == 10 and name.lower() == "connection":
                self.wants_close = self.wants_close or "close" in value.lower()
                continue
            elif (
                (size == 17 and name.lower() == "transfer-encoding")
                or (size == 4 and name.lower() == "date")
                or (size == 6 and name.lower() == "server")
            ):
                continue
            lines.append(f"{name}: {value}\r\n")

    def add(self, line: str) -> None:
        """Add a header line, without its line end."""
        self.lines.append(line + "\r\n")

    def encode(self) -> bytes:
        """The head, with the empty line that ends it."""
        self.lines.append("\r\n")
        return "".join(self.lines).encode()


def plain_response(status: int, detail: str) -> bytes:
    """A whole response for a request so broken that no application can be asked; it closes."""
    body = f"{status} {HTTPStatus(status).phrase}: {detail}\n".encode()
    head = Head(status, [("Content-Type", "text/plain; charset=utf-8")])
    head.add(f"Content-Length: {len(body)}")
    head.add("Connection: close")
    return head.encode() + body
