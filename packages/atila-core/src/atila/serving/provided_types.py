"""Whether what a provider makes can be what a function says that it takes, by their annotations."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from atila.errors import SetupError
from atila.validation import hints

_BOTH = {(int, float), (int, complex), (float, complex), (bytearray, bytes)}
"""Types that type checkers take for others, though they are no subclasses (PEP 484)."""


def check(
    function: Callable[..., Any],
    name: str,
    maker: Callable[..., Any],
    title: str,
    sources: tuple[str, str],
    namespace: Mapping[str, Any],
) -> None:
    """Compare the annotation of a parameter with that of the provider of its name.

    Only what cannot be right is refused: classes of which neither is a subclass of the other.

    Args:
        function: takes the value.
        name: the parameter.
        maker: the function of the provider.
        title: the taker in words: "the handler".
        sources: "file:line" of the taker and of the provider.
        namespace: names of annotations besides those of the taker's module.

    Raises:
        SetupError: the value is of another type.
    """
    wanted = _hint(function, name, namespace)
    made = _made(maker)
    if _fits(made, wanted):
        return
    taker, provider = sources
    raise SetupError(
        f"{title} takes {name!r} as {_called(wanted)}, and the provider at {provider} makes"
        f" {_called(made)}: change one of the annotations, or the name",
        taker,
    )


def _hint(function: Callable[..., Any], name: str, namespace: Mapping[str, Any]) -> Any:
    """An annotation; Any for none, or one whose names are there for type checkers alone."""
    try:
        parameter = inspect.signature(function).parameters[name]
        hint = hints.of_parameter(function, parameter, namespace).hint
    except hints.Unresolved:
        return Any
    return Any if hint is hints.ABSENT else hint


def _made(maker: Callable[..., Any]) -> Any:
    """The type of the value that a provider returns or yields; Any if it does not say."""
    hint = hints.of_answer(maker, {})
    if hint is hints.ABSENT:
        return Any
    if inspect.isgeneratorfunction(maker) or inspect.isasyncgenfunction(maker):
        return next(iter(get_args(hint)), Any)
    return hint


def _fits(made: Any, wanted: Any) -> bool:
    ones, others = _classes(made), _classes(wanted)
    if not ones or not others:
        return True
    return any(_related(one, other) for one in ones for other in others)


def _classes(hint: Any) -> list[type]:
    """The classes that a value may be of; none if that cannot be said."""
    # A class from Python 3.11 on.
    if hint is Any:
        return []
    if get_origin(hint) is Annotated:
        return _classes(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        found = [_classes(part) for part in get_args(hint)]
        return [each for part in found for each in part] if all(found) else []
    if hint is None:
        return [type(None)]
    found_class = get_origin(hint) or hint
    return [found_class] if isinstance(found_class, type) else []


def _related(one: type, other: type) -> bool:
    if (one, other) in _BOTH:
        return True
    try:
        return issubclass(one, other) or issubclass(other, one)
    except TypeError:
        # Of a protocol that cannot be asked at run time.
        return True


def _called(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
