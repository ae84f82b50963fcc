"""Notes that decorators leave on handlers, for the routes that are compiled with them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from atila.errors import SetupError, source_of
from atila.typevars import Value

if TYPE_CHECKING:
    from atila import Atila

_NAME = "__atila_notes__"


def add(function: Callable[..., Any], note: object, decorator: str) -> None:
    """Leave a note on a function.

    Args:
        function: the handler; `functools.wraps` copies its notes to the wrapper.
        note: any object; `of` finds it by its type.
        decorator: its name, for the error.

    Raises:
        SetupError: no attribute can be set on it.
    """
    try:
        setattr(function, _NAME, (note, *of(function, object)))
    except AttributeError:
        raise SetupError(
            f"@app.{decorator} is for functions; {function!r} is none", source_of(function)
        ) from None


def of(function: Callable[..., Any], kind: type[Value]) -> tuple[Value, ...]:
    """The notes of one type on a function, that of the uppermost decorator first."""
    found = getattr(function, _NAME, ())
    return tuple(note for note in found if isinstance(note, kind))


def check_order(app: Atila, function: Callable[..., Any], decorator: str) -> None:
    """Refuse a note that the function's route would not know of.

    Before the app is mounted a decorator may stand above @app.route too, for nothing has been
    compiled: then the route only has to have this very function, not one that another decorator
    wraps.

    Raises:
        SetupError: it comes too late for the route.
    """
    inner = inspect.unwrap(function)
    handlers = [route.handler for route in app.routes]
    if any(handler is function for handler in handlers):
        late = app.mounting.is_done
    else:
        late = any(handler is inner for handler in handlers)
    if late:
        raise SetupError(
            f"here @app.{decorator} must stand under @app.route, next to the function",
            source_of(inner),
        )
