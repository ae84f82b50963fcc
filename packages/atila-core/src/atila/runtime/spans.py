"""Spans of traces, for the code that makes calls; empty unless the setting TRACES is on.

`monitoring/tracing.py` puts its maker of spans here. Code that asks for a span looks at `active`
first, so that without traces nothing else happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

Attributes = Mapping[str, str | int]


class Span(Protocol):
    """A span that has begun, and is the current one."""

    def set_attribute(self, name: str, value: str | int) -> None:
        """Set an attribute of it."""

    def headers(self) -> list[tuple[str, str]]:
        """The headers by which another server makes its spans a part of this trace."""

    def answered(self, status: int) -> None:
        """It was an HTTP request, and this is the status of its answer."""


class Spans(Protocol):
    """Makes spans."""

    def client(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """The span of a call of another server, to be entered and left on one thread. An error
        that leaves it is noted."""

    def inner(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """The same of work in this process."""


active: Spans | None = None
"""The maker of spans; None without traces."""
