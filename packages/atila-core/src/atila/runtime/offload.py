"""From the task loop into a worker thread and back, and from a thread to the loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from atila.runtime.context import current
from atila.runtime.pool import WorkerPool

if TYPE_CHECKING:
    from atila import Was


def in_worker(was: Was, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
    """Call func(*args) in a worker thread, for a request that is under way. On the task loop."""
    return in_pool(was.site.pool, was, func, *args)


def in_pool(
    pool: WorkerPool, was: Was, func: Callable[..., Any], *args: Any
) -> asyncio.Future[Any]:
    """The same in a thread of another pool."""
    loop = was.site.loop
    future: asyncio.Future[Any] = loop.loop.create_future()

    def finish(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def work() -> None:
        token = current.set(was)
        try:
            result = func(*args)
        except BaseException as error:
            loop.call(finish, None, _for_future(error))
        else:
            loop.call(finish, result, None)
        finally:
            current.reset(token)

    pool.resubmit(work)
    return future


def _for_future(error: BaseException) -> BaseException:
    """An error as a future can carry it.

    SystemExit would end the loop on which it comes out; StopIteration no coroutine lets pass.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    carried = RuntimeError(f"{type(error).__name__} ended what ran for a request")
    carried.__cause__ = error
    return carried


def call(was: Was, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call function(was, …), and wait for what it gives if it is an `async def`.

    Blocks; not to be called on the task loop for an `async def`.
    """
    value = function(was, *args, **kwargs)
    if not inspect.iscoroutine(value):
        return value
    loop = was.site.loop
    if loop.is_current():
        if not loop.loop.is_running():
            # The loop of a server that has stopped it already, as granian does at the end.
            return loop.loop.run_until_complete(_contained(value))
        value.close()
        raise RuntimeError(f"{function!r} cannot be waited for on the task loop")
    return asyncio.run_coroutine_threadsafe(_contained(value), loop.loop).result()


async def _contained(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine gives; of what it raises nothing that would end the loop."""
    try:
        return await coroutine
    except (KeyboardInterrupt, SystemExit) as error:
        raise _for_future(error) from error
