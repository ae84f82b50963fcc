"""Reads the annotations of a handler's parameters and of its return value as types."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Annotated, Any, get_args, get_origin

from atila.validation.markers import Marker

ABSENT: Any = inspect.Parameter.empty


class Unresolved(ValueError):
    """An annotation has an unknown name; the message has it."""


@dataclass(frozen=True, slots=True)
class Said:
    """The annotation of a parameter.

    Attributes:
        hint: the type, without the marker; `ABSENT` for none.
        marker: the source of its value; None if it names none.
    """

    hint: Any = ABSENT
    marker: Marker | None = None


def namespace_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The variables of the functions that are running and have defined this one.

    So that annotations that are text find them. To be called while the function is being decorated;
    {} for one at the top of its module, and for one whose annotations are no text.
    """
    written = _function(function)
    outer = getattr(written, "__qualname__", "").rpartition(".<locals>")[0].rpartition(".")[2]
    texts = getattr(written, "__annotations__", {}).values()
    if not outer or not any(isinstance(text, str) for text in texts):
        return {}
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == outer and frame.f_globals is written.__globals__:
            return dict(frame.f_locals)
        frame = frame.f_back
    return {}


def of_parameters(
    handler: Callable[..., Any], namespace: Mapping[str, Any]
) -> dict[str, tuple[inspect.Parameter, Said]]:
    """The parameters of a handler after the first, each with its annotation.

    Args:
        handler: the function.
        namespace: names beside those of its module: those of the function that it is defined in.

    Raises:
        Unresolved: an annotation names something that is not there.
    """
    parameters = list(inspect.signature(handler).parameters.values())[1:]
    return {p.name: (p, of_parameter(handler, p, namespace)) for p in parameters}


def of_answer(handler: Callable[..., Any], namespace: Mapping[str, Any]) -> Any:
    """The type that a handler says it answers with; `ABSENT` for none, or one that is not there.

    Only a type checker needs to know many of these: they are imported for it alone.
    """
    hint = inspect.signature(handler).return_annotation
    if hint is ABSENT:
        return hint
    try:
        return _resolved(handler, "return", hint, namespace)
    except Unresolved:
        return ABSENT


def of_parameter(
    handler: Callable[..., Any], parameter: inspect.Parameter, namespace: Mapping[str, Any]
) -> Said:
    """The annotation of one parameter of a handler; see `of_parameters`."""
    if parameter.annotation is ABSENT:
        return Said()
    hint = _resolved(handler, parameter.name, parameter.annotation, namespace)
    marker = None
    if get_origin(hint) is Annotated:
        inner, *metadata = get_args(hint)
        markers = [_made(item) for item in metadata if _is_marker(item)]
        rest = tuple(item for item in metadata if not _is_marker(item))
        if markers:
            marker = markers[-1]
            hint = Annotated[(inner, *rest)] if rest else inner
    if hint is Any or (marker is None and _is_message(hint)):
        return Said(ABSENT if hint is not Any or marker is None else Any, marker)
    return Said(hint, marker)


def _is_marker(item: Any) -> bool:
    return isinstance(item, Marker) or (isinstance(item, type) and issubclass(item, Marker))


def _made(item: Any) -> Marker:
    made: Marker = item() if isinstance(item, type) else item
    return made


def _is_message(hint: Any) -> bool:
    """Whether a type is of protobuf, or of several of these: such come by gRPC alone."""
    return any(hasattr(part, "DESCRIPTOR") for part in (hint, *get_args(hint)))


def _resolved(
    handler: Callable[..., Any], name: str, annotation: Any, namespace: Mapping[str, Any]
) -> Any:
    function = _function(handler)
    known = {**getattr(function, "__globals__", {}), **namespace, **_enclosed(function)}
    holder: Any = SimpleNamespace(__annotations__={name: annotation})
    try:
        return typing.get_type_hints(holder, known, known, include_extras=True)[name]
    except NameError as error:
        raise Unresolved(
            f"the annotation of {name!r} names {error.name!r}, which is not defined where the"
            " function is: import it at the top of the module, not under TYPE_CHECKING"
        ) from None
    except (TypeError, SyntaxError, AttributeError) as error:
        raise Unresolved(f"the annotation of {name!r} cannot be read: {error}") from None


def _function(handler: Callable[..., Any]) -> Any:
    function: Any = inspect.unwrap(handler)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(function.func)
    if not hasattr(function, "__globals__"):
        function = getattr(function, "__func__", None) or type(function).__call__
    return function


def _enclosed(function: Any) -> dict[str, Any]:
    """The variables of outer functions that a function uses."""
    return dict(_cells(function))


def _cells(function: Any) -> Iterator[tuple[str, Any]]:
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=False):
        try:
            yield name, cell.cell_contents
        except ValueError:
            continue
