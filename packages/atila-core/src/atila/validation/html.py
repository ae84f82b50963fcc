"""Distinguishes harmless HTML from HTML that acts."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import nh3

_STYLES = {
    *("background-color", "color", "font-family", "font-size", "font-style", "font-weight"),
    *("line-height", "list-style-type", "text-align", "text-decoration", "text-indent"),
    *("vertical-align",),
}
"""CSS properties that place nothing over other parts of a page and load nothing."""

_END_TAGS = re.compile(r"</[a-z][a-z0-9]*\s*>|<(?:tbody|colgroup)>", re.IGNORECASE)
_AMPERSANDS = re.compile(r"&(?:amp;)+")
_SHAPE = re.compile(r"[\s\"'/=;]+")


def is_harmless(text: str) -> bool:
    """Whether a text has no HTML but harmless tags and attributes: none that run a script, load a
    document or take input.

    nh3 (the sanitizer ammonia) parses the text as browsers do and returns its harmless parts. If
    only the spelling differs, nothing was removed. Quotes, blanks, slashes, equals and end tags are
    spelling; letters are not, and neither a tag nor an attribute that does something can do without
    them. A tag that never ends ("<b") is removed, so it counts as harm.
    """
    if "<" not in text:
        return True
    return _letters(_cleaner().clean(text)) == _letters(text)


def _letters(markup: str) -> str:
    plain = html.unescape(_AMPERSANDS.sub("&", _END_TAGS.sub("", markup)))
    return _SHAPE.sub("", plain).lower()


@cache
def _cleaner() -> nh3.Cleaner:
    import nh3

    attributes = {tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()}
    attributes.setdefault("*", set()).update(("class", "dir", "lang", "style", "title"))
    return nh3.Cleaner(attributes=attributes, filter_style_properties=_STYLES, link_rel=None)
