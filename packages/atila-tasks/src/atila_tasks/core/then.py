"""Answers that a function builds once a task is finished."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from atila.runtime.offload import in_worker
from atila.serving.provision import call_provided

if TYPE_CHECKING:
    from atila import Was
    from atila_tasks.core.waitable import Waitable


class Then:
    """The result of `task.then(func)`, for the handler to return: awaiting it gives the answer.

    Args:
        was: the request.
        task: the task to wait for.
        func: called as func(was, task), in a worker thread because it may block; with the request's
            values of providers that it takes.
    """

    __slots__ = ("_func", "_task", "_was")

    def __init__(self, was: Was, task: Waitable, func: Callable[..., Any]) -> None:
        self._was = was
        self._task = task
        self._func = func

    def __await__(self) -> Generator[Any, None, Any]:
        return self._respond().__await__()

    async def _respond(self) -> Any:
        task = await self._task
        return await in_worker(self._was, call_provided, self._was, self._func, task)
