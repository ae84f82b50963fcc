"""Generator coroutines: handlers that yield awaitables and pieces of the answer.

The first step runs in the worker thread in which the handler starts, so that it may block; after
the first `yield` the thread is free and all goes on on the task loop. A layer that offers
coroutines wraps its handlers in `generator_handler`.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atila import Was


def generator_handler(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Make a handler out of a generator function that yields awaitables and pieces of the answer.

    Awaitables that it yields are awaited, and their results sent back into it; str and bytes are
    sent to the client at once. Its return value is the answer, if it sent no pieces.
    """

    @wraps(handler)
    def run(was: Was, /, **params: Any) -> Any:
        generator = handler(was, **params)
        if not inspect.isgenerator(generator):
            return generator
        try:
            first = next(generator)
        except StopIteration as end:
            return end.value
        if _is_piece(first):
            return _pieces(generator, first)
        return _drive(generator, first)

    return run


_piece_types: tuple[type, ...] = (str, bytes, bytearray, memoryview)


def add_piece_type(kind: type) -> None:
    """Send yielded values of this type as pieces of the answer: messages of a protocol."""
    global _piece_types
    if kind not in _piece_types:
        _piece_types = (*_piece_types, kind)


def _is_piece(value: Any) -> bool:
    return isinstance(value, _piece_types)


async def _drive(generator: Generator[Any, Any, Any], yielded: Any) -> Any:
    """Go on until the generator returns its answer or yields the first piece of it.

    Returns:
        The answer, or an asynchronous iterator of its pieces.
    """
    try:
        while not _is_piece(yielded):
            yielded = await _step(generator, yielded)
    except Returned as end:
        return end.value
    except BaseException:
        generator.close()
        raise
    return _pieces(generator, yielded)


async def _pieces(generator: Generator[Any, Any, Any], yielded: Any) -> AsyncIterator[Any]:
    """The pieces that a generator yields, waiting for whatever else it yields between them."""
    try:
        while True:
            if _is_piece(yielded):
                yield yielded
                yielded = _send(generator, None)
            else:
                yielded = await _step(generator, yielded)
    except Returned as end:
        if _is_piece(end.value):
            yield end.value
    finally:
        generator.close()


class Returned(Exception):
    """A generator has returned; StopIteration itself cannot leave `async def` (PEP 479)."""

    def __init__(self, value: Any) -> None:
        self.value = value


async def _step(generator: Generator[Any, Any, Any], awaited: Awaitable[Any]) -> Any:
    """Wait for the yielded awaitable, send its result or error into the generator; give the next
    yielded value.

    Raises:
        Returned: the generator has returned.
    """
    if not inspect.isawaitable(awaited):
        return _throw(
            generator,
            TypeError(
                f"a coroutine yielded {type(awaited).__name__}: yield a task, was.Input(…), or str"
                " or bytes to send"
            ),
        )
    try:
        value = await awaited
    except Exception as error:
        return _throw(generator, error)
    return _send(generator, value)


def _send(generator: Generator[Any, Any, Any], value: Any) -> Any:
    try:
        return generator.send(value)
    except StopIteration as end:
        raise Returned(end.value) from None


def _throw(generator: Generator[Any, Any, Any], error: Exception) -> Any:
    try:
        return generator.throw(error)
    except StopIteration as end:
        raise Returned(end.value) from None
