"""Functions that take the request first, as names of `was`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atila import Was


def bound(func: Callable[..., Any]) -> Callable[[Was], Any]:
    """A factory for `Layer.was`: the name is func, its first argument the request.

    Args:
        func: called as func(was, …) when somebody writes `was.name(…)`.
    """

    def factory(was: Was) -> Any:
        return partial(func, was)

    return factory
