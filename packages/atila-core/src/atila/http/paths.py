"""File names from outside: checks them and makes them harmless."""

from __future__ import annotations

import os
import unicodedata

MAX_NAME = 200
"""Bytes of a file name; file systems take 255, and a number may be added to it."""
UNNAMED = "unnamed"

_UNPORTABLE = str.maketrans(dict.fromkeys('<>:"|?*', "_"))
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"]
)


def is_device(name: str) -> bool:
    """Whether Windows takes a name for a device, whatever its extension: "nul.txt"."""
    return name.partition(".")[0].rstrip(" ").upper() in _DEVICES


def safe_name(text: str) -> str:
    """The harmless part of a file name that a client sent: one name, of one folder, visible.

    No folders, no control or invisible characters, no dots at its ends, nothing that Windows
    forbids, and at most `MAX_NAME` bytes, whose extension is kept.

    Args:
        text: anything.

    Returns:
        A name that is never empty, "." or ".." and has no slash, backslash or NUL in it.
    """
    name = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = unicodedata.normalize("NFC", name)
    name = "".join(char for char in name if unicodedata.category(char)[0] != "C")
    name = name.translate(_UNPORTABLE).strip(" .")
    if not name:
        return UNNAMED
    if is_device(name):
        name = "_" + name
    return _shortened(name)


def _shortened(name: str) -> str:
    if len(name.encode()) <= MAX_NAME:
        return name
    stem, extension = os.path.splitext(name)
    extension = extension if len(extension.encode()) <= 32 else ""
    room = MAX_NAME - len(extension.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(" .") + extension


def below(path: str) -> str | None:
    """A URL's path, decoded, as a path below a folder; None if it may not be followed.

    Refused are "..", hidden names but ".well-known" (RFC 8615), empty segments, backslashes,
    control characters and, on Windows, devices and drives.

    Args:
        path: "css/site.css"; a slash at its end is kept, one at its beginning is not allowed.
    """
    if not path:
        return ""
    segments = path.removesuffix("/").split("/")
    for number, name in enumerate(segments):
        if not name or "\\" in name or any(char < " " or char == "\x7f" for char in name):
            return None
        if name[0] == "." and not (number == 0 and name == ".well-known"):
            return None
        if os.name == "nt" and (":" in name or is_device(name) or name[-1] in " ."):
            return None
    return path


def is_within(folder: str, path: str) -> bool:
    """Whether a file is in a folder or below it when all symbolic links are followed."""
    root, real = os.path.realpath(folder), os.path.realpath(path)
    return real.startswith(root.rstrip(os.sep) + os.sep)
