"""The hooks of an app around each of its requests."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from atila.routing.signature import check_takes_context
from atila.runtime.offload import call

if TYPE_CHECKING:
    from atila import Was


class Hooks:
    """Functions of an app that run around each request, in the order they were added.

    Attributes:
        before: (was); one that gives something other than None answers the request with it.
        finish: (was, response); a result that is not None replaces the response.
        failed: (was, exc_info); called for an error, its result is ignored.
        teardown: (was); called at the very end, whether the request failed or not.
    """

    def __init__(self) -> None:
        self.before: list[Callable[..., Any]] = []
        self.finish: list[Callable[..., Any]] = []
        self.failed: list[Callable[..., Any]] = []
        self.teardown: list[Callable[..., Any]] = []

    def snapshot(self) -> tuple[list[Callable[..., Any]], ...]:
        """The present hooks, for `restore`."""
        return self.before[:], self.finish[:], self.failed[:], self.teardown[:]

    def restore(self, state: tuple[list[Callable[..., Any]], ...]) -> None:
        """Remove the hooks added since a snapshot."""
        for hooks, before in zip(
            (self.before, self.finish, self.failed, self.teardown), state, strict=True
        ):
            hooks[:] = before


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """A hook as the endpoints call it: an `async def` runs on the task loop, and is waited for.

    Raises:
        SetupError: it cannot take the context of the request.
    """
    check_takes_context(function)
    if not inspect.iscoroutinefunction(function):
        return function

    @wraps(function)
    def waiting(was: Was, *args: Any) -> Any:
        return call(was, function, *args)

    return waiting
