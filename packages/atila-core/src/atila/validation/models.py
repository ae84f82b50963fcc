"""Readers of models: msgspec.Struct, dataclasses, attrs classes and TypedDicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    NotRequired,
    Required,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import msgspec

from atila.validation.converters import shown
from atila.validation.issues import INVALID, Path, Reading
from atila.validation.readers import Reader, Schema

if TYPE_CHECKING:
    from atila.validation.schemas import Components

NO_DEFAULT: Any = object()


@dataclasses.dataclass(slots=True)
class Field:
    """A field of a model.

    Attributes:
        name: the name of the attribute.
        key: its name in JSON and forms.
        hint: the type.
        required: whether a client must send it.
        default: the value otherwise; `NO_DEFAULT` if that is not known.
        reader: the reader of its values; set when the model's type is compiled.
    """

    name: str
    key: str
    hint: Any
    required: bool
    default: Any = NO_DEFAULT
    reader: Reader = dataclasses.field(default_factory=Reader)


class Model(Reader):
    """A model.

    Args:
        hint: the class, or the class with the types of its parameters: Page[Item].
        fields: its fields.
        tag: the field that distinguishes it in a union, and its value there; None for none.
        is_closed: whether it takes no fields but its own.
    """

    def __init__(
        self, hint: Any, fields: list[Field], tag: tuple[str, Any] | None, *, is_closed: bool
    ) -> None:
        self.hint = hint
        self.fields = fields
        self.is_closed = is_closed
        self.tag = tag
        self._class = get_origin(hint) or hint
        self.keys = frozenset(field.key for field in fields)

    def parts(self) -> Iterable[Reader]:
        return [field.reader for field in self.fields]

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        if not isinstance(value, dict):
            if not is_typeddict(self._class) and isinstance(value, self._class):
                return value
            return reading.fail(path, f"must be an object, not {shown(value)}", "type")
        is_valid = self._is_tagged(value, path, reading)
        made: dict[str, Any] = {}
        for field in self.fields:
            if field.key in value:
                part = field.reader.read(value[field.key], (*path, field.key), reading)
                is_valid = is_valid and part is not INVALID
                made[field.name] = part
            elif field.required:
                reading.fail((*path, field.key), "is required", "required")
                is_valid = False
        if self.is_closed:
            for key in value.keys() - self.keys - ({self.tag[0]} if self.tag else set()):
                reading.fail((*path, key), "is unknown", "unknown")
                is_valid = False
        return self._build(made, path, reading) if is_valid else INVALID

    def _is_tagged(self, value: Mapping[str, Any], path: Path, reading: Reading) -> bool:
        if self.tag is None:
            return True
        name, tag = self.tag
        # msgspec takes a lone model without its tag.
        if value.get(name, tag) == tag:
            return True
        reading.fail((*path, name), f"must be {tag!r}, not {shown(value[name])}", "enum")
        return False

    def _build(self, made: dict[str, Any], path: Path, reading: Reading) -> Any:
        try:
            value = self._class(**made)
        except (ValueError, TypeError) as error:
            # Of __post_init__, or a validator of attrs.
            return reading.fail(path, str(error) or "is not valid", "value")
        return self.within(value, path, reading)

    def check(self, value: Any, path: Path, reading: Reading) -> None:
        super().check(value, path, reading)
        is_dict = isinstance(value, dict)
        for field in self.fields:
            if not field.reader.is_checked:
                continue
            if not is_dict:
                part = getattr(value, field.name, NO_DEFAULT)
            else:
                part = value.get(field.name, NO_DEFAULT)
            # A default is the developer's own, whatever it is.
            if part is not NO_DEFAULT and part is not msgspec.UNSET and part is not field.default:
                field.reader.check(part, (*path, field.key), reading)

    def schema(self, components: Components) -> Schema:
        return self.limited(components.reference(self.hint, self._object))

    def _object(self, components: Components) -> Schema:
        properties: dict[str, Schema] = {}
        if self.tag is not None:
            properties[self.tag[0]] = {"const": self.tag[1]}
        for field in self.fields:
            schema = field.reader.schema(components)
            if field.default is not NO_DEFAULT and not field.required:
                schema = with_default(schema, field.default)
            properties[field.key] = schema
        schema = {"title": self._class.__name__, "type": "object", "properties": properties}
        described = (self._class.__doc__ or "").strip()
        # What dataclasses write of themselves is no description.
        if described and not described.startswith(f"{self._class.__name__}("):
            schema["description"] = described
        if required := [field.key for field in self.fields if field.required]:
            schema["required"] = required
        if self.is_closed:
            schema["additionalProperties"] = False
        return schema


def with_default(schema: Schema, default: Any) -> Schema:
    """A schema with a default, as JSON has it; without it if JSON has none such."""
    try:
        value = msgspec.to_builtins(default)
    except (TypeError, ValueError):
        return schema
    return schema if value is msgspec.UNSET else {**schema, "default": value}


def model_fields(
    hint: Any, namespace: Mapping[str, Any]
) -> tuple[list[Field], tuple[str, Any] | None, bool] | None:
    """The fields of a model, its tag, and whether it takes no others; None if it is no model.

    Args:
        hint: the type.
        namespace: for annotations, names beside those of the model's module.

    Raises:
        NameError: a type in it is not defined.
    """
    cls = get_origin(hint) or hint
    if not isinstance(cls, type):
        return None
    if issubclass(cls, msgspec.Struct):
        return _of_struct(hint, cls, namespace)
    find: Callable[[Any, Mapping[str, Any]], list[Field]]
    if dataclasses.is_dataclass(cls):
        find = _of_dataclass
    elif hasattr(cls, "__attrs_attrs__"):
        find = _of_attrs
    elif is_typeddict(cls):
        find = _of_typed_dict
    else:
        return None
    fields = find(cls, _hints(cls, namespace))
    _substitute(fields, hint, cls)
    return fields, None, False


def _hints(cls: Any, namespace: Mapping[str, Any]) -> dict[str, Any]:
    return get_type_hints(cls, localns=dict(namespace), include_extras=True)


def _of_struct(
    hint: Any, cls: type[msgspec.Struct], namespace: Mapping[str, Any]
) -> tuple[list[Field], tuple[str, Any] | None, bool] | None:
    config = cls.__struct_config__
    if config.array_like:
        return None
    hints = _hints(cls, namespace)
    fields = [
        Field(
            each.name,
            each.encode_name,
            hints[each.name],
            each.required,
            NO_DEFAULT if each.default is msgspec.NODEFAULT else each.default,
        )
        for each in msgspec.structs.fields(cls)
    ]
    _substitute(fields, hint, cls)
    tag = (config.tag_field, config.tag) if config.tag_field is not None else None
    return fields, tag, config.forbid_unknown_fields


def _of_dataclass(cls: Any, hints: Mapping[str, Any]) -> list[Field]:
    fields = []
    for each in dataclasses.fields(cls):
        if each.init:
            has_default = each.default is not dataclasses.MISSING
            required = not has_default and each.default_factory is dataclasses.MISSING
            default = each.default if has_default else NO_DEFAULT
            fields.append(Field(each.name, each.name, hints[each.name], required, default))
    return fields


def _of_attrs(cls: Any, hints: Mapping[str, Any]) -> list[Field]:
    import attrs

    fields = []
    for each in cls.__attrs_attrs__:
        if each.init:
            required = each.default is attrs.NOTHING
            plain = not required and not isinstance(each.default, attrs.Factory)  # type: ignore[arg-type]
            default = each.default if plain else NO_DEFAULT
            fields.append(Field(each.name, each.name, hints.get(each.name, Any), required, default))
    return fields


def _of_typed_dict(cls: Any, hints: Mapping[str, Any]) -> list[Field]:
    return [Field(name, name, hints[name], _is_required(cls, name, hints[name])) for name in hints]


def _is_required(cls: Any, name: str, hint: Any) -> bool:
    # With annotations as text Python itself does not see these two.
    if get_origin(hint) in (Required, NotRequired):
        return get_origin(hint) is Required
    return name in cls.__required_keys__


def _substitute(fields: list[Field], hint: Any, cls: Any) -> None:
    """Put the types of Page[Item] in place of the parameters of Page."""
    arguments = get_args(hint)
    given = dict(zip(getattr(cls, "__parameters__", ()), arguments, strict=False))
    for field in fields:
        field.hint = _substituted(field.hint, given)


def _substituted(hint: Any, given: Mapping[Any, Any]) -> Any:
    if hint in given:
        return given[hint]
    parameters = getattr(hint, "__parameters__", ())
    if not parameters or isinstance(hint, type):
        return hint
    return hint[tuple(given.get(each, Any) for each in parameters)]
