"""The request to which the running code belongs, and awaitables that run with its variables."""

from __future__ import annotations

import operator
import types
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from atila.runtime.awaitables import Rest
from atila.typevars import Value

if TYPE_CHECKING:
    from atila import Was

current: ContextVar[Was] = ContextVar("was")
"""The context of the request; set in worker threads, on the task loop and in tasks."""
set_current = current.set
"""A method that is looked for once."""


class Here:
    """In place of a `Context`: that in which the running code is already.

    It stands for the variables of a request which has a task to itself, and with it a context that
    nobody has to enter. Another thread is never in that, but in a copy.
    """

    __slots__ = ()
    # Of C: it enters no function of its own.
    run: ClassVar[Callable[..., Any]] = staticmethod(operator.call)  # type: ignore[arg-type]  # Typeshed has it generic.


HERE = Here()


class Watching(Protocol):
    """Sees that something waits."""

    def begin(self) -> None: ...


@types.coroutine
def run_in(
    context: Context | Here, awaitable: Awaitable[Any], watch: Watching
) -> Generator[Any, Any, Any]:
    """Await something whose code is to run in a context, each step of it.

    An asyncio task of this context would do the same, but be in it whenever it is woken: also while
    a worker thread is. This one is in it for no longer than a step takes.

    Args:
        context: nobody else is in it meanwhile.
        awaitable: a coroutine, the rest of one, or anything else to be awaited.
        watch: its `begin` is called when it waits for the first time.

    Returns:
        Its value.
    """
    begun = awaitable if type(awaitable) is Rest else None
    steps: Any = awaitable if begun is None else begun.coroutine
    if not hasattr(steps, "send"):
        steps = context.run(awaitable.__await__)
        if not hasattr(steps, "send"):
            steps = _Sent(steps)
    # Methods are looked for anew at each step: kept, they would be objects for as long as it waits.
    try:
        awaited = context.run(steps.send, None) if begun is None else begun.waits_for
        watch.begin()
        while True:
            try:
                value = yield awaited
            except BaseException as error:
                throw = getattr(steps, "throw", None)
                if throw is None:
                    raise
                # GeneratorExit too: what is thrown away cleans up in its context.
                awaited = context.run(throw, error)
            else:
                awaited = context.run(steps.send, value)
    except StopIteration as end:
        return end.value


class _Sent:
    """An iterator that takes no values, as a generator."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Iterator[Any]) -> None:
        self._steps = steps

    def send(self, value: Any) -> Any:
        return next(self._steps)


def outside(awaitable: Awaitable[Value]) -> Awaitable[Value]:
    """Await something out of any request, such as a connection that lives for longer than the one
    that needs it first: an event loop keeps the variables that it was opened with.
    """
    return run_in(Context(), awaitable, _Unwatched)


class _Unwatched:
    @staticmethod
    def begin() -> None:
        pass
