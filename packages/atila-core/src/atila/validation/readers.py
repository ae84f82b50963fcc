"""Readers: each reads values of one type, piece by piece, and gives its JSON Schema.

msgspec converts JSON in one call; it stops at the first problem, and its rules for text ("null",
"1e3", seconds for a date) are not those of a query or a form. So readers read all text, and read
JSON when msgspec refuses it, to find all faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from atila.validation.constraints import Said
from atila.validation.converters import shown
from atila.validation.issues import INVALID, Path, Reading

if TYPE_CHECKING:
    from atila.validation.schemas import Components

Schema = dict[str, Any]

NOTHING = Said((), None, {})

_LIMITS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}


class Reader:
    """Reads values of a type.

    Attributes:
        hint: the type that msgspec converts to.
        said: the metadata of its annotation.
        is_checked: values converted by msgspec still need a check, since models have constraints
            that msgspec does not know, or since it lets values such as NaN through.
        tag: the field that distinguishes a model in a union, and its value there.
        takes_text: an empty text is a value.
    """

    hint: Any = None
    said: Said = NOTHING
    is_checked = False
    takes_text = False
    tag: tuple[str, Any] | None = None

    def constrain(self, said: Said) -> None:
        """Apply the metadata of an annotation."""
        self.said = said
        if said.meta is not None:
            self.hint = Annotated[self.hint, said.meta]

    @property
    def is_strange(self) -> bool:
        """Whether msgspec, in a model, does not know of all the constraints."""
        return any(constraint.is_foreign for constraint in self.said.constraints)

    def parts(self) -> Iterable[Reader]:
        """The readers of its items or fields."""
        return ()

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        """The value as the type has it; `INVALID` with an issue noted for each problem."""
        raise NotImplementedError

    def of_text(self) -> Callable[[Any], Any] | None:
        """The function that reads text of a query or path as `read` does, and raises ValueError,
        TypeError or ArithmeticError for a fault; None for none that is shorter than `read`.
        """
        return None

    @property
    def read_type(self) -> type | None:
        """The type whose values in a query or path stay as they are; None if all must be read."""
        return None

    @property
    def from_str(self) -> Callable[[str], Any] | None:
        """The same as `of_text`, for a str alone; None for none that is shorter."""
        return None

    def check(self, value: Any, path: Path, reading: Reading) -> None:
        """Note the faults of a value of the right type."""
        for constraint in self.said.constraints:
            if not _holds(constraint, value):
                reading.fail(path, f"{constraint.must}{_instead(value)}", constraint.rule)

    def within(self, value: Any, path: Path, reading: Reading) -> Any:
        """A value that has been read; `INVALID` if it breaks a constraint."""
        if self.said.constraints:
            before = len(reading.issues.found)
            Reader.check(self, value, path, reading)
            if len(reading.issues.found) > before:
                return INVALID
        return value

    def schema(self, components: Components) -> Schema:
        """Its JSON Schema (draft 2020-12)."""
        raise NotImplementedError

    def limited(self, schema: Schema, length: str = "Length") -> Schema:
        """A schema with the constraints in it.

        Args:
            schema: the schema of the type.
            length: how a limit of its length is called: "Length", "Items" or "Properties".
        """
        for constraint in self.said.constraints:
            rule, bound = constraint.rule, constraint.bound
            if rule in _LIMITS:
                is_plain = isinstance(bound, int | float | str)
                schema[_LIMITS[rule]] = bound if is_plain else str(bound)
            elif rule in ("min_length", "max_length") and length:
                schema[rule[:3] + length] = bound
            elif rule == "predicate":
                schema["description"] = constraint.must.capitalize() + "."
        return {**schema, **self.said.extra}


def _holds(constraint: Any, value: Any) -> bool:
    try:
        return bool(constraint.holds(value))
    except (TypeError, ValueError, ArithmeticError):
        return False


def _instead(value: Any) -> str:
    return f", not {shown(value)}" if isinstance(value, str | int | float) else ""


class Anything(Reader):
    """`Any`, or no annotation: whatever comes, as it is."""

    hint = Any
    takes_text = True

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        return self.within(value, path, reading)

    def schema(self, components: Components) -> Schema:
        return self.limited({})


class Scalar(Reader):
    """A type whose values have no parts.

    Args:
        hint: the type.
        must: the demand in words: "must be a whole number".
        schema: its JSON Schema.
        from_text: makes a value from text, or raises ValueError; None to read text as JSON is read.
        from_json: makes a value from JSON that msgspec refuses, or raises ValueError.
        refused: whether a value of the right type is invalid nonetheless: NaN.
    """

    def __init__(
        self,
        hint: Any,
        must: str,
        schema: Schema,
        *,
        rule: str = "type",
        from_text: Callable[[str], Any] | None = None,
        from_json: Callable[[Any], Any] | None = None,
        refused: Callable[[Any], bool] | None = None,
        takes_text: bool = False,
    ) -> None:
        self.hint = self._type = hint
        self._must = must
        self._schema = schema
        self._rule = rule
        self._from_text = from_text
        self._from_json = from_json
        self._refused = refused
        self.takes_text = takes_text
        self.is_bytes = hint is bytes

    @property
    def is_strange(self) -> bool:
        # JSON has no number that is none; a Decimal may be text.
        return (self._refused is not None and self._type is Decimal) or super().is_strange

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        try:
            made = self._made(value, reading.is_text)
            if self._refused is not None and self._refused(made):
                raise ValueError
        except (ValueError, TypeError, ArithmeticError):
            return reading.fail(path, f"{self._must}, not {shown(value)}", self._rule)
        return self.within(made, path, reading)

    def of_text(self) -> Callable[[Any], Any] | None:
        return self._faultless if self.read_type is None else self._plain

    @property
    def read_type(self) -> type | None:
        # As it came, or as the rule has converted it.
        return self._type if not self.said.constraints and self._type in (int, str) else None

    @property
    def from_str(self) -> Callable[[str], Any] | None:
        return None if self.read_type is None else self._from_text

    def _plain(self, value: Any) -> Any:
        kind = type(value)
        if kind is str and self._from_text is not None:
            return self._from_text(value)
        return value if kind is self._type else self._made(value, True)

    def _faultless(self, value: Any) -> Any:
        made = self._made(value, True)
        if self._refused is not None and self._refused(made):
            raise ValueError
        if not all(_holds(constraint, made) for constraint in self.said.constraints):
            raise ValueError
        return made

    def _made(self, value: Any, is_text: bool) -> Any:
        if is_text and self._from_text is not None and isinstance(value, str):
            return self._from_text(value)
        try:
            return msgspec.convert(value, self._type)
        except msgspec.ValidationError:
            if self._from_json is None:
                raise
            return self._from_json(value)

    def check(self, value: Any, path: Path, reading: Reading) -> None:
        if self._refused is not None and self._refused(value):
            reading.fail(path, f"{self._must}, not {shown(value)}", self._rule)
        else:
            super().check(value, path, reading)

    def schema(self, components: Components) -> Schema:
        # The length of what is in base64 is none that a text has.
        return self.limited(dict(self._schema), "" if self.is_bytes else "Length")


class Custom(Reader):
    """A type that msgspec passes on unconverted, as instances of it.

    Args:
        hint: the class.
        must: the demand in words.
        schema: its JSON Schema.
    """

    def __init__(self, hint: type, must: str, schema: Schema) -> None:
        self.hint = self._type = hint
        self._must = must
        self._schema = schema

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        if not isinstance(value, self._type):
            return reading.fail(path, f"{self._must}, not {shown(value)}", "type")
        return self.within(value, path, reading)

    def schema(self, components: Components) -> Schema:
        return self.limited(dict(self._schema))


def settle(readers: Iterator[Reader]) -> None:
    """Find out which of some readers, all that a type is made of, have to check.

    A type may have itself in it, so it goes on until nothing changes any more.
    """
    everything = list(readers)
    changed = True
    while changed:
        changed = False
        for reader in everything:
            if not reader.is_checked and (
                reader.is_strange or any(part.is_checked for part in reader.parts())
            ):
                reader.is_checked = changed = True
