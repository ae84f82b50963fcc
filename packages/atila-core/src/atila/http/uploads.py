"""Uploaded files: reads multipart/form-data (RFC 7578) and gives a handler its files."""

from __future__ import annotations

import errno
import mimetypes
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol
from urllib.parse import unquote_to_bytes

from multipart import MultipartError, PushMultipartParser, parse_options_header

from atila.errors import HTTPError
from atila.http import bodies
from atila.http.bodies import storing, write_all
from atila.http.files import attachment
from atila.http.forms import add_field
from atila.http.paths import UNNAMED, safe_name

if TYPE_CHECKING:
    from atila import Was
    from atila.http.bodies import Body

MULTIPART_TYPE = "multipart/form-data"
SMALL = 65536
"""Bytes of a file that stay in memory until its path is asked for."""
MAX_BOUNDARY = 200
"""RFC 2046 allows 70; some clients have longer ones."""


_CHARSETS = frozenset({"utf-8", "iso-8859-1"})
# The parser of forms leaves out names with an asterisk.
_PARAMETERS = re.compile(r""";[ \t]*([\w*-]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^";\s]*)""", re.ASCII)


class Limits(Protocol):
    """The settings of an app that are for forms."""

    MAX_FIELDS: int
    MAX_FILES: int
    MAX_BODY_SIZE: int
    UPLOAD_FOLDER: str | None


_UMASK = os.umask(0)
os.umask(_UMASK)


class Upload:
    """One uploaded file. It is gone after the request, unless it was saved or moved.

    Attributes:
        name: the file name that the client sent, without folders and made harmless.
        mimetype: the media type that the client claims, in lower case; "application/octet-stream"
            if it claims none. Not checked: never serve a file by it.
        size: bytes.
    """

    def __init__(self, name: str, mimetype: str, folder: str | None = None) -> None:
        self.name = name
        self.mimetype = mimetype or "application/octet-stream"
        self.size = 0
        self._folder = folder
        self._data = bytearray()
        self._path = ""
        self._file: BinaryIO | None = None
        self._is_kept = False
        self._is_gone = False

    def __repr__(self) -> str:
        return f"<Upload {self.name!r}, {self.size} bytes>"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """For fields of pydantic models: such an object, as it is."""
        return {"type": "is-instance", "cls": cls}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, str]:
        return {"type": "string", "format": "binary"}

    @property
    def ext(self) -> str:
        """The extension of the name, in lower case and with its dot: ".png"; "" if it has none."""
        return os.path.splitext(self.name)[1].lower()

    @property
    def path(self) -> str:
        """The full path of the file: a temporary one, or where it was saved or moved.

        Raises:
            FileNotFoundError: it was removed.
            HTTPError: 507, the disk is full.
        """
        if self._is_gone:
            raise FileNotFoundError(f"the uploaded file {self.name!r} was removed")
        if not self._path:
            with storing("upload"):
                self._to_disk()
            self._close()
        return self._path

    def open(self) -> BinaryIO:
        """The file, opened for reading; the caller closes it."""
        return open(self.path, "rb")

    def read(self) -> bytes:
        """The whole content, each time."""
        if not (self._path or self._is_gone):
            return bytes(self._data)
        with self.open() as file:
            return file.read()

    def move(self, to: str | os.PathLike[str]) -> str:
        """Move the file; one that is there is replaced.

        Args:
            to: its new path, or a folder that it shall be in by its own name.

        Returns:
            Its new path.

        Raises:
            HTTPError: 507, the disk is full; a file that was there is still there.
        """
        target = os.path.abspath(os.fspath(to))
        if os.path.isdir(target):
            target = os.path.join(target, self.name)
        with storing("upload"):
            self._put(target)
        return target

    def save(
        self,
        into: str | os.PathLike[str],
        name: str | None = None,
        mkdir: bool = False,
        dup: str = "u",
    ) -> str:
        """Save the file into a folder, which it never escapes, whatever its name.

        Args:
            into: the folder.
            name: its name there; made harmless as `paths.safe_name` does. None for its own.
            mkdir: make the folder if it does not exist.
            dup: for an existing file of that name: "u" gives this one a unique name, "o" overwrites
                the other.

        Returns:
            The full path of the saved file.

        Raises:
            FileExistsError: there is a file of that name, and `dup` is neither "u" nor "o".
            FileNotFoundError: there is no such folder.
            HTTPError: 507, the disk is full; a file that was to be overwritten is still there.
        """
        folder = os.path.abspath(os.fspath(into))
        with storing("upload"):
            if mkdir:
                os.makedirs(folder, exist_ok=True)
            target = os.path.join(folder, safe_name(self.name if name is None else name))
            if dup == "u":
                target = _reserve_unique(target)
            elif dup != "o":
                _reserve(target)
            try:
                self._put(target)
            except BaseException:
                if dup != "o":
                    os.unlink(target)
                raise
        return target

    def remove(self) -> None:
        """Delete the file, also if it was saved or moved; a second time does nothing."""
        self._close()
        self._data.clear()
        if self._path:
            _unlink(self._path)
            self._path = ""
        self._is_gone = True

    def as_flashfile(self) -> FlashFile:
        """The file as an answer, or for use in one block of code; see `FlashFile`."""
        return FlashFile(self)

    def discard(self) -> None:
        """The end of the request: delete the file, unless it was saved or moved."""
        if not self._is_kept:
            self.remove()

    # While it arrives.

    def feed(self, data: bytes | bytearray) -> None:
        """Take a piece of the content."""
        self.size += len(data)
        if self._file is not None:
            write_all(self._file, data)
            return
        self._data += data
        if self.size > SMALL:
            self._to_disk()

    def finish(self) -> None:
        """The content is complete."""
        self._close()

    def _to_disk(self) -> None:
        handle, self._path = tempfile.mkstemp(self.ext[:16], "atila-", self._folder)
        self._file = open(handle, "wb", buffering=0)  # noqa: SIM115 - closed by _close
        try:
            write_all(self._file, self._data)
        except OSError:
            self._close()
            _unlink(self._path)
            self._path = ""
            raise
        self._data.clear()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _put(self, target: str) -> None:
        """Have the content at `target`, whole or not at all."""
        source = self.path
        if not self._is_kept and _renamed(source, target):
            os.chmod(target, 0o666 & ~_UMASK)
        else:
            # To another file system, or once more.
            handle, partial = tempfile.mkstemp(".part", ".atila-", os.path.dirname(target))
            os.close(handle)
            try:
                shutil.copyfile(source, partial)
                os.chmod(partial, 0o666 & ~_UMASK)
                os.replace(partial, target)
            except BaseException:
                _unlink(partial)
                raise
            if not self._is_kept:
                _unlink(source)
        self._path, self._is_kept = target, True


def _renamed(source: str, target: str) -> bool:
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _reserve(target: str) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _reserve_unique(target: str) -> str:
    """Make an empty file whose name nobody has: "a.txt", "a.1.txt", "a.2.txt"…"""
    stem, extension = os.path.splitext(target)
    number, candidate = 0, target
    while True:
        try:
            _reserve(candidate)
        except FileExistsError:
            number += 1
            candidate = f"{stem}.{number}{extension}"
        else:
            return candidate


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


class FlashFile:
    """An uploaded file that is used once.

    As an answer, `return file.as_flashfile()`, it goes back to the client as a download. In a
    block, `with file.as_flashfile() as path:`, it is a path, and the file is deleted at its end.
    """

    __slots__ = ("_upload",)

    def __init__(self, upload: Upload) -> None:
        self._upload = upload

    def __enter__(self) -> str:
        return self._upload.path

    def __exit__(self, *error: object) -> None:
        self._upload.remove()

    def __fspath__(self) -> str:
        return self._upload.path

    def take(self) -> tuple[BinaryIO, int, str]:
        """The open file, its size and its name; the file itself is deleted.

        Raises:
            FileNotFoundError: it was taken before.
        """
        upload = self._upload
        file = upload.open()
        upload.remove()
        return file, upload.size, upload.name


def send_back(was: Was, value: Upload | FlashFile) -> BinaryIO:
    """Answer with an uploaded file (a responder; see atila.layers)."""
    flash = value if isinstance(value, FlashFile) else value.as_flashfile()
    file, size, name = flash.take()
    response = was.response
    if "content-type" not in response:
        guessed = mimetypes.guess_type(name)[0]
        response.set_header("content-type", guessed or "application/octet-stream")
    # Shown in the browser it could run scripts as a page of this site.
    response.headers.append(attachment(name))
    response.set_header("x-content-type-options", "nosniff")
    response.set_header("content-length", size)
    return file


class Form:
    """The fields of a multipart body.

    Attributes:
        fields: text, `Upload`, or a list of these in order where a name comes more than once.
        files: all uploaded files.
    """

    def __init__(self, body: Body, content_type: str, config: Limits) -> None:
        """Read a body.

        Args:
            body: all of it.
            content_type: the header, with its boundary.
            config: the settings of the app.

        Raises:
            HTTPError: 400 for a malformed or truncated body or too many parts, 413 for fields that
                are too long, 507 if the disk is full.
        """
        self.fields: dict[str, Any] = {}
        self.files: list[Upload] = []
        self._config = config
        self._count = 0
        self._text_size = 0
        try:
            with storing("upload", whatever=True):
                self._read(body, _boundary(content_type))
        except MultipartError as error:
            self.discard()
            raise HTTPError(400, f"the form is malformed: {error}") from None
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """The end of the request: delete the files that nobody saved."""
        for upload in self.files:
            upload.discard()

    def _read(self, body: Body, boundary: str) -> None:
        most = self._config.MAX_FIELDS + self._config.MAX_FILES
        parser = PushMultipartParser(boundary, max_segment_count=most)
        part: _Text | Upload | None = None
        name = ""
        for event in _events(parser, body):
            if event is None:
                self._add(name, part)
            elif isinstance(event, bytes | bytearray):
                if isinstance(part, _Text):
                    self._count_text(len(event))
                if part is not None:
                    part.feed(event)
            else:
                name, part = self._begin(event)
        # Raises if there is no end.
        parser.close()

    def _begin(self, segment: Any) -> tuple[str, _Text | Upload]:
        extended = _extended(segment.header("Content-Disposition", ""))
        name: str = segment.name or extended.get("name*", "")
        if not name:
            raise HTTPError(400, "a part of the form has no name")
        filename = segment.filename
        if filename is None:
            filename = extended.get("filename*")
        if filename is None:
            self._count += 1
            if self._count > self._config.MAX_FIELDS:
                raise HTTPError(400, f"more than {self._config.MAX_FIELDS} fields")
            return name, _Text()
        if len(self.files) >= self._config.MAX_FILES:
            raise HTTPError(400, f"more than {self._config.MAX_FILES} files")
        file_name = safe_name(filename) if filename else ""
        upload = Upload(file_name, segment.content_type or "", self._config.UPLOAD_FOLDER)
        self.files.append(upload)
        return name, upload

    def _count_text(self, size: int) -> None:
        self._text_size += size
        if self._text_size > self._config.MAX_BODY_SIZE:
            raise HTTPError(413, f"fields may have {self._config.MAX_BODY_SIZE} bytes together")

    def _add(self, name: str, part: _Text | Upload | None) -> None:
        if isinstance(part, _Text):
            add_field(self.fields, name, part.text(name))
        elif part is not None:
            part.finish()
            if part.name or part.size:
                part.name = part.name or UNNAMED
                add_field(self.fields, name, part)
            else:
                # How a browser sends a file field that was left empty.
                self.files.remove(part)


class _Text:
    """A field that is no file."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes | bytearray) -> None:
        self._data += data

    def text(self, name: str) -> str:
        try:
            return self._data.decode("utf-8")
        except UnicodeDecodeError:
            raise HTTPError(400, f"the field {name!r} is not UTF-8") from None


def _extended(disposition: str) -> dict[str, str]:
    """The parameters of a Content-Disposition whose names end in "*", decoded (RFC 8187, which
    took the place of RFC 5987). RFC 7578 forbids them, some clients send nothing else.

    Raises:
        HTTPError: 400, one of them is malformed, or in another encoding than RFC 8187 allows.
    """
    if "*" not in disposition:
        return {}
    return {
        name.lower(): _decode_extended(name, value.strip('"'))
        for name, value in _PARAMETERS.findall(disposition)
        if name.lower() in ("name*", "filename*")
    }


def _decode_extended(name: str, value: str) -> str:
    """ "häl.txt" of "UTF-8'de'h%C3%A4l.txt"."""
    charset, _, rest = value.partition("'")
    _, quote, encoded = rest.partition("'")
    if not quote or charset.lower() not in _CHARSETS:
        raise HTTPError(400, f"{name} of a part of the form must be like UTF-8''a%20b")
    try:
        return unquote_to_bytes(encoded).decode(charset)
    except UnicodeDecodeError:
        raise HTTPError(400, f"{name} of a part of the form is not {charset.upper()}") from None


def _boundary(content_type: str) -> str:
    boundary: str = parse_options_header(content_type)[1].get("boundary", "")
    if not 0 < len(boundary) <= MAX_BOUNDARY:
        raise HTTPError(400, "the Content-Type of the form has no boundary")
    return boundary


def _events(parser: PushMultipartParser, body: Body) -> Iterator[Any]:
    for piece in bodies.pieces(body):
        yield from parser.parse(piece)


def discard(was: Was) -> None:
    """The end of a request with uploads, or with a body in a file: leave nothing on the disk."""
    request = was._request
    if request is not None and request.form is not None:
        request.form.discard()
    body = was.exchange.body
    if isinstance(body, bodies.Spool):
        body.close()
