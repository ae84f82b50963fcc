"""`was.pipe`: passes a request on to another resource, in place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from atila.routing import urls
from atila.runtime.offload import in_worker

Step = Callable[["Was", Any], Any]
_SEEN = ("URL", "URL_QUERY")
"""The attributes of a request that a call replaces; the body stays as it is."""

if TYPE_CHECKING:
    from atila import Endpoint, Was
    from atila.routing.router import Route


def pipe(was: Was, resource: urls.Resource, /, *args: Any, **params: Any) -> Any:
    """Call another resource as a request to it would, but for the hooks of the app.

    Its layers and decorators apply, access control among them. Its parameters are the program's,
    not a client's, so they are passed unchanged: `@app.inspect` does not look at them.

    Args:
        was: the request.
        resource: a function or its name: "sub.pages.toc"; "shop:cart" for that of another app is
            no resource of this request's app, and refused.
        args: values of parameters in order: those of the rule, then the others of the function.
        params: values of parameters by name.

    Returns:
        The resource's result, to be returned in turn.

    Raises:
        LookupError: there is no such resource, or it is of another app.
        TypeError: the resource does not take these parameters.
        Exception: any error of the resource.
    """
    app, routes = urls.resolve(was, resource)
    if app is not was.app:
        raise LookupError(f"{resource!r} is of another app; was.pipe calls those of this one")
    route = _suited(routes, was.exchange.method)
    endpoint = app.endpoint_of(route)
    return _Detour(was, endpoint, _given(route, args, params)).run()


def _suited(routes: Sequence[Route], method: str) -> Route:
    """The route of a name that takes the method of the request, else the first."""
    return next((route for route in routes if method in route.methods), routes[0])


def _given(route: Route, args: tuple[Any, ...], params: dict[str, Any]) -> dict[str, Any]:
    order = urls.shape_of(route).names
    if len(args) > len(order):
        raise TypeError(f"{route.name} has {len(order)} parameters, {len(args)} are given")
    given = dict(zip(order, args, strict=False))
    if twice := given.keys() & params.keys():
        raise TypeError(f"{route.name} is given the parameter {min(twice)!r} twice")
    return {**given, **params}


class _Detour:
    """A request while it is at another endpoint than its own."""

    def __init__(self, was: Was, endpoint: Endpoint, args: dict[str, Any]) -> None:
        self._was = was
        self._endpoint = endpoint
        self._args = args

    def run(self) -> Any:
        was = self._was
        state = self._leave()
        try:
            value, after = self._endpoint.call(was, by_program=True)
            if isinstance(value, Awaitable):
                return self._finish_later(value, after)
            return finish(was, value, after)
        finally:
            self._come_back(state)

    def _leave(self) -> tuple[Any, ...]:
        was, seen = self._was, self._was.request.__dict__
        before = {name: seen.get(name) for name in _SEEN}
        state = (was.endpoint, was.path_params, was._args, was._given, before)
        was.endpoint, was.path_params, was._args = self._endpoint, self._args, self._args
        was._given = None
        seen.update(URL=self._args, URL_QUERY={})
        return state

    def _come_back(self, state: tuple[Any, ...]) -> None:
        was, seen = self._was, self._was.request.__dict__
        was.endpoint, was.path_params, was._args, was._given, before = state
        for name, value in before.items():
            if value is None:
                seen.pop(name, None)  # Nobody had asked for it.
            else:
                seen[name] = value

    async def _finish_later(self, value: Awaitable[Any], after: Sequence[Step]) -> Any:
        # On the task loop, where steps that may block have no place: they go to a worker thread.
        result = await value
        return await in_worker(self._was, finish, self._was, result, after)


def finish(was: Was, value: Any, after: Sequence[Step]) -> Any:
    """Pass a handler's value through the steps after it; they may block."""
    for step in after:
        replaced = step(was, value)
        if replaced is not None:
            value = replaced
    return value
