"""Parameters and their inspection as JSON Schema (draft 2020-12), as OpenAPI 3.1 uses it."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterable, Mapping
from typing import Any, Union, get_args, get_origin

from atila.routing.router import SPECIAL
from atila.validation.inspector import Place, Rule

Schema = dict[str, Any]

_KINDS: dict[str, Schema] = {
    "ints": {"type": "integer"},
    "floats": {"type": "number"},
    "strings": {"type": "string"},
    "booleans": {"type": "boolean"},
    "lists": {"type": "array"},
    "dicts": {"type": "object"},
    "emails": {"type": "string", "format": "email"},
    "uuids": {"type": "string", "format": "uuid"},
    "notags": {"type": "string", "description": "Without HTML tags."},
    "safes": {"type": "string", "description": "Without scripts, and with harmless HTML alone."},
}

_TYPES: dict[Any, Schema] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    list: {"type": "array"},
    dict: {"type": "object"},
}

CONVERTED: dict[str, Schema] = {
    "int": {"anyOf": [{"type": "integer"}, {"enum": sorted(SPECIAL)}]},
    "float": {"anyOf": [{"type": "number"}, {"enum": sorted(SPECIAL)}]},
    "str": {"type": "string", "minLength": 1},
    "path": {"type": "string", "minLength": 1, "description": "May have slashes in it."},
}
"""By the kind of a parameter in the path of a rule."""

_LENGTHS = {"string": "Length", "array": "Items", "object": "Properties"}


def any_others(values: Schema | bool) -> dict[str, Any]:
    """The Parameter Object of a `**` parameter: fields of the query with other names.

    Args:
        values: the schema of their values; True for any.
    """
    return {
        "name": "more",
        "in": "query",
        "description": "Any other parameters.",
        "style": "form",
        "explode": True,
        "schema": {"type": "object", "additionalProperties": values},
    }


def of_parameter(parameter: inspect.Parameter | None, rules: Iterable[Rule]) -> Schema:
    """The schema of a parameter.

    Args:
        parameter: in the signature of the handler, for its annotation and default; None for one
            that is taken by `**`.
        rules: the rules about it, and about parts of it.
    """
    schema = dict(_annotated(parameter)) if parameter is not None else {}
    # What tells a kind comes first, since what a length is the length of depends on it.
    for rule in sorted(rules, key=lambda rule: rule.operator not in _KINDS):
        _apply(schema, rule)
    if parameter is not None and parameter.default is not inspect.Parameter.empty:
        _take_default(schema, parameter.default)
    return schema


def _annotated(parameter: inspect.Parameter) -> Schema:
    annotation = parameter.annotation
    if isinstance(annotation, str):
        # As `from __future__ import annotations` leaves them; only plain names are understood.
        names = {kind.__name__: kind for kind in _TYPES}
        annotation = names.get(annotation.removesuffix(" | None"))
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        annotation = kinds[0] if len(kinds) == 1 else None
    return _TYPES.get(get_origin(annotation) or annotation, {})


def _take_default(schema: Schema, default: Any) -> None:
    if default is None:
        _allow_null(schema)
    elif isinstance(default, str | int | float | bool):
        if schema.keys() <= {"type"} and _is_of(default, schema.get("type")):
            schema["default"] = default
        else:
            # It is not inspected, so it may break the rules; a schema's own default must not.
            schema.update(_described(schema, f"If not given: {default!r}."))


def _is_of(value: Any, kind: str | None) -> bool:
    names = {str: "string", bool: "boolean", int: "integer", float: "number"}
    return kind in (None, names[type(value)]) if type(value) in names else False


def _allow_null(schema: Schema) -> None:
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]


def _apply(schema: Schema, rule: Rule) -> None:
    at = _at(schema, rule.place)
    operator, value = rule.operator, rule.value
    if operator in _KINDS:
        for key, given in _KINDS[operator].items():
            at.setdefault(key, given)
    elif operator == "nones":
        if rule.place.path:
            _not_required(schema, rule.place)
        _allow_null(at)
    elif operator.startswith("len__"):
        at.setdefault("type", "string")
        _limit_length(at, operator.removeprefix("len__"), value)
    else:
        _compare(at, operator, value)


def _at(schema: Schema, place: Place) -> Schema:
    """The schema of a part of a parameter; the part has to be there."""
    for step in place.path:
        if isinstance(step, int):
            schema.setdefault("type", "array")
            items = schema.setdefault("prefixItems", [])
            items.extend({} for _ in range(step + 1 - len(items)))
            schema["minItems"] = max(step + 1, schema.get("minItems", 0))
            schema = items[step]
        else:
            schema.setdefault("type", "object")
            required = schema.setdefault("required", [])
            if step not in required:
                required.append(step)
            schema = schema.setdefault("properties", {}).setdefault(step, {})
    return schema


def _not_required(schema: Schema, place: Place) -> None:
    above = _at(schema, Place(place.name, place.path[:-1]))
    last = place.path[-1]
    if isinstance(last, str) and last in above.get("required", ()):
        above["required"].remove(last)
        if not above["required"]:
            del above["required"]


def _limit_length(schema: Schema, operator: str, value: Any) -> None:
    kind = schema["type"]
    name = _LENGTHS.get(kind[0] if isinstance(kind, list) else kind, "Length")
    low, high = f"min{name}", f"max{name}"
    limits: Mapping[str, Schema] = {
        "between": {low: _first(value), high: _last(value)},
        "eq": {low: value, high: value},
        "exact": {low: value, high: value},
        "lte": {high: value},
        "lt": {high: _below(value)},
        "gte": {low: value},
        "gt": {low: _above(value)},
    }
    schema.update(limits.get(operator) or _described(schema, f"its length: {operator} {value!r}"))


def _compare(schema: Schema, operator: str, value: Any) -> None:
    if kind := _kind_of(operator, value):
        # Values are compared as what the rule's value is, and null never passes.
        schema.setdefault("type", kind)
    match operator:
        case "between" if _is_number(_first(value)):
            schema.update(minimum=_first(value), maximum=_last(value))
        case "lte" if _is_number(value):
            schema["maximum"] = value
        case "lt" if _is_number(value):
            schema["exclusiveMaximum"] = value
        case "gte" if _is_number(value):
            schema["minimum"] = value
        case "gt" if _is_number(value):
            schema["exclusiveMinimum"] = value
        case "in":
            schema["enum"] = _ordered(value)
        case "notin":
            _also(schema, {"not": {"enum": _ordered(value)}})
        case "eq" | "exact":
            schema["const"] = value
        case "neq":
            _also(schema, {"not": {"const": value}})
        case "contains" | "notcontain":
            found = _containing(schema, value)
            _also(schema, found if operator == "contains" else {"not": found})
        case "startswith" | "endswith" | "notstartwith" | "notendwith":
            found = {"pattern": _affix(value, at_end="end" in operator)}
            _also(schema, {"not": found} if operator.startswith("not") else found)
        case "regex" | "search":
            pattern = getattr(value, "pattern", value)
            if isinstance(pattern, str):
                _also(schema, {"pattern": pattern})
            else:
                schema.update(_described(schema, "it must match a pattern"))
        case _:
            schema.update(_described(schema, f"{operator} {value!r}"))


def _kind_of(operator: str, value: Any) -> str:
    """The type that a value must have for a comparison; "" if there are several."""
    if operator in ("in", "eq", "exact"):
        return ""
    if operator not in ("between", "lte", "lt", "gte", "gt", "notin", "neq"):
        return "string"
    values = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
    kinds = {"boolean": bool, "number": int | float, "string": str}
    return next(
        (name for name, kind in kinds.items() if all(isinstance(v, kind) for v in values)), ""
    )


def _also(schema: Schema, more: Schema) -> None:
    """Add a keyword that may occur more than once."""
    if more.keys().isdisjoint(schema):
        schema.update(more)
    else:
        schema.setdefault("allOf", []).append(more)


def _containing(schema: Schema, value: Any) -> Schema:
    if "array" in schema.get("type", ""):
        return {"contains": {"const": value}}
    return {"pattern": _escaped(str(value))}


def _affix(value: Any, *, at_end: bool) -> str:
    texts = [value] if isinstance(value, str) else list(value)
    choice = "|".join(map(_escaped, texts))
    return f"(?:{choice})$" if at_end else f"^(?:{choice})"


def _escaped(text: str) -> str:
    """A text as a pattern, in which ECMA 262 and Python agree."""
    return re.sub(r"([\\^$.|?*+()\[\]{}/])", r"\\\1", text)


def _described(schema: Schema, text: str) -> Schema:
    """Constraints without a keyword, in words."""
    before = schema.get("description", "")
    return {"description": f"{before} {text}".strip()}


def _ordered(values: Any) -> list[Any]:
    return sorted(values, key=repr) if isinstance(values, set | frozenset) else list(values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) else None


def _last(value: Any) -> Any:
    return value[-1] if isinstance(value, list | tuple) else None


def _below(value: Any) -> Any:
    return value - 1 if isinstance(value, int) else None


def _above(value: Any) -> Any:
    return value + 1 if isinstance(value, int) else None
