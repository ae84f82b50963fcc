"""Readers of types that have others in them: unions, lists, sets, tuples and dicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from atila.validation.converters import shown
from atila.validation.issues import INVALID, Issue, Issues, Path, Reading, TooMany
from atila.validation.readers import Reader, Schema
from atila.values.places import place

if TYPE_CHECKING:
    from atila.validation.schemas import Components


class Union(Reader):
    """One of several types; `None` among them or not.

    Args:
        hint: the type.
        options: the readers of all but None.
        takes_none: whether None is one of them.
    """

    def __init__(self, hint: Any, options: list[Reader], *, takes_none: bool) -> None:
        self.hint = hint
        self.options = options
        self.takes_none = takes_none
        self.takes_text = any(option.takes_text for option in options)
        tagged = [option for option in options if option.tag is not None]
        # Models beside other types are distinguished by their tags, too.
        self._tags = {option.tag[1]: option for option in tagged if option.tag is not None}
        self._tag_name = tagged[0].tag[0] if tagged and tagged[0].tag is not None else ""
        if len(tagged) < 2 or any(isinstance(option, Dict) for option in options):
            self._tags = {}

    def parts(self) -> Iterable[Reader]:
        return self.options

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        if self.takes_none and (value is None or self._is_blank(value, reading)):
            return None
        if len(self.options) == 1:
            made = self.options[0].read(value, path, reading)
        else:
            made = self._one(value, path, reading)
        return made if made is INVALID else self.within(made, path, reading)

    def of_text(self) -> Callable[[Any], Any] | None:
        only = self.options[0].of_text() if len(self.options) == 1 else None
        if only is None or self.said.constraints or not self.takes_none:
            return None
        if self.takes_text:
            return only
        return lambda value: None if value == "" else only(value)

    def _is_blank(self, value: Any, reading: Reading) -> bool:
        # What a form has where nothing was filled in.
        return reading.is_text and value == "" and not self.takes_text

    def _one(self, value: Any, path: Path, reading: Reading) -> Any:
        if self._tags and isinstance(value, dict):
            return self._tagged(value, path, reading)
        failures = []
        # A text fits almost everything that a text can be read as, so that comes last.
        for option in sorted(self.options, key=lambda option: option.takes_text):
            trial = Reading(Issues(), reading.where, reading.is_text)
            try:
                made = option.read(value, path, trial)
            except TooMany:
                made = INVALID
            if made is not INVALID and not trial.issues.found:
                return made
            failures.append(trial.issues.found)
        if (nearest := _nearest(failures)) is not None:
            for issue in nearest:
                reading.issues.take(issue)
            return INVALID
        own = place(path)
        expected = [i.message.partition(", not ")[0] for f in failures for i in f if i.at == own]
        if not expected:
            return reading.fail(path, f"must be one of several kinds, not {shown(value)}", "type")
        first, *rest = dict.fromkeys(expected)
        text = " or ".join([first, *(each.removeprefix("must be ") for each in rest)])
        return reading.fail(path, f"{text}, not {shown(value)}", "type")

    def _tagged(self, value: dict[str, Any], path: Path, reading: Reading) -> Any:
        name = self._tag_name
        if name not in value:
            return reading.fail((*path, name), "is required", "required")
        tag = value[name]
        option = self._tags.get(tag) if isinstance(tag, str | int) else None
        if option is None:
            known = ", ".join(map(repr, self._tags))
            problem = f"must be one of {known}, not {shown(tag)}"
            return reading.fail((*path, name), problem, "enum")
        return option.read(value, path, reading)

    def check(self, value: Any, path: Path, reading: Reading) -> None:
        super().check(value, path, reading)
        if value is None and self.takes_none:
            return
        if len(self.options) == 1:
            self.options[0].check(value, path, reading)
        elif any(option.is_checked for option in self.options):
            # msgspec has distinguished them; that one fits which finds nothing wrong.
            self._one(msgspec.to_builtins(value, builtin_types=_KEPT), path, reading)

    def schema(self, components: Components) -> Schema:
        schemas = [self._option_schema(option, components) for option in self.options]
        if self.takes_none:
            if (
                len(schemas) == 1
                and isinstance(kind := schemas[0].get("type"), str)
                and not schemas[0].keys() & {"enum", "const"}
            ):
                return self.limited({**schemas[0], "type": [kind, "null"]})
            schemas.append({"type": "null"})
        return self.limited({"anyOf": schemas} if len(schemas) > 1 else schemas[0])

    def _option_schema(self, option: Reader, components: Components) -> Schema:
        schema = option.schema(components)
        if not self._tags or option.tag is None:
            return schema
        return {"allOf": [schema, {"required": [option.tag[0]]}]}


_KEPT = (bytes,)


def _nearest(failures: list[list[Issue]]) -> list[Issue] | None:
    """The faults by the option that a value came farthest with; None if that is not plain."""
    depths = [max(issue.at.count(".") + issue.at.count("[") for issue in f) for f in failures]
    tagged = [
        f
        for f, depth in zip(failures, depths, strict=True)
        if depth == max(depths) and any(issue.rule != "type" or depth > 0 for issue in f)
    ]
    return tagged[0] if len(tagged) == 1 else None


class List(Reader):
    """A list, set, frozenset, or tuple of any length.

    Args:
        hint: the type.
        item: the reader of the items.
        make: makes the container from a list.
    """

    def __init__(self, hint: Any, item: Reader, make: Callable[[list[Any]], Any]) -> None:
        self.hint = hint
        self.item = item
        self._make = make

    def parts(self) -> Iterable[Reader]:
        return (self.item,)

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        values = _listed(value, reading)
        if values is None:
            return reading.fail(path, f"must be a list, not {shown(value)}", "type")
        item = self.item
        made = [item.read(each, (*path, at), reading) for at, each in enumerate(values)]
        if any(each is INVALID for each in made):
            return INVALID
        try:
            result = self._make(made)
        except TypeError:
            return reading.fail(path, "must have nothing in it that cannot be in a set", "type")
        return self.within(result, path, reading)

    def check(self, value: Any, path: Path, reading: Reading) -> None:
        super().check(value, path, reading)
        if self.item.is_checked:
            for at, each in enumerate(value):
                self.item.check(each, (*path, at), reading)

    def schema(self, components: Components) -> Schema:
        schema: Schema = {"type": "array", "items": self.item.schema(components)}
        if not schema["items"]:
            del schema["items"]
        return self.limited(schema, "Items")


def _listed(value: Any, reading: Reading) -> list[Any] | None:
    """A value as a list; None if it cannot be read as one."""
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if reading.is_text and not isinstance(value, dict):
        # A field that came once.
        return [value] if value != "" else []
    return None


class Tuple(Reader):
    """A tuple of fixed length, with a type for each item; also a `NamedTuple`.

    Args:
        hint: the type.
        items: the readers of the items.
        make: makes the tuple from a list.
        required: the number of items that must be given.
    """

    def __init__(
        self, hint: Any, items: list[Reader], make: Callable[[list[Any]], Any], required: int
    ) -> None:
        self.hint = hint
        self._items = items
        self._make = make
        self._required = required

    def parts(self) -> Iterable[Reader]:
        return self._items

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        values = _listed(value, reading)
        if values is None or not self._required <= len(values) <= len(self._items):
            number = len(self._items)
            return reading.fail(path, f"must be a list of {number}, not {shown(value)}", "type")
        pairs = list(zip(self._items, values, strict=False))
        made = [item.read(each, (*path, at), reading) for at, (item, each) in enumerate(pairs)]
        if any(each is INVALID for each in made):
            return INVALID
        return self.within(self._make(made), path, reading)

    def check(self, value: Any, path: Path, reading: Reading) -> None:
        super().check(value, path, reading)
        for at, (item, each) in enumerate(zip(self._items, value, strict=False)):
            if item.is_checked:
                item.check(each, (*path, at), reading)

    def schema(self, components: Components) -> Schema:
        return self.limited(
            {
                "type": "array",
                "prefixItems": [item.schema(components) for item in self._items],
                "items": False,
                "minItems": self._required,
                "maxItems": len(self._items),
            },
            "Items",
        )


class Dict(Reader):
    """A dict.

    Args:
        hint: the type.
        key: the reader of its keys, which JSON has as text.
        value: the reader of its values.
    """

    def __init__(self, hint: Any, key: Reader, value: Reader) -> None:
        self.hint = hint
        self._key = key
        self._value = value

    def parts(self) -> Iterable[Reader]:
        return (self._key, self._value)

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        if not isinstance(value, dict):
            return reading.fail(path, f"must be an object, not {shown(value)}", "type")
        made = {}
        as_text = Reading(reading.issues, reading.where, True)
        is_valid = True
        for name, each in value.items():
            below = (*path, name if isinstance(name, str | int) else str(name))
            key = self._key.read(name, below, as_text)
            part = self._value.read(each, below, reading)
            is_valid = is_valid and key is not INVALID and part is not INVALID
            if is_valid:
                made[key] = part
        return self.within(made, path, reading) if is_valid else INVALID

    def check(self, value: Any, path: Path, reading: Reading) -> None:
        super().check(value, path, reading)
        for name, each in value.items():
            below = (*path, str(name))
            self._key.check(name, below, reading)
            if self._value.is_checked:
                self._value.check(each, below, reading)

    def schema(self, components: Components) -> Schema:
        schema: Schema = {"type": "object"}
        if values := self._value.schema(components):
            schema["additionalProperties"] = values
        if keys := {k: v for k, v in self._key.schema(components).items() if k in _OF_KEYS}:
            schema["propertyNames"] = keys
        return self.limited(schema, "Properties")


_OF_KEYS = frozenset({"pattern", "enum", "const", "minLength", "maxLength", "format"})
