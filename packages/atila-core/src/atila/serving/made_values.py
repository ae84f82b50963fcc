"""Values that functions provide, from the call of the function to its clean-up.

A generator runs with context variables of its own from the first step to the last, in whichever
thread: a variable that it sets can be reset by it. Those that it sets are seen by the code that
takes its value, and its clean-up sees those of that code.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from atila.errors import source_of
from atila.runtime.offload import adopt, wait_for

if TYPE_CHECKING:
    from atila import Site

log = logging.getLogger("atila.app")


class Made(ABC):
    """A value that a function makes.

    Args:
        function: the function.
        given: its arguments.
        site: whose task loop runs it, if it is `async def`.

    Attributes:
        value: its result, once it was made.
        cleans_up: there is something to do at the end.
    """

    is_async = False

    def __init__(self, function: Callable[..., Any], given: dict[str, Any], site: Site) -> None:
        self._function = function
        self._given = given
        self._site = site
        self._context = copy_context()
        self._steps: Any = None
        self.value: Any = None

    @property
    def cleans_up(self) -> bool:
        return self._steps is not None

    @abstractmethod
    def make(self) -> None:
        """Call the function. Blocks; not on the running task loop.

        Raises:
            Exception: whatever it raises.
        """

    @abstractmethod
    def close(self, error: BaseException | None) -> BaseException | None:
        """Have a generator clean up; never raises. Blocks; not on the running task loop.

        Args:
            error: why what took the value failed; None if it did not.

        Returns:
            The error; or the one that the clean-up raised in its place, which is logged.
        """

    def _outcome(
        self, error: BaseException | None, raised: BaseException | None
    ) -> BaseException | None:
        """The outcome of a clean-up that raised something; None for nothing."""
        if raised is None or raised is error:
            return error
        log.error("the clean-up of %s failed", self._name, exc_info=raised)
        return raised

    @property
    def _name(self) -> str:
        name = getattr(self._function, "__name__", "a provider")
        return f"{name} ({source})" if (source := source_of(self._function)) else name

    def _nothing_yielded(self) -> RuntimeError:
        return RuntimeError(f"the provider {self._name} has yielded nothing")

    def _yielded_twice(self) -> RuntimeError:
        return RuntimeError(f"the provider {self._name} has yielded twice; it yields one value")


class SyncValue(Made):
    """That of a `def`, which may be a generator."""

    def make(self) -> None:
        function = self._function
        if not inspect.isgeneratorfunction(function):
            self.value = function(**self._given)
            return
        steps = function(**self._given)
        try:
            self.value = self._context.run(next, steps)
        except StopIteration:
            raise self._nothing_yielded() from None
        self._steps = steps
        adopt(self._context)

    def close(self, error: BaseException | None) -> BaseException | None:
        steps, self._steps = self._steps, None
        if steps is None:
            return error
        self._context.run(adopt, copy_context())
        return self._outcome(error, self._context.run(self._end, steps, error))

    def _end(self, steps: Any, error: BaseException | None) -> BaseException | None:
        try:
            if error is None:
                next(steps)
            else:
                steps.throw(error)
        except StopIteration:
            return None
        except BaseException as raised:
            return raised
        steps.close()
        return self._yielded_twice()


class AsyncValue(Made):
    """That of an `async def`, which may be a generator. It runs on the task loop."""

    is_async = True

    def make(self) -> None:
        wait_for(self._site, self._step(self._make()))
        adopt(self._context)

    async def make_later(self) -> None:
        """The same as `make`, on the task loop."""
        await self._step(self._make())
        adopt(self._context)

    def close(self, error: BaseException | None) -> BaseException | None:
        if self._steps is None:
            return error
        self._context.run(adopt, copy_context())
        ended: BaseException | None = wait_for(self._site, self._step(self._end(error)))
        return self._outcome(error, ended)

    async def close_later(self, error: BaseException | None) -> BaseException | None:
        """The same as `close`, on the task loop."""
        if self._steps is None:
            return error
        self._context.run(adopt, copy_context())
        return self._outcome(error, await self._step(self._end(error)))

    async def _step(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.get_running_loop().create_task(coroutine, context=self._context)

    async def _make(self) -> None:
        function = self._function
        if not inspect.isasyncgenfunction(function):
            self.value = await function(**self._given)
            return
        steps = function(**self._given)
        try:
            self.value = await anext(steps)
        except StopAsyncIteration:
            raise self._nothing_yielded() from None
        self._steps = steps

    async def _end(self, error: BaseException | None) -> BaseException | None:
        steps, self._steps = self._steps, None
        try:
            if error is None:
                await anext(steps)
            else:
                await steps.athrow(error)
        except StopAsyncIteration:
            return None
        except BaseException as raised:
            return raised
        await steps.aclose()
        return self._yielded_twice()
