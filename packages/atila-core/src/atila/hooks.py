"""The hooks of an app around each of its requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class Hooks:
    """Functions of an app that run around each request, in the order they were added.

    Attributes:
        before: (was); one that gives something other than None answers the request with it.
        finish: (was, response); what is not None replaces the response.
        failed: (was, exc_info); told of an error, whatever it gives is ignored.
        teardown: (was); called at the very end, whether the request failed or not.
    """

    def __init__(self) -> None:
        self.before: list[Callable[..., Any]] = []
        self.finish: list[Callable[..., Any]] = []
        self.failed: list[Callable[..., Any]] = []
        self.teardown: list[Callable[..., Any]] = []
