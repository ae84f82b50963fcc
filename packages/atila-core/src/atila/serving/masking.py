"""Keeps secrets out of the pages of development: values whose names say that they are some, and the
same values wherever else they occur.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

from atila.values import secret_names
from atila.values.secret_names import is_secret

MASKED = "••••••"
SHORTEST = 4
"""Characters; a shorter secret is masked at its own place alone, or it would mask half a page."""

_INSIDE = re.compile(
    # A name is tried from its beginning alone, and once: the time grows with the text.
    rf"""(?P<name>(?<![\w-])(?=[\w-]*(?:{secret_names.NAME}))[\w-]++["']?\s*+[:=]\s*+)"""
    r"""(?P<value>b?'(?:\\.|[^'\\])*'?|b?"(?:\\.|[^"\\])*"?|[^\s,;&)}\]]+)""",
    re.IGNORECASE,
)
"""name='value' and 'name': 'value' within a text."""
_SCHEMES = re.compile(r"\b(Basic|Bearer|Digest)\s+[\w.~+/=-]{4,}", re.IGNORECASE)
_IN_URL = re.compile(r"(://[^\s/:@]*:)[^\s/@]+@")
_TOKEN = re.compile(r"\beyJ[\w-]{8,}(?:\.[\w-]*)*")
"""A JSON Web Token."""


class Masking:
    """The secrets of one page."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._short = reprlib.Repr()
        self._short.maxstring = self._short.maxother = self._short.maxlong = 300
        self._short.maxlist = self._short.maxdict = self._short.maxtuple = self._short.maxset = 12
        self._short.maxlevel = 4

    def learn(self, values: Mapping[str, Any]) -> None:
        """Take note of the secrets among values, to mask them under other names, too."""
        for name, value in values.items():
            self._learn(name, value, 0)

    def _learn(self, name: object, value: Any, depth: int) -> None:
        if isinstance(value, str | bytes):
            if is_secret(name):
                self._note(value)
        elif type(value) is dict and depth < 3:
            for inner, each in tuple(value.items())[:100]:
                self._learn(name if is_secret(name) else inner, each, depth + 1)
        elif type(value) in (list, tuple) and depth < 3 and is_secret(name):
            for each in value[:100]:
                self._learn(name, each, depth + 1)

    def _note(self, value: str | bytes) -> None:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        # That of "Authorization: Bearer TOKEN" is the token alone, too.
        for each in (text, text.partition(" ")[2]):
            if len(each) >= SHORTEST:
                self._known |= {each, repr(each)[1:-1]}

    def shown(self, name: str, value: Any) -> str:
        """A value of a name, short and without secrets."""
        if is_secret(name):
            return MASKED
        try:
            text = self._cut(value)
        except Exception as error:
            return f"<{type(value).__name__} whose repr() failed: {type(error).__name__}>"
        return self.text(text)

    def _cut(self, value: Any) -> str:
        # Secrets are looked for before the text is cut, so that no half of one is left.
        if isinstance(value, str) and len(value) < 10_000:
            text = self.text(repr(value))
        elif isinstance(value, dict | list | tuple | set | frozenset | bytes | str):
            text = self._short.repr(self._masked(value, 0))
        else:
            text = self.text(repr(value)[:10_000])
        return text if len(text) <= 600 else text[:600] + "…"

    def _masked(self, value: Any, depth: int) -> Any:
        """A value of Python's own types with its secrets replaced."""
        if isinstance(value, str):
            return self.text(value[:10_000])
        if type(value) is dict and depth < 4:
            return {
                key: MASKED if is_secret(key) else self._masked(each, depth + 1)
                for key, each in tuple(value.items())[:20]
            }
        if type(value) in (list, tuple) and depth < 4:
            return type(value)(self._masked(each, depth + 1) for each in value[:20])
        return value

    def text(self, text: str) -> str:
        """A text without secrets."""
        text = self.known(text)
        text = _INSIDE.sub(rf"\g<name>{MASKED}", text)
        text = _SCHEMES.sub(rf"\1 {MASKED}", text)
        return _TOKEN.sub(MASKED, _IN_URL.sub(rf"\1{MASKED}@", text))

    def known(self, text: str) -> str:
        """A text without the secrets that are known by now."""
        for each in sorted(self._known, key=len, reverse=True):
            text = text.replace(each, MASKED)
        return text

    def rows(self, values: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
        """Names with their values as they are shown; text without quotes."""
        return [
            (name, (MASKED if is_secret(name) else self.text(value[:2000])))
            if isinstance(value, str)
            else (name, self.shown(name, value))
            for name, value in values
        ]
