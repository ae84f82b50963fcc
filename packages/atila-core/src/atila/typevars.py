"""Type variables that several modules need, each once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, TypeVar

if TYPE_CHECKING:
    from atila import Was

Value = TypeVar("Value")
Function = TypeVar("Function", bound=Callable[..., Any])
"""The function that a decorator takes and returns unchanged."""
Context = TypeVar("Context", bound="Was")
"""`Was`, or a subclass of it by which an app annotates its functions."""
Hook = Callable[[Context], Any] | Callable[Concatenate[Context, ...], Any]
"""A function that is called with the context, and perhaps with values of providers. Without the
first of the two, type checkers would know no type of a lambda's parameter."""
