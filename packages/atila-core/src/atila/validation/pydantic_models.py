"""The reader of pydantic's types: models, and annotations such as EmailStr.

Imported only when an annotation names one, so pydantic is installed then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation

from atila.validation.issues import INVALID, Path, Reading
from atila.validation.readers import Reader, Schema

if TYPE_CHECKING:
    from atila.validation.schemas import Components


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
        fields = getattr(hint, "model_fields", None)
        self.is_model = isinstance(fields, dict)
        self.keys = frozenset(_keys(fields)) if isinstance(fields, dict) else frozenset()
        """The fields of a model, by all their names."""
        config = getattr(hint, "model_config", {})
        self.is_closed = self.is_model and config.get("extra") == "forbid"

    def read(self, value: Any, path: Path, reading: Reading) -> Any:
        if reading.where == "answer" and path:
            # Written by its serializers, which need not agree with its validators.
            return value
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            for problem in error.errors(include_url=False, include_input=False):
                rule = _RULES.get(problem["type"], problem["type"])
                message = _MESSAGES.get(rule, problem["msg"])
                reading.fail((*path, *problem["loc"]), message, rule)
            return INVALID

    def schema(self, components: Components) -> Schema:
        made = self._adapter.json_schema(ref_template=components.template)
        module = getattr(self.hint, "__module__", "pydantic")
        made = components.adopt(module, made, made.pop("$defs", {}))
        if not self.is_model or "$ref" in made:
            return made
        return components.reference(self.hint, lambda _: made)


_RULES = {"missing": "required", "extra_forbidden": "unknown"}
_MESSAGES = {"required": "is required", "unknown": "is unknown"}


def _keys(fields: dict[str, Any]) -> Any:
    for name, field in fields.items():
        yield name
        for alias in (field.alias, field.validation_alias):
            if isinstance(alias, str):
                yield alias
