"""Answers with a file: its type, its validators, and the requested range."""

from __future__ import annotations

import mimetypes
import os
import re
import stat
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from atila.errors import HTTPError
from atila.http import caching
from atila.http.fields import without
from atila.http.response import FileBody, head

if TYPE_CHECKING:
    from atila import Was
    from atila.http.exchange import Header
    from atila.http.response import Response

_ENCODED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_TEXTS = frozenset(
    {"application/javascript", "application/json", "application/xml", "image/svg+xml"}
)
BINARY_TYPE = "application/octet-stream"

# Neither quotes nor what some browsers decode in them.
_PLAIN = re.compile(r"[A-Za-z0-9 ._()+\-]+")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 ._()+\-]")


def type_of(path: str) -> str:
    """The media type of a file, by its name; text is taken for UTF-8."""
    kind, encoding = mimetypes.guess_type(os.path.basename(path), strict=False)
    if encoding:
        # As it is: with Content-Encoding a client would unpack what it wants to save.
        return _ENCODED.get(encoding, BINARY_TYPE)
    if kind is None:
        return BINARY_TYPE
    return f"{kind}; charset=utf-8" if kind.startswith("text/") or kind in _TEXTS else kind


def attachment(filename: str) -> Header:
    """The header that makes an answer a download (RFC 6266, section 4.1)."""
    if _PLAIN.fullmatch(filename):
        return "content-disposition", f'attachment; filename="{filename}"'
    # The extended form carries every character; the other is for programs that do not know it.
    name = quote(filename.encode("utf-8", "replace"), safe="")
    plain = _NOT_PLAIN.sub("_", filename)
    return "content-disposition", f"attachment; filename=\"{plain}\"; filename*=UTF-8''{name}"


def send(was: Was, file: FileBody) -> None:
    """Answer with a file, or the part of it that is asked for, or that it has not changed.

    Raises:
        HTTPError: 404, there is no such regular file; 412; 416.
        caching.NotModified: the client has it.
    """
    info = _examine(file.path)
    response, exchange = was.response, was.exchange
    # Each coding is another sequence of bytes, and so has another tag.
    variant = f"-{file.coding}" if file.coding else ""
    etag = response.etag or f'"{info.st_mtime_ns:x}-{info.st_size:x}{variant}"'
    mtime = info.st_mtime if response.mtime is None else response.mtime
    is_plain = response.status_code == 200
    part = None
    if is_plain:
        response.set_validators(etag, mtime)
        caching.check(exchange, etag, mtime)
        part = caching.find_range(exchange, info.st_size, etag, mtime)
    status = response.status_code
    headers = head(was, ("content-type", file.content_type or type_of(file.path)))
    if file.coding:
        headers.append(("content-encoding", file.coding))
    if file.filename:
        headers.append(attachment(file.filename))
    start, end = 0, info.st_size
    if part is not None:
        status, (start, end) = 206, part
        headers.append(caching.range_header(part, info.st_size))
    if is_plain:
        headers.append(("accept-ranges", "bytes"))
    headers = without(headers, "content-length")
    headers.append(("content-length", str(end - start)))
    if exchange.method == "HEAD" or start == end:
        exchange.respond(status, headers, b"")
    else:
        exchange.respond_file(status, headers, file.path, start, end - start)


def of_open(was: Was, file: IO[Any], content_type: str | None, filename: str | None) -> Response:
    """An open file as an answer, see `rewind`; nothing is known of its version.

    Args:
        was: the request.
        file: text, or bytes.
        content_type: its media type; None to guess it from the name.
        filename: see `FileBody`.
    """
    response = was.response
    if content_type or "content-type" not in response:
        name = getattr(file, "name", None)
        kind = content_type or type_of(filename or (name if isinstance(name, str) else ""))
        response.set_header("content-type", kind)
    if filename:
        response.headers.append(attachment(filename))
    response.body = file
    return response


def rewind(file: IO[Any]) -> None:
    """Have a file that stands at its end, as one does that was just written, read from its start;
    any other is read from where it stands. Files that cannot seek are left alone."""
    seekable = getattr(file, "seekable", None)
    if seekable is None or not seekable():
        return
    at = file.tell()
    if file.seek(0, os.SEEK_END) == at:
        at = 0
    file.seek(at)


def _examine(path: str) -> os.stat_result:
    try:
        info = os.stat(path)
    except (OSError, ValueError) as error:
        raise HTTPError(404) from error
    # A pipe or a device might never come to an end.
    if not stat.S_ISREG(info.st_mode):
        raise HTTPError(404)
    return info
