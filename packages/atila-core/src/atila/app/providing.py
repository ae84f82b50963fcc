"""The values that an app provides to its handlers by name: `@app.provide` and `app.override`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, overload

from atila.errors import SetupError, caller, source_of
from atila.serving.providers import APP, REQUEST, provider_of
from atila.typevars import Function

if TYPE_CHECKING:
    from atila import Atila


@overload
def provide(app: Atila, function: Function, /) -> Function: ...
@overload
def provide(
    app: Atila, /, *, scope: Literal["request", "app"] = ..., name: str = ...
) -> Callable[[Function], Function]: ...
def provide(app: Atila, function: Any = None, /, *, scope: str = REQUEST, name: str = "") -> Any:
    """Provide a value to handlers, hooks and other providers that have a parameter of its name.

    The function may be `def` or `async def`, take `was` and the names of other providers, and
    return the value, or yield it and clean up after that.

    Args:
        app: the app.
        function: makes the value.
        scope: "request": made at most once for each request, and ended after its answer; "app":
            made when the process begins to serve, and ended with it.
        name: the name of the value; the function's own name if not given.

    Raises:
        SetupError: the scope is unknown, there is a provider of this name, or the app serves
            already. Mistakes in the names that it takes is reported when the app is mounted.
    """

    def decorate(function: Function) -> Function:
        source = source_of(function) or caller()
        if not callable(function):
            raise SetupError(f"@app.provide is for functions; {function!r} is none", source)
        if scope not in (REQUEST, APP):
            raise SetupError(f'scope={scope!r} of @app.provide must be "request" or "app"', source)
        if app.mounting.is_done:
            raise SetupError("the app serves already; write @app.provide earlier", source)
        called = name or getattr(function, "__name__", "")
        app.providers.add(provider_of(called, function, scope))
        return function

    return decorate if function is None else decorate(function)


def override(app: Atila, **fakes: Any) -> AbstractContextManager[None]:
    """Have other values provided while a `with` block lasts: with app.override(db=fake): …

    Args:
        app: the app.
        fakes: by the name of the provider, a value; or a function, which is called as the provider
            would be. A value of the scope "app" is best overridden before the app serves: values
            made from it stay.

    Raises:
        SetupError: nothing of the name is provided, or a function takes what nothing provides.
    """
    return app.providers.overridden(fakes, caller())
