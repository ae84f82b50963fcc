"""Derives the media type of a template's output from its name."""

from __future__ import annotations

from functools import lru_cache
from os.path import splitext

HTML = "text/html"

_TEMPLATE_SUFFIXES = (".j2", ".jinja2", ".jinja")

_MARKUP = {
    ".atom": "application/atom+xml",
    ".rss": "application/rss+xml",
    ".svg": "image/svg+xml",
    ".xhtml": "application/xhtml+xml",
    ".xml": "application/xml",
}

# A table of our own: that of the system differs from machine to machine, and may take the ".tpl"
# of an HTML page for something in which nothing has to be escaped.
_TEXT = {
    ".css": "text/css",
    ".csv": "text/csv",
    ".ics": "text/calendar",
    ".js": "text/javascript",
    ".json": "application/json",
    ".md": "text/markdown",
    ".txt": "text/plain",
}


@lru_cache(1024)
def media_type_of(name: str) -> str:
    """The media type of a template's output; HTML for all names that indicate no other.

    Args:
        name: "index.html", "index.j2", "feed.xml.j2", "robots.txt".
    """
    suffix = _suffix_of(name)
    return _TEXT.get(suffix) or _MARKUP.get(suffix, HTML)


def is_markup(name: str | None) -> bool:
    """Whether a template makes HTML or XML, in which printed values must be escaped.

    Args:
        name: the name of the template; None for one made from a string.
    """
    return name is None or _suffix_of(name) not in _TEXT


def _suffix_of(name: str) -> str:
    base, suffix = splitext(name.lower())
    return splitext(base)[1] if suffix in _TEMPLATE_SUFFIXES else suffix
