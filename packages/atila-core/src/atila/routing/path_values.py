"""Parameters of a rule that a query or a body gives: they must be what a path could give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atila.errors import HTTPError
from atila.routing.router import CONVERTERS


def fit(
    args: dict[str, Any],
    kinds: Mapping[str, str],
    path_params: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> None:
    """Convert, among the parameters of a request, those of its rule that did not come by the path.

    Args:
        args: the parameters by name, which are changed.
        kinds: the parameters of the rule, and the converter of each.
        path_params: those that the path gave.
        defaults: of the handler; one that is None may be given as JSON's null, too.

    Raises:
        HTTPError: 400, a value is none that the path could have.
    """
    for name, kind in kinds.items():
        if name not in args or (name in path_params and args[name] is path_params[name]):
            continue
        value = args[name]
        if value is None and defaults.get(name, name) is None:
            continue
        converted = convert(kind, value)
        if converted is None:
            raise HTTPError(400, f"parameter {name!r} must fit <{kind}:{name}> of the path")
        args[name] = converted


def convert(kind: str, value: Any) -> Any:
    """A value of a form or of JSON as the path would give it; None if it could not.

    Args:
        kind: of the parameter: "int".
        value: text, or a number in place of its digits.
    """
    if isinstance(value, str):
        return CONVERTERS[kind](value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if kind == "int":
        return value if isinstance(value, int) else None
    return float(value) if kind == "float" else None
