"""The rules of English that a test can see, and the prose of a page that they are for."""

from __future__ import annotations

import re

MOST_WORDS = 30
NOT_SAID = re.compile(r"\btold\b|\bwhoever\b|^Who (?!.*\?$)", re.IGNORECASE)
"""A message is logged, raised or sent; a person or program is a client, a caller, a worker."""


def paragraphs_of(text: str) -> list[str]:
    """The prose of a page: without code, tables, headings, and the targets of links."""
    text = re.sub(r"^```.*?^```$|<!--.*?-->", "", text, flags=re.M | re.S)
    lines = [line for line in text.splitlines() if not line.startswith(("|", "#"))]
    found = re.split(r"\n\s*\n|(?:^|\n)\s*(?:- |\d+\. )", "\n".join(lines))
    plain = (" ".join(re.sub(r"\]\([^)]*\)", "]", each).split()) for each in found)
    return [each for each in plain if each]


def bad_sentences(text: str) -> list[str]:
    """Sentences of a page that are long, or speak of who is told."""
    sentences = [s for each in paragraphs_of(text) for s in re.split(r"(?<=[.?!])\s+", each)]
    found = [s for s in sentences if len(s.split()) > MOST_WORDS]
    return found + [s for s in sentences if NOT_SAID.search(re.sub(r"`[^`]*`", "", s))]
