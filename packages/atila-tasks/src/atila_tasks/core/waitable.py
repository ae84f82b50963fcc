"""The common part of tasks and groups: the ways to wait."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Concatenate

from atila.runtime.loop import in_event_loop
from atila.typevars import Context
from atila_tasks.core.then import Then

if TYPE_CHECKING:
    from typing import Self

    from atila import Was


class Waitable(ABC):
    """Something under way beside the request.

    A thread waits in `fetch`, `one`, `commit`, `dispatch` or `wait`. A coroutine says `yield task`,
    an `async def` handler `await task`: both get the task itself back, finished, and it depends on
    the method they call next whether its error is raised.

    Args:
        was: the request.
        meta: any data of the caller, kept for later.
    """

    __slots__ = ("_was", "meta")

    def __init__(self, was: Was, meta: dict[str, Any] | None = None) -> None:
        self._was = was
        self.meta: dict[str, Any] = {} if meta is None else meta

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether it is finished, well or not, so that nothing more has to be waited for."""

    @abstractmethod
    def cancel(self) -> None:
        """Cancel work that has not begun, and work that its backend can stop; the rest goes on."""

    @abstractmethod
    def limit(self, seconds: float) -> None:
        """Count as failed, by `TaskTimeout`, what is not finished in so many seconds from now."""

    @abstractmethod
    def fetch(self) -> Any:
        """Wait for the data.

        Raises:
            Exception: the task's error; `TaskTimeout` if it was not done in time.
            RuntimeError: it is not finished, and waiting would block an event loop.
        """

    @abstractmethod
    def one(self) -> Any:
        """Wait for the data, which must be a single element.

        Raises:
            HTTPError: 410 if there is no element, 409 if there are more than one.
            Exception: as `fetch`.
        """

    @abstractmethod
    def commit(self) -> None:
        """Wait until it is finished, for its effect only.

        Raises:
            Exception: as `fetch`.
        """

    @abstractmethod
    def dispatch(self) -> Any:
        """Wait for the outcome: a `Result`, whatever the task failed with.

        Raises:
            RuntimeError: it is not finished, and waiting would block an event loop.
        """

    @abstractmethod
    def _block(self) -> None:
        """Wait in the calling thread."""

    @abstractmethod
    def _arrive(self) -> Coroutine[Any, Any, None]:
        """Wait on the running loop."""

    def wait(self) -> None:
        """Wait until it is finished, well or not.

        Raises:
            RuntimeError: it is not finished, and waiting would block an event loop.
        """
        if not self.done:
            _refuse_on_loop()
            self._block()

    def then(
        self, func: Callable[[Context, Self], Any] | Callable[Concatenate[Context, Self, ...], Any]
    ) -> Then:
        """Answer later: `return task.then(func)` frees the handler's thread at once.

        Args:
            func: called as func(was, task) in a worker thread once the task is finished, with data
                or an error; its result is the answer. It may take values of providers, too.
        """
        return Then(self._was, self, func)

    def __await__(self) -> Generator[Any, None, Self]:
        if not self.done:
            try:
                yield from self._arrive().__await__()
            except asyncio.CancelledError:
                # As in asyncio: with whoever waits is cancelled what is waited for.
                self.cancel()
                raise
        return self

    @staticmethod
    def respond(was: Was, value: Waitable) -> Any:
        """The responder of tasks: a handler that returns one answers with its data."""
        return value.fetch() if value.done else value._fetched()

    async def _fetched(self) -> Any:
        return (await self).fetch()


def _refuse_on_loop() -> None:
    if in_event_loop():
        raise RuntimeError(
            "this task is not finished, and waiting for it here would block the task loop: write"
            " `task = yield task` in a coroutine, `await task` in async def, before its data is"
            " used"
        )
