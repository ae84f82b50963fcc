"""The reader of pydantic's types: models, and annotations such as EmailStr.

Imported only when an annotation names one, so pydantic is installed then.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation

from atila.validation.issues import INVALID, Path, Reading
from atila.validation.readers import Reader, Schema
from atila.values import json

if TYPE_CHECKING:
    from atila.validation.schemas import Components


MANY = 1000
"""The most problems of which pydantic's words are asked."""


class PydanticReader(Reader):
    """Reads by pydantic's TypeAdapter, so with the model's own settings.

    Args:
        hint: the type.

    Raises:
        TypeError: pydantic does not know the type.
    """

    def __init__(self, hint: Any) -> None:
        self.hint = hint
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(hint)
        except (PydanticUserError, PydanticSchemaGenerationError, PydanticUndefinedAnnotation) as e:
            raise TypeError(str(e).partition("\n")[0]) from None
        options = [*_options(hint)]
        fields = [getattr(option, "model_fields", None) for option in options]
        self.is_one_of_models = all(isinstance(each, dict) for each in fields)
        """It is a model, or one of several, which a field of theirs distinguishes."""
        self.is_model = self.is_one_of_models and hint is options[0]
        known = [each for each in fields if isinstance(each, dict)] if self.is_one_of_models else []
        self.keys = frozenset(key for each in known for key in _keys(each))
        """The fields of a model, by all their names."""
        configs = [getattr(option, "model_config", {}) for option in options]
        closed = any(config.get("extra") == "forbid" for config in configs)
        self.is_closed = self.is_one_of_models and closed

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        if reading.where == "answer" and path:
            # Written by its serializers, which need not agree with its validators.
            return value
        validate: Callable[[Any], Any] = self._adapter.validate_python
        try:
            return validate(value)
        except ValidationError as error:
            failed = error
        if not reading.is_text and (text := _as_json(value)) is not None:
            # A strict model takes dates and the like as text from JSON alone. Of many faults the
            # first error takes room.
            del failed
            validate = self._of_json
            try:
                return self._adapter.validate_json(text)
            except ValidationError as error:
                failed = error
        for problem in _problems(value, failed, validate):
            rule = _RULES.get(problem["type"], problem["type"])
            message = _MESSAGES.get(rule, problem["msg"])
            place = _place(problem["loc"], value, is_absent=rule == "required")
            reading.fail((*path, *place), message, rule)
        return INVALID

    def _of_json(self, value: Any) -> Any:
        return self._adapter.validate_json(json.dumps(value, None))

    def schema(self, components: Components) -> Schema:
        made = self._adapter.json_schema(ref_template=components.template)
        module = getattr(self.hint, "__module__", "pydantic")
        made = components.adopt(module, made, made.pop("$defs", {}))
        if not self.is_model or "$ref" in made:
            return made
        return components.reference(self.hint, lambda _: made)


def _as_json(value: Any) -> bytes | None:
    """A value as JSON; None if it is not of JSON, as an argument of another call."""
    try:
        return json.dumps(value, None)
    except TypeError:
        return None


def _problems(value: Any, error: ValidationError, validate: Callable[[Any], object]) -> list[Any]:
    """The problems of a value as pydantic words them, or the first of many.

    Args:
        value: the value.
        error: the error of `validate` for it.
        validate: raises such an error for a value.
    """
    count = error.error_count()
    if count <= MANY:
        return error.errors(include_url=False, include_input=False)
    # It words all or none. A body of 16 MiB can have millions, which would take minutes.
    try:
        validate(_beginning(value, [MANY]))
    except ValidationError as first:
        if first.error_count() <= 2 * MANY:
            return first.errors(include_url=False, include_input=False)
    return [{"loc": (), "type": "type", "msg": f"has {count} faults"}]


def _beginning(value: Any, left: list[int]) -> Any:
    """The first items of the lists and objects of a value.

    Args:
        value: the value.
        left: how many items it may have in all; counted down.
    """
    if not isinstance(value, list | dict):
        return value
    made: Any = type(value)()
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        if not left[0]:
            break
        left[0] -= 1
        if isinstance(value, dict):
            made[key] = _beginning(part, left)
        else:
            made.append(_beginning(part, left))
    return made


_RULES = {"missing": "required", "extra_forbidden": "unknown"}
_MESSAGES = {"required": "is required", "unknown": "is unknown"}


def _options(hint: Any) -> Iterator[Any]:
    """The types of which a value may be one."""
    if get_origin(hint) is Annotated:
        yield from _options(get_args(hint)[0])
    elif get_origin(hint) in (Union, types.UnionType):
        for part in get_args(hint):
            yield from _options(part)
    else:
        yield hint


def _place(location: Sequence[str | int], value: Any, *, is_absent: bool) -> Path:
    """The place of a fault in the input: pydantic names the chosen option of a union as well."""
    place: list[str | int] = []
    for at, step in enumerate(location, 1):
        is_there = (isinstance(value, dict) and step in value) or (
            isinstance(value, list) and isinstance(step, int) and step < len(value)
        )
        if is_there:
            value = value[step]
            place.append(step)
        elif is_absent and at == len(location):
            place.append(step)
    return tuple(place)


def _keys(fields: dict[str, Any]) -> Any:
    for name, field in fields.items():
        yield name
        for alias in (field.alias, field.validation_alias):
            if isinstance(alias, str):
                yield alias
