"""A token that a client must send with a form, as the documents of the API describe it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FormToken:
    """A value that a route wants as a field of the body, or else in a header.

    Attributes:
        field: the name of the field.
        header: the name of the header.
        description: how a client comes by it.
        is_wanted: whether a method needs it.
    """

    field: str
    header: str
    description: str
    is_wanted: Callable[[str], bool]
