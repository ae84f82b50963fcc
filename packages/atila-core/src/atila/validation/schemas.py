"""The components of an OpenAPI document: the schemas of models, by names that stay."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

_UNSAFE = re.compile(r"[^A-Za-z0-9.\-_]+")


class Components:
    """Schemas that a document refers to by name.

    A model is called what its class is called; where two classes have one name the second, by the
    order of their modules, has its module's name before it.

    Attributes:
        template: what refers to a name: "#/components/schemas/{model}".
    """

    template = "#/components/schemas/{model}"

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self._names: dict[Any, str] = {}

    def reference(self, hint: Any, make: Callable[[Components], Schema]) -> Schema:
        """What refers to the schema of a type, which is made if it is not there yet."""
        name = self._names.get(hint)
        if name is None:
            name = self._names[hint] = self._free(hint)
            # The type may refer to itself.
            self.schemas[name] = {}
            self.schemas[name] = make(self)
        return {"$ref": self.template.format(model=name)}

    def add(self, name: str, schema: Schema) -> None:
        """Add a schema that was made elsewhere."""
        self.schemas[name] = schema

    def _free(self, hint: Any) -> str:
        name = _UNSAFE.sub("_", _called(hint)).strip("_")
        if name not in self.schemas:
            return name
        module = getattr(hint, "__module__", "")
        name = base = _UNSAFE.sub("_", f"{module}.{name}")
        count = 1
        while name in self.schemas:
            count += 1
            name = f"{base}_{count}"
        return name


def _called(hint: Any) -> str:
    """ "Page_Item" of Page[Item]."""
    arguments = getattr(hint, "__args__", ())
    name = getattr(hint, "__name__", None) or str(hint)
    return "_".join([name, *map(_called, arguments)])
