"""The request to which the running code belongs, and awaitables that run with its variables."""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any

from atila.runtime.awaitables import Rest
from atila.typevars import Value

if TYPE_CHECKING:
    from atila import Was

current: ContextVar[Was] = ContextVar("was")
"""The context of the request; set in worker threads, on the task loop and in tasks."""


@types.coroutine
def run_in(
    context: Context, awaitable: Awaitable[Any], on_wait: Callable[[], object]
) -> Generator[Any, Any, Any]:
    """Await something whose code is to run in a context, each step of it.

    An asyncio task of this context would do the same, but be in it whenever it is woken: also while
    a worker thread is. This one is in it for no longer than a step takes.

    Args:
        context: nobody else is in it meanwhile.
        awaitable: a coroutine, the rest of one, or anything else to be awaited.
        on_wait: called when it waits for the first time.

    Returns:
        Its value.
    """
    run = context.run
    begun = awaitable if type(awaitable) is Rest else None
    steps: Any = awaitable if begun is None else begun.coroutine
    send = getattr(steps, "send", None)
    if send is None:
        steps = run(awaitable.__await__)
        send = getattr(steps, "send", None) or (lambda value: next(steps))
    try:
        awaited = run(send, None) if begun is None else begun.waits_for
        on_wait()
        while True:
            try:
                value = yield awaited
            except BaseException as error:
                throw = getattr(steps, "throw", None)
                if throw is None:
                    raise
                # GeneratorExit too: what is thrown away cleans up in its context.
                awaited = run(throw, error)
            else:
                awaited = run(send, value)
    except StopIteration as end:
        return end.value


def outside(awaitable: Awaitable[Value]) -> Awaitable[Value]:
    """Await something out of any request, such as a connection that lives for longer than the one
    that needs it first: an event loop keeps the variables that it was opened with.
    """
    return run_in(Context(), awaitable, _nothing)


def _nothing() -> None:
    pass
