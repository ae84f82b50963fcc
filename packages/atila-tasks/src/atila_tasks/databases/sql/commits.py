"""Transactions that a coroutine has left while their commit is still under way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

from atila.runtime.keeping import forget, found, kept

if TYPE_CHECKING:
    from atila import Was
    from atila_tasks.core.task import Task

_OWED = "tasks owed"


def owe(was: Was, task: Task) -> None:
    """Hold the answer of a coroutine back until a task is finished, and fail it if that fails."""
    owed: list[Task] = kept(was, _OWED, list)
    owed.append(task)


def owed_by(was: Was | None) -> Sequence[Task]:
    """The pending commits of a request."""
    return tuple((was and found(was, _OWED)) or ())


async def settled(was: Was | None) -> None:
    """Wait for the pending commits of a request, so that later statements find them done."""
    for task in owed_by(was):
        _ = await task


def settling(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A handler whose answer waits for the pending commits of its request."""

    @wraps(handler)
    def run(was: Was, /, **params: Any) -> Any:
        value = handler(was, **params)
        if hasattr(value, "__await__"):
            return _awaited(was, value)
        if hasattr(value, "__aiter__"):
            return _pieces(was, value)
        return value

    return run


async def _awaited(was: Was, value: Any) -> Any:
    answer = await value
    await _settle(was)
    return answer


async def _pieces(was: Was, value: Any) -> AsyncIterator[Any]:
    try:
        async for piece in value:
            yield piece
        await _settle(was)
    finally:
        await value.aclose()


async def _settle(was: Was) -> None:
    for task in forget(was, _OWED) or ():
        (await task).fetch()
