"""The components of an OpenAPI document: the schemas of models, by names that stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

Schema = dict[str, Any]

_UNSAFE = re.compile(r"[^A-Za-z0-9.\-_]+")


class Components:
    """Schemas that a document refers to by name.

    A model has the name of its class; where several classes have one name, each has the name of its
    module before it.

    Args:
        hints: all models that the document will refer to.
        taken: names in use.

    Attributes:
        template: the reference to a name.
    """

    template = "#/components/schemas/{model}"

    def __init__(self, hints: Iterable[Any] = (), taken: Iterable[str] = ()) -> None:
        self.schemas: dict[str, Schema] = {}
        self._taken = frozenset(taken)
        self._names: dict[Any, str] = {}
        named: dict[str, list[Any]] = {}
        for hint in hints:
            alike = named.setdefault(_called(hint), [])
            if hint not in alike:
                alike.append(hint)
        self._ambiguous = {name for name, alike in named.items() if len(alike) > 1}

    def reference(self, hint: Any, make: Callable[[Components], Schema]) -> Schema:
        """A reference to the schema of a type, which is made if it is not there yet."""
        name = self._names.get(hint)
        if name is None:
            name = self._names[hint] = self._free(hint)
            # The type may refer to itself.
            self.schemas[name] = {}
            self.schemas[name] = make(self)
        return {"$ref": self.template.format(model=name)}

    def resolved(self, schema: Schema) -> Schema:
        """A schema itself, where one refers to it."""
        while "$ref" in schema:
            schema = self.schemas[schema["$ref"].rpartition("/")[2]]
        return schema

    def adopt(self, module: str, schema: Schema, others: dict[str, Schema]) -> Schema:
        """Take over schemas that were made elsewhere, with their names there.

        Args:
            module: the prefix of a name that is taken already.
            schema: one that refers to them.
            others: the schemas, by name.

        Returns:
            The schema, with the names as they are here.
        """
        renamed = {}
        for name, other in others.items():
            known = self.schemas.get(name)
            if name in self._taken or (known is not None and known != other):
                renamed[self.template.format(model=name)] = self.template.format(
                    model=f"{module}.{name}"
                )
                name = f"{module}.{name}"
            self.schemas[name] = other
        for name in others:
            name = name if name in self.schemas else f"{module}.{name}"
            self.schemas[name] = _renamed(self.schemas[name], renamed)
        made: Schema = _renamed(schema, renamed)
        return made

    def _free(self, hint: Any) -> str:
        called = _called(hint)
        name = called
        if called in self._ambiguous or name in self._taken or name in self.schemas:
            name = base = f"{getattr(hint, '__module__', '')}.{called}"
            count = 1
            while name in self.schemas:
                count += 1
                name = f"{base}.{count}"
        return name


def _called(hint: Any) -> str:
    """ "Page_Item" of Page[Item]."""
    arguments = getattr(hint, "__args__", ())
    name = getattr(hint, "__name__", None) or str(hint)
    return _UNSAFE.sub("_", "_".join([name, *map(_called, arguments)])).strip("_")


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if not names:
        return value
    if isinstance(value, dict):
        return {
            key: names.get(each, each)
            if key == "$ref" and isinstance(each, str)
            else _renamed(each, names)
            for key, each in value.items()
        }
    return [_renamed(each, names) for each in value] if isinstance(value, list) else value
