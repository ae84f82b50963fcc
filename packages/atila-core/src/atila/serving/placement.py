"""Where a handler runs: in a worker thread, or on the task loop."""

from __future__ import annotations

import functools
import inspect
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila.errors import SetupError

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.routing.router import Route

OPTION = "blocking"
"""The option of `@app.route`."""
LONGEST = 0.010
"""Seconds in a row on the task loop after which development mode warns."""

log = logging.getLogger("atila.app")


def of(app: Atila, route: Route, handler: Callable[..., Any]) -> tuple[Callable[..., Any], bool]:
    """The handler to be called, and whether it may block.

    Args:
        app: the app.
        route: the route.
        handler: its handler, within the wrappers of layers.

    Raises:
        SetupError: the option is not a bool, or does not fit the handler.
    """
    asked = route.options.get(OPTION, True)
    if not isinstance(asked, bool):
        raise SetupError(f"{OPTION} is True or False, not {asked!r}", route.source)
    if OPTION in route.options and inspect.iscoroutinefunction(route.handler):
        raise SetupError(
            f"{route.name} is async def, which always runs on the task loop. Mend: leave out"
            f" {OPTION}={asked}",
            route.source,
        )
    if inspect.iscoroutinefunction(handler):
        return handler, False
    # Providers that are not all `async def` are called by the handler's wrapper, and may block.
    if asked or route.provided:
        return handler, True
    return (_timed(route, handler) if app.debug else handler), False


def _timed(route: Route, handler: Callable[..., Any]) -> Callable[..., Any]:
    """The handler, with a warning when it takes long."""

    @functools.wraps(handler)
    def run(was: Was, *args: Any, **params: Any) -> Any:
        started = time.perf_counter()
        try:
            return handler(was, *args, **params)
        finally:
            taken = time.perf_counter() - started
            if taken > LONGEST:
                log.warning(
                    "%s took %.0f ms on the task loop, where everybody waited for it. Mend: leave"
                    " out %s=False (%s)",
                    *(route.name, 1000 * taken, OPTION, route.source),
                )

    return run
