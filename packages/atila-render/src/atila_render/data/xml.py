"""Values as XML 1.0 (W3C Recommendation, fifth edition).

An object has an element for each of its keys, by its name; a list has an element `item` for each of
its parts. The root is `response`. None is an empty element with xsi:nil="true" (XML Schema, part 1,
section 2.6.2). A key that is no name of an element is that of an element `item`, as its attribute
`name`: <item name="1st">.
"""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from atila.values import json
from atila_render.data.json import Writer

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
_NAME = re.compile(r"[^\W\d][\w.\-]*", re.ASCII)
_LONGEST_NAME = 256
# What XML has no way to write, section 2.2; control characters, mostly.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT = "\ufffd"


def to_xml(value: Any, to_json: Writer) -> bytes:
    """A value as XML, in UTF-8.

    Characters that XML cannot have (section 2.2), such as most control characters, are replaced by
    U+FFFD.

    Args:
        value: anything that can be written as JSON.
        to_json: the writer of JSON; dates, Decimals and all else look alike in both.

    Raises:
        Unwritable: see `json.writer`.
    """
    # By way of JSON, so that no more than the types of JSON are left.
    simple = json.loads(to_json(value))
    out = [_HEAD]
    _write(simple, "response", out)
    return "".join(out).encode()


def _write(value: Any, tag: str, out: list[str]) -> None:
    """The rest of an element, whose name and attributes are there already."""
    if isinstance(value, dict):
        out.append(">")
        for key, part in value.items():
            if len(key) <= _LONGEST_NAME and _NAME.fullmatch(key):
                out.append("<" + key)
                _write(part, key, out)
            else:
                out.append(f"<item name={quoteattr(_clean(key), _SPACES)}")
                _write(part, "item", out)
        out.append(f"</{tag}>")
    elif isinstance(value, list):
        out.append(">")
        for part in value:
            out.append("<item")
            _write(part, "item", out)
        out.append(f"</{tag}>")
    elif value is None:
        out.append(' xsi:nil="true"/>')
    else:
        out.append(f">{_text(value)}</{tag}>")


_SPACES = {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
"""Characters that parsers turn into a space in an attribute (section 3.3.3)."""


def _text(value: Any) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    # A bare carriage return is a line feed for a parser (section 2.11).
    return escape(_clean(value), {"\r": "&#13;"}) if isinstance(value, str) else str(value)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub(_REPLACEMENT, text)
