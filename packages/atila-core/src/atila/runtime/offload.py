"""Calls from the task loop into worker threads, and from threads to the loop, in the context
variables of the request.

A `Context` belongs to one request, and only one thread at a time is in it: the worker thread that
runs the handler, the task loop that awaits its result, the worker thread that runs a hook. Code
that runs beside these has a copy.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from atila.runtime.awaitables import settle
from atila.runtime.context import current
from atila.runtime.pool import WorkerPool
from atila.runtime.spare_threads import waiting

if TYPE_CHECKING:
    from atila import Site, Was


async def in_worker(was: Was, func: Callable[..., Any], *args: Any) -> Any:
    """Call func(*args) in a worker thread, for a running request. On the task loop.

    Function and caller have the same context variables.
    """
    return await in_pool(was.site.pool, was, func, *args)


async def in_pool(pool: WorkerPool, was: Was, func: Callable[..., Any], *args: Any) -> Any:
    """The same in a thread of another pool."""
    context = copy_context()
    context.run(current.set, was)
    value = await in_context(was, context, func, *args, pool=pool)
    adopt(context)
    return value


def in_context(
    was: Was,
    context: Context,
    func: Callable[..., Any],
    *args: Any,
    pool: WorkerPool | None = None,
) -> asyncio.Future[Any]:
    """Call func(*args) in a worker thread, in a context that nobody else is in until it ends.

    Args:
        was: the request.
        context: the context variables that the function sees and sets.
        func: the function.
        args: its arguments.
        pool: the threads; None for those of the site.
    """
    loop = was.site.loop
    future: asyncio.Future[Any] = loop.loop.create_future()

    def work() -> None:
        try:
            result = context.run(func, *args)
        except BaseException as error:
            loop.call(settle, future, None, _for_future(error))
        else:
            loop.call(settle, future, result)

    (pool or was.site.pool).resubmit(work)
    return future


async def uninterrupted(was: Was, step: asyncio.Future[Any]) -> Any:
    """Wait for a call in a thread, which cannot be interrupted and must not be overtaken.

    A waiter that is cancelled meanwhile cancels the tasks that the thread may wait for, and goes on
    waiting.
    """
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        was.cancel()
        while not step.done():
            try:
                await asyncio.wait([step])
            except asyncio.CancelledError:
                continue
        step.exception()
        raise


def adopt(context: Context) -> None:
    """Set the context variables here as they are in a context, but for `current`."""
    for variable, value in context.items():
        if variable is not current and variable.get(_UNSET) is not value:
            variable.set(value)


_UNSET: Any = object()


def _for_future(error: BaseException) -> BaseException:
    """An error as a future can carry it.

    SystemExit would end the loop on which it comes out; StopIteration no coroutine lets pass.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    carried = RuntimeError(f"{type(error).__name__} ended the code of a request")
    carried.__cause__ = error
    return carried


def is_async(function: Any) -> bool:
    """Whether a function, or an object that is called, is `async def`."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - whether it is a coroutine function
    )


def call(was: Was, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call function(was, …), and wait for its result if it is an `async def`.

    Blocks; not to be called on the task loop for an `async def`.
    """
    value = function(was, *args, **kwargs)
    if not inspect.iscoroutine(value):
        return value
    return wait_for(was.site, value)


def wait_for(site: Site, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that runs on the task loop. Blocks; not on the running task loop.

    Raises:
        Exception: whatever it raises.
        RuntimeError: this is the running task loop, or that has ended.
    """
    loop = site.loop
    if loop.loop.is_closed():
        coroutine.close()
        raise RuntimeError(f"{coroutine!r} cannot run any more: the task loop has ended")
    if not loop.loop.is_running():
        # That of a server which has stopped it already, or has not started it, as granian's.
        return loop.loop.run_until_complete(contained(coroutine))
    if loop.is_current():
        coroutine.close()
        raise RuntimeError(f"{coroutine!r} cannot be waited for on the task loop")
    # It gets a copy of the context of this thread.
    ended = asyncio.run_coroutine_threadsafe(_with_context(coroutine), loop.loop)
    with waiting():
        result, context = ended.result()
    adopt(context)
    return result


async def _with_context(coroutine: Coroutine[Any, Any, Any]) -> tuple[Any, Context]:
    return await contained(coroutine), copy_context()


async def contained(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine; raises no error that would end the loop."""
    try:
        return await coroutine
    except (KeyboardInterrupt, SystemExit) as error:
        raise _for_future(error) from error
