"""The values that providers have made for one request, and their clean-up."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from atila.runtime.offload import call, in_worker, is_async, uninterrupted
from atila.serving.made_values import AsyncValue, Made
from atila.serving.providers import APP, Providers, Taker, is_needed
from atila.typevars import Function

if TYPE_CHECKING:
    from atila import Atila, Was

_KEY = "provision"
"""Where the context of a request keeps it."""


class Provision:
    """Values of providers, each made once, and ended in reverse order.

    Args:
        was: the request.
        above: those made for the request as a whole, if this is for a part of it.

    Attributes:
        error: why the request failed, for the clean-up; None if it did not.
    """

    __slots__ = ("_above", "_made", "_providers", "_values", "_was", "error")

    def __init__(self, was: Was, above: Provision | None = None) -> None:
        self._was = was
        self._above = above
        self._providers: Providers = was.app.providers
        self._values: dict[str, Any] = {}
        self._made: list[Made] = []
        self.error: BaseException | None = None

    def take(self, names: Iterable[str]) -> dict[str, Any]:
        """Values by name, made as far as they are not there. Blocks; not on the task loop.

        Raises:
            Exception: whatever a provider raises.
        """
        return {name: self._value(name) for name in names}

    async def take_later(self, names: Iterable[str]) -> dict[str, Any]:
        """The same, on the task loop."""
        return {name: await self._value_later(name) for name in names}

    def _known(self, name: str) -> bool:
        if name in self._values:
            return True
        if self._above is not None and self._above._known(name):
            self._values[name] = self._above._values[name]
            return True
        return False

    def _value(self, name: str) -> Any:
        if self._known(name):
            return self._values[name]
        provider = self._providers.active[name]
        if provider.scope == APP:
            value = self._providers.opened(provider)
        else:
            made = provider.made(self._was, self.take(provider.needs))
            made.make()
            value = self._kept(made)
        self._values[name] = value
        return value

    async def _value_later(self, name: str) -> Any:
        if self._known(name):
            return self._values[name]
        provider = self._providers.active[name]
        if provider.scope == APP:
            if not self._providers.is_opened(provider):
                await in_worker(self._was, self._providers.opened, provider)
            value = self._providers.opened(provider)
        else:
            made = provider.made(self._was, await self.take_later(provider.needs))
            if isinstance(made, AsyncValue):
                await made.make_later()
            else:
                await in_worker(self._was, made.make)
            value = self._kept(made)
        self._values[name] = value
        return value

    def _kept(self, made: Made) -> Any:
        if made.cleans_up:
            self._made.append(made)
        return made.value

    def end(self) -> None:
        """Clean up; never raises. Blocks; not on the running task loop."""
        error, self.error = self.error, None
        while self._made:
            error = self._made.pop().close(error)
        self._values.clear()

    async def end_later(self) -> None:
        """The same, on the task loop; nothing can interrupt it."""
        if self._made:
            ending = asyncio.get_running_loop().create_task(self._end())
            await uninterrupted(self._was, ending)
        self._values.clear()

    async def _end(self) -> None:
        error, self.error = self.error, None
        while self._made:
            made = self._made.pop()
            if isinstance(made, AsyncValue):
                error = await made.close_later(error)
            else:
                error = await in_worker(self._was, made.close, error)


def of(was: Was) -> Provision:
    """That of a request."""
    found: Provision | None = was.__dict__.get(_KEY)
    if found is None:
        found = was.__dict__[_KEY] = Provision(was)
        if was.cancels is None:
            # The mark of a request that something is left to be done for at its end.
            was.cancels = {}
    return found


def taken(was: Was) -> Provision | None:
    """That of a request, which knows of it no more; None if nothing was made."""
    found: Provision | None = was.__dict__.pop(_KEY, None)
    return found


def note(was: Was, error: BaseException) -> None:
    """Note the error of the request for the clean-up."""
    found: Provision | None = was.__dict__.get(_KEY)
    if found is not None:
        found.error = error


class Part:
    """Values for one of many calls in a request, besides those of the request.

    Args:
        was: the context of the call.
    """

    def __init__(self, was: Was) -> None:
        self._of = was.__dict__
        self._above: Provision | None = self._of.get(_KEY)
        self._own = self._of[_KEY] = Provision(was, self._above)

    def end(self, error: BaseException | None) -> None:
        """Clean up, and have the context take values from where it did. Blocks."""
        self._leave(error)
        self._own.end()

    async def end_later(self, error: BaseException | None) -> None:
        """The same, on the task loop."""
        self._leave(error)
        await self._own.end_later()

    def _leave(self, error: BaseException | None) -> None:
        if self._above is not None:
            self._of[_KEY] = self._above
        else:
            self._of.pop(_KEY, None)
        self._own.error = error


def provided(app: Atila, handler: Callable[..., Any], names: tuple[str, ...]) -> Any:
    """A handler that is called with provided values besides what a request gives.

    Args:
        app: its app.
        handler: the handler, within the wrappers of layers.
        names: the names of the app's providers that it takes.
    """
    is_coroutine = inspect.iscoroutinefunction(handler)

    async def later(was: Was, /, *args: Any, **params: Any) -> Any:
        values = await of(was).take_later(names)
        return await handler(was, *args, **params, **values)

    if is_coroutine and app.providers.are_async(names):
        return wraps(handler)(later)

    @wraps(handler)
    def now(was: Was, /, *args: Any, **params: Any) -> Any:
        if is_coroutine and was.site.loop.is_current():
            # Called by another handler: `was.pipe`.
            return later(was, *args, **params)
        return handler(was, *args, **params, **of(was).take(names))

    return now


def supplied(app: Atila, function: Callable[..., Any], count: int) -> Callable[..., Any]:
    """A hook with the values of providers that it takes: def auth(was, user).

    Args:
        app: the app.
        function: the hook.
        count: how many arguments it is called with.

    Returns:
        The function as it is, if it takes no more than that.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())[count:]
    except (TypeError, ValueError):
        return function
    names = tuple(p.name for p in parameters if is_needed(p))
    app.providers.takers.append(Taker(function, names))
    if not names:
        return function

    @wraps(function)
    def hook(was: Was, *args: Any) -> Any:
        return call(was, partial(_with, function, of(was).take(names)), *args)

    return hook


def _with(function: Callable[..., Any], values: dict[str, Any], *args: Any) -> Any:
    return function(*args, **values)


def call_provided(was: Was, function: Callable[..., Any], *args: Any) -> Any:
    """Call function(was, …) as a part of the request, with the values of it that the function
    takes. Blocks; not on the running task loop.
    """
    names = was.app.providers.names_in(function, 1 + len(args))
    return function(was, *args, **of(was).take(names)) if names else function(was, *args)


def called(was: Was, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call function(was, …) outside of a request, with the values of providers that it takes; wait
    for it if it is `async def`, and clean up. Blocks; not on the running task loop.
    """
    names = was.app.providers.names_in(function, 1 + len(args), kwargs)
    if not names:
        return call(was, function, *args, **kwargs)
    with _alone(was, names) as values:
        return call(was, function, *args, **kwargs, **values)


def supplied_alone(was: Was, function: Any, count: int, given: Iterable[str]) -> Any:
    """A function for a thread of its own, or for later, with values of its own for the names of
    providers that it takes: the request may be over before it is, and few of such values may be
    used in two threads.

    Args:
        was: the request.
        function: the function, def or async def.
        count: how many arguments it is given by position.
        given: the names of those that it is given by name.

    Returns:
        The function as it is, if it takes nothing of providers; else one of the same kind.
    """
    names = was.app.providers.names_in(function, count, given)
    if not names:
        return function

    @_named_like(function)
    def work(*args: Any, **kwargs: Any) -> Any:
        with _alone(was, names) as values:
            return function(*args, **kwargs, **values)

    @_named_like(function)
    async def work_later(*args: Any, **kwargs: Any) -> Any:
        provision = Provision(was)
        try:
            return await function(*args, **kwargs, **await provision.take_later(names))
        except BaseException as error:
            provision.error = error
            raise
        finally:
            await provision.end_later()

    return work_later if is_async(function) else work


def _named_like(function: Any) -> Callable[[Function], Function]:
    """`functools.wraps`, also for objects that are called."""
    return wraps(function, updated=())  # type: ignore[return-value]  # it keeps the function


@contextmanager
def _alone(was: Was, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Separate values for a function that runs beside a request, or without one."""
    provision = Provision(was)
    try:
        yield provision.take(names)
    except BaseException as error:
        provision.error = error
        raise
    finally:
        provision.end()
