"""MINIFY_HTML: removes unneeded characters from pages."""

from __future__ import annotations

import re
from collections.abc import Callable

Minifier = Callable[[str], str]

_TAG = re.compile(r"<(/?)(pre|textarea|script|style)(?=[\s/>])", re.IGNORECASE)
_SPACES = " \t\r\f"


def minifier(mode: object) -> Minifier | None:
    """The function that makes pages smaller.

    Args:
        mode: None for none; "strip" or "minify".

    Raises:
        ValueError: there is no such mode, or its library is not installed.
    """
    if mode is None:
        return None
    if mode == "strip":
        return strip
    if mode != "minify":
        raise ValueError(f"is None, 'strip' or 'minify', not {mode!r}")
    try:
        from minify_html import minify as minify_html
    except ImportError:
        raise ValueError(
            "'minify' needs the library minify-html. Mend: pip install \"atila-render[minify]\""
        ) from None

    def minify(text: str) -> str:
        # It goes by the HTML standard; what a script looks for in the page is left where it is.
        return minify_html(text, keep_closing_tags=True, keep_html_and_head_opening_tags=True)

    return minify


def strip(text: str) -> str:
    """A page without indents, blank lines, and spaces at the ends of lines.

    The content of pre, textarea, script and style stays as it is.
    """
    kind, begin, out = "", 0, []
    for found in _TAG.finditer(text):
        closes, name = found[1], found[2].lower()
        if not kind and not closes:
            out.append(_without_indents(text[begin : found.start()]))
            kind, begin = name, found.start()
        elif kind == name and closes:
            out.append(text[begin : found.start()])
            kind, begin = "", found.start()
    rest = text[begin:]
    out.append(rest if kind else _without_indents(rest))
    return "".join(out)


def _without_indents(text: str) -> str:
    first, *lines = text.split("\n")
    if not lines:
        return text
    # The spaces before the first line and behind the last may be between two words.
    *lines, last = lines
    middle = [line for line in (line.strip(_SPACES) for line in lines) if line]
    return "\n".join([first.rstrip(_SPACES), *middle, last.lstrip(_SPACES)])
