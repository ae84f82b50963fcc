"""Awaitables that may already be finished, so that callers can skip the wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any


class _Done:
    """Is over."""

    __slots__ = ()
    # Of C: to wait for it enters no function.
    __await__ = ().__iter__


DONE: Awaitable[None] = _Done()  # type: ignore[assignment]  # An iterator is enough.
"""An awaitable that has ended, with None; may be awaited any number of times."""


def begin(work: Awaitable[None]) -> Awaitable[None]:
    """Let some work run up to where it has to wait. On the task loop only.

    Args:
        work: a coroutine; any other awaitable has begun, and is given back.

    Returns:
        DONE if it has ended, else its rest, which must be awaited.

    Raises:
        Exception: whatever it raised so far.
    """
    if not isinstance(work, Coroutine):
        return work
    try:
        waits_for = work.send(None)
    except StopIteration:
        return DONE
    return Rest(work, waits_for)


def settle(
    future: asyncio.Future[Any], result: Any = None, error: BaseException | None = None
) -> None:
    """End a future, unless it has ended: its waiter may have been cancelled. On its loop.

    Args:
        future: the future.
        result: its value, if there is no error.
        error: raised where it is awaited; a StopIteration, which no future takes, as the cause of a
            RuntimeError.
    """
    if future.done():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration):
        carried = RuntimeError("a call raised StopIteration")
        carried.__cause__ = error
        future.set_exception(carried)
    else:
        future.set_exception(error)


class Rest:
    """A coroutine that has run up to where it waits for something, to be awaited by a task.

    Its value is that of the coroutine.

    Attributes:
        coroutine: the coroutine, or a generator that is one.
        waits_for: the future that it has given to the event loop, to be woken by its end.
    """

    __slots__ = ("coroutine", "waits_for")

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any] | Generator[Any, Any, Any], waits_for: Any
    ) -> None:
        self.coroutine = coroutine
        self.waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Any]:
        coroutine, waits_for = self.coroutine, self.waits_for
        while True:
            try:
                try:
                    value = yield waits_for
                except BaseException as error:
                    waits_for = coroutine.throw(error)
                else:
                    waits_for = coroutine.send(value)
            except StopIteration as end:
                return end.value
