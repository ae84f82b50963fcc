"""Compiles an annotation to a reader of its values; once, when an app is mounted."""

from __future__ import annotations

import collections.abc as abc
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, NewType, TypeVar, get_args, get_origin

import msgspec

from atila.http.uploads import Upload
from atila.validation import constraints, scalars
from atila.validation.containers import Dict, List, Tuple, Union
from atila.validation.issues import INVALID, Issues, Path, Reading
from atila.validation.models import Model, model_fields
from atila.validation.readers import Anything, Reader, Scalar, settle
from atila.values import keys, simple

_LISTS: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    **dict.fromkeys((abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable), list),
    **dict.fromkeys((abc.Set, abc.MutableSet), set),
}
_DICTS = (dict, abc.Mapping, abc.MutableMapping)


class Unreadable(ValueError):
    """A type that no value of a request can be converted to; the message says why."""


class Typed:
    """A type, ready to convert values to it.

    Args:
        reader: the reader of the type.

    Attributes:
        is_model: it is a model, or one of several, or None.
        keys: the fields of a model by which a body gives them.
        is_closed: the model takes no other fields.
        is_list: it may be a list.
        takes_bytes: it may be bytes.
        may_nest: values may have any number of levels.
        decode: reads a value out of JSON, or raises msgspec.MsgspecError. Written again, the value
            lacks each key that came twice. None for a type that makes no such promise.
        count_keys: the number of keys in the JSON of a value, if that is a matter of lengths; of
            types with `decode`.
    """

    def __init__(self, reader: Reader, hook: Callable[[Any, Any], Any]) -> None:
        self.reader = reader
        self._hook = hook
        self._is_native = _is_native(reader.hint) and not isinstance(reader, _pydantic())
        self._is_checked = reader.is_checked
        models = _models(reader)
        self.is_model = bool(models)
        self.keys = frozenset[str]().union(*(getattr(model, "keys", ()) for model in models))
        options = reader.options if isinstance(reader, Union) else [reader]
        self.is_list = any(isinstance(option, List | Tuple) for option in options)
        self.takes_bytes = any(isinstance(o, Scalar) and o.is_bytes for o in options)
        self.is_closed = any(getattr(model, "is_closed", False) for model in models)
        self.may_nest = _may_nest(reader, ())
        self.decode: Callable[[bytes], Any] | None = None
        if self._is_native and not self._is_checked and simple.is_whole(reader.hint):
            self.decode = msgspec.json.Decoder(reader.hint).decode
        self.count_keys = keys.counter(reader.hint) if self.decode is not None else None

    def convert(self, value: Any, path: Path, reading: Reading) -> Any:
        """A value as the type has it; `INVALID` with all that is wrong noted."""
        if self._is_native and not reading.is_text:
            try:
                made = msgspec.convert(value, self.reader.hint, str_keys=True, dec_hook=self._hook)
            except (msgspec.ValidationError, RecursionError):
                return self.read(value, path, reading)
            return self._checked(made, path, reading) if self._is_checked else made
        return self.read(value, path, reading)

    def _checked(self, made: Any, path: Path, reading: Reading) -> Any:
        before = len(reading.issues.found)
        try:
            self.reader.check(made, path, reading)
        except RecursionError:
            return reading.fail(path, "is nested too deep", "depth")
        return made if len(reading.issues.found) == before else INVALID

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The same, piece by piece: for values that are not of JSON, so may be NaN."""
        try:
            return self.reader.read(value, path, reading)
        except RecursionError:
            return reading.fail(path, "is nested too deep", "depth")

    def fits(self, value: Any) -> bool:
        """Whether a value, as text or as it is, is of the type."""
        return self.convert(value, (), Reading(Issues(), "", True)) is not INVALID


def typed(hint: Any, namespace: Mapping[str, Any] | None = None) -> Typed:
    """The converter to a type.

    Args:
        hint: the type.
        namespace: for the annotations of models, names beside those of their modules.

    Raises:
        Unreadable: there is none.
    """
    compiler = _Compiler(namespace or {})
    reader = compiler.reader(hint)
    settle(iter(compiler.made))
    return Typed(reader, compiler.hook)


def _may_nest(reader: Reader, above: tuple[Reader, ...]) -> bool:
    if isinstance(reader, Anything) or reader in above:
        return True
    return any(_may_nest(part, (*above, reader)) for part in reader.parts())


def _models(reader: Reader) -> list[Any]:
    """The models that a type is one of; [] if it may be something else, apart from None."""
    options = reader.options if isinstance(reader, Union) else [reader]
    models = [each for each in options if isinstance(each, Model) or _is_pydantic_model(each)]
    return models if len(models) == len(options) else []


def _is_pydantic_model(reader: Reader) -> bool:
    return bool(getattr(reader, "is_one_of_models", False))


def _pydantic() -> tuple[type, ...]:
    module = sys.modules.get("atila.validation.pydantic_models")
    return (module.PydanticReader,) if module is not None else ()


def _is_native(hint: Any) -> bool:
    try:
        msgspec.json.Decoder(hint)
    except (TypeError, NameError, ValueError):
        return False
    return True


class _Compiler:
    """Makes the readers of one type and of all that is in it.

    Attributes:
        made: all of them.
    """

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.made: list[Reader] = []
        self._namespace = namespace
        self._models: dict[Any, Model] = {}
        self._custom: dict[Any, Reader] = {}

    def hook(self, hint: Any, value: Any) -> Any:
        """Called by msgspec for a type that it does not know."""
        reader = self._custom[hint]
        reading = Reading(Issues(), "", False)
        made = reader.read(value, (), reading)
        if made is INVALID:
            raise ValueError("see the reader")
        return made

    def reader(self, hint: Any) -> Reader:
        """The reader of a type.

        Raises:
            Unreadable: there is none.
        """
        if not _is_union(hint) and _names_pydantic(hint):
            return self._kept(self._pydantic(hint))
        metadata: tuple[Any, ...] = ()
        if get_origin(hint) is Annotated:
            hint, *rest = get_args(hint)
            metadata = tuple(rest)
        reader = self._plain(hint)
        if metadata:
            try:
                said = constraints.read(metadata)
            except constraints.Unsupported as error:
                raise Unreadable(str(error)) from None
            if isinstance(reader, Model) and (said.constraints or said.extra):
                reader = _Narrowed(reader)
            reader.constrain(said)
            self._check_constraints(reader, said)
        return self._kept(reader)

    def _kept(self, reader: Reader) -> Reader:
        if reader not in self.made:
            self.made.append(reader)
        return reader

    def _check_constraints(self, reader: Reader, said: constraints.Said) -> None:
        if said.meta is not None and isinstance(reader, Scalar):
            try:
                msgspec.json.Decoder(reader.hint)
            except TypeError as error:
                raise Unreadable(str(error)) from None

    def _plain(self, hint: Any) -> Reader:
        if isinstance(hint, TypeVar):
            return self.reader(hint.__bound__) if hint.__bound__ else Anything()
        if isinstance(hint, NewType):
            return self.reader(hint.__supertype__)
        if isinstance(hint, alias := getattr(typing, "TypeAliasType", ())) and alias:
            return self.reader(hint.__value__)
        if (scalar := scalars.scalar(hint)) is not None:
            return self._examined(scalar)
        origin, arguments = get_origin(hint) or hint, get_args(hint)
        if origin is typing.Literal:
            return self._examined(scalars.literal(hint))
        if _is_union(hint):
            return self._union(arguments)
        if origin in (typing.Required, typing.NotRequired, typing.Final, typing.ClassVar):
            return self.reader(arguments[0])
        return self._with_parts(hint, origin, arguments)

    def _examined(self, reader: Reader) -> Reader:
        if reader.hint is Upload:
            self._custom[Upload] = reader
        elif not _is_native(reader.hint):
            try:
                msgspec.json.Decoder(reader.hint)
            except (TypeError, ValueError) as error:
                raise Unreadable(str(error)) from None
        return reader

    def _with_parts(self, hint: Any, origin: Any, arguments: tuple[Any, ...]) -> Reader:
        if origin in _LISTS:
            item = self.reader(arguments[0] if arguments else Any)
            make = _LISTS[origin]
            outer: Any = {abc.Set: set, abc.MutableSet: set}.get(origin, make)
            return List(types.GenericAlias(outer, (item.hint,)), item, make)
        if origin in _DICTS:
            key, value = (self.reader(each) for each in (arguments or (Any, Any)))
            key = Scalar(str, "must be a text", {}, takes_text=True) if key.hint is Any else key
            return Dict(types.GenericAlias(dict, (key.hint, value.hint)), key, value)
        if origin is tuple:
            return self._tuple(arguments)
        if (model := self._model(hint)) is not None:
            return model
        if isinstance(origin, type) and issubclass(origin, tuple) and hasattr(origin, "_fields"):
            return self._named_tuple(origin)
        raise Unreadable(
            f"{_shown(hint)} is no type that a request can give a value of: use bool, int, float,"
            " str, bytes, Decimal, dates, UUID, Enum, Literal, lists, dicts, unions of these, or"
            " models (msgspec.Struct, dataclass, TypedDict, attrs, pydantic)"
        )

    def _union(self, arguments: tuple[Any, ...]) -> Reader:
        options = [self.reader(each) for each in arguments if each is not type(None)]
        takes_none = type(None) in arguments
        hints = [option.hint for option in options] + [None] * takes_none
        hint: Any = typing.Union[tuple(hints)]  # noqa: UP007 - of values
        return Union(hint, options, takes_none=takes_none)

    def _tuple(self, arguments: tuple[Any, ...]) -> Reader:
        if not arguments or arguments[-1] is Ellipsis:
            item = self.reader(arguments[0] if arguments else Any)
            return List(types.GenericAlias(tuple, (item.hint, ...)), item, tuple)
        items = [self.reader(each) for each in arguments]
        hint = types.GenericAlias(tuple, tuple(each.hint for each in items))
        return Tuple(hint, items, tuple, len(items))

    def _named_tuple(self, cls: Any) -> Reader:
        hints = typing.get_type_hints(cls, include_extras=True)
        items = [self.reader(hints.get(name, Any)) for name in cls._fields]
        required = len(items) - len(cls._field_defaults)
        return Tuple(cls, items, lambda values: cls(*values), required)

    def _model(self, hint: Any) -> Model | None:
        if (known := self._models.get(hint)) is not None:
            return known
        try:
            found = model_fields(hint, self._namespace)
        except NameError as error:
            raise Unreadable(
                f"{_shown(hint)} has a field of a type that is not defined where the class is:"
                f" {error}. Define or import it at the top of the module"
            ) from None
        if found is None:
            return None
        fields, tag, is_closed = found
        model = self._models[hint] = Model(hint, fields, tag, is_closed=is_closed)
        for field in fields:
            try:
                field.reader = self.reader(_without_unset(field.hint))
            except Unreadable as error:
                raise Unreadable(f"the field {field.name!r} of {_shown(hint)}: {error}") from None
        return model

    def _pydantic(self, hint: Any) -> Reader:
        from atila.validation.pydantic_models import PydanticReader

        try:
            reader = self._custom[hint] = PydanticReader(hint)
        except TypeError as error:
            raise Unreadable(f"{_shown(hint)}: {error}") from None
        return reader


class _Narrowed(Model):
    """A model with constraints of one place that it stands at."""

    def __init__(self, model: Model) -> None:
        self.__dict__.update(model.__dict__)


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (typing.Union, types.UnionType)


def _without_unset(hint: Any) -> Any:
    """A type without msgspec's UnsetType, which a request gives by leaving a field out."""
    if not _is_union(hint):
        return hint
    rest = [each for each in get_args(hint) if each is not msgspec.UnsetType]
    return typing.Union[tuple(rest)]  # noqa: UP007 - of values


def _shown(hint: Any) -> str:
    return getattr(hint, "__name__", None) or str(hint)


def _names_pydantic(hint: Any) -> bool:
    """Whether a type, or anything in it that is no model of another kind, is pydantic's."""
    return any(_is_pydantic(part) for part in _parts(hint))


def _parts(hint: Any) -> Iterator[Any]:
    yield hint
    origin = get_origin(hint)
    if origin is Annotated:
        yield from hint.__metadata__
        yield from _parts(hint.__origin__)
    elif origin is not typing.Literal:
        for each in get_args(hint):
            yield from _parts(each)


def _is_pydantic(part: Any) -> bool:
    if not isinstance(part, type):
        return constraints.is_pydantic(part)
    if hasattr(part, "__pydantic_validator__") or hasattr(part, "__pydantic_core_schema__"):
        return True
    return part.__module__.partition(".")[0] in ("pydantic", "pydantic_extra_types")
