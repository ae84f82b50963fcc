"""Describes types in an operation of OpenAPI: parameters by their places, the body, the answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from atila.http.forms import FORM_TYPE
from atila.http.uploads import MULTIPART_TYPE, Upload
from atila.openapi.schema import CONVERTED, Schema, any_others, of_parameter
from atila.serving.endpoint import Endpoint
from atila.validation import parameters as places
from atila.validation.answers import WITHOUT_CONTENT
from atila.validation.binding import Binding
from atila.validation.containers import Dict
from atila.validation.hints import ABSENT
from atila.validation.inspector import Rule
from atila.validation.models import Model, with_default
from atila.validation.parameters import Parameter
from atila.validation.readers import Custom, Reader
from atila.validation.schemas import Components

INPUT_ERROR = "#/components/schemas/InputError"
_JSON = "application/json"
_FORMS = (FORM_TYPE, MULTIPART_TYPE)
_PLACES = {
    places.QUERY: "query",
    places.ANY: "query",
    places.WHOLE_QUERY: "query",
    places.HEADER: "header",
    places.COOKIE: "cookie",
}


def models_of(endpoints: Iterable[Endpoint]) -> Iterator[Any]:
    """All models that some endpoints take or give."""
    seen: set[int] = set()
    for endpoint in endpoints:
        if endpoint.binding is not None:
            for parameter in endpoint.binding.parameters.all:
                if parameter.type is not None:
                    yield from _models(parameter.type.reader, seen)
        if endpoint.answer is not None:
            yield from _models(endpoint.answer.type.reader, seen)


def _models(reader: Reader, seen: set[int]) -> Iterator[Any]:
    if id(reader) in seen:
        return
    seen.add(id(reader))
    if isinstance(reader, Model) or getattr(reader, "is_model", False):
        yield reader.hint
    for part in reader.parts():
        yield from _models(part, seen)


class TypedOperation:
    """The parameters and the body of an operation whose handler declares types.

    Args:
        binding: the binding of its parameters.
        components: takes the schemas of models.
        rules: the rules of `@app.inspect`.
        has_body: whether the method has a body.
    """

    def __init__(
        self, binding: Binding, components: Components, rules: Iterable[Rule], has_body: bool
    ) -> None:
        self._binding = binding
        self._components = components
        self._rules = tuple(rules)
        self._all = binding.parameters.all
        self._has_body = has_body and self._takes_body()

    def _takes_body(self) -> bool:
        takes = (places.ANY, places.BODY, places.WHOLE_BODY)
        return self._binding.parameters.takes_any or any(p.place in takes for p in self._all)

    @property
    def has_body(self) -> bool:
        """Whether it takes a body."""
        return self._has_body

    def parameters(self, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The Parameter Objects.

        Args:
            names: the parameters in this path, with their names in its template.
        """
        for parameter in self._all:
            if parameter.place == places.PATH:
                if parameter.name in names:
                    yield {
                        "name": names[parameter.name],
                        "in": "path",
                        "required": True,
                        "schema": self._of_path(parameter),
                    }
            elif parameter.place == places.WHOLE_QUERY:
                yield from self._query(parameter)
            elif parameter.place in _PLACES and not self._is_in_body(parameter):
                yield self._other(parameter)
        if self._binding.parameters.takes_any and not self._has_body:
            yield any_others(self._rest())

    def _is_in_body(self, parameter: Parameter) -> bool:
        is_any = parameter.place == places.ANY
        return is_any and self._has_body and self._binding.whole_body is None

    def _of_path(self, parameter: Parameter) -> Schema:
        if parameter.type is None:
            return dict(CONVERTED[parameter.kind])
        schema = self._schema(parameter)
        if schema == {"type": "string"}:
            schema["minLength"] = 1
        return schema

    def _other(self, parameter: Parameter) -> dict[str, Any]:
        made: dict[str, Any] = {
            "name": parameter.key,
            "in": _PLACES[parameter.place],
            "schema": self._schema(parameter),
        }
        if parameter.is_required:
            made["required"] = True
        return self._with_empty(made) if made["in"] == "query" else made

    def _with_empty(self, made: dict[str, Any]) -> dict[str, Any]:
        """The Parameter Object of a field of the query, which may be there without a value."""
        schema = self._components.resolved(made["schema"])
        if _may_be_empty(schema, self._components):
            made["schema"] = _or_empty(schema)
        elif schema.get("type") == "array":
            if schema.get("minItems", 0) < 1:
                made["allowEmptyValue"] = True
            else:
                # One empty text is written as an empty list is.
                made["schema"] = {**schema, "not": {"const": [""]}}
        return made

    def _query(self, parameter: Parameter) -> Iterator[dict[str, Any]]:
        """Of a parameter that takes the whole query: each of its fields, if they are known."""
        schema = self._schema(parameter)
        model = self._components.resolved(schema)
        if "properties" not in model:
            yield {**self._other(parameter), "style": "form", "explode": True}
            return
        others = {p.key for p in self._all if p.place in (places.QUERY, places.ANY)}
        for name, field in model["properties"].items():
            if name in others:
                continue
            made: dict[str, Any] = {"name": name, "in": "query", "schema": field}
            if parameter.is_required and name in model.get("required", ()):
                made["required"] = True
            yield self._with_empty(made)

    def _schema(self, parameter: Parameter) -> Schema:
        rules = [rule for rule in self._rules if rule.place.name == parameter.name]
        if parameter.type is None:
            return of_parameter(None, rules)
        schema = dict(parameter.type.reader.schema(self._components))
        if rules:
            more = of_parameter(None, rules)
            schema = {**schema, "allOf": [*schema.get("allOf", ()), more]}
        default = parameter.default
        if not parameter.is_required and default is not None and default is not ABSENT:
            schema = with_default(schema, default)
        return schema

    def _rest(self) -> Any:
        rest = self._binding.parameters.rest
        return True if rest is None else rest.reader.schema(self._components)

    # The body -------------------------------------------------------------------------------------

    def body(self, content_types: tuple[str, ...]) -> dict[str, Any]:
        """The Request Body Object."""
        whole = self._binding.whole_body
        if whole is None:
            schema, required = self._fields()
            kinds = self._media(p.type.reader for p in self._all if p.type is not None)
        else:
            schema, required = self._whole(whole), whole.is_required
            kinds = self._media_of_whole(whole)
        return {
            "required": required,
            "content": {
                kind: {"schema": self._as_form(schema) if kind in _FORMS else schema}
                for kind in content_types or kinds
            },
        }

    def _as_form(self, schema: Schema) -> Schema:
        """The schema of a form, whose fields may be empty where JSON may have null."""
        model = self._components.resolved(schema)
        properties = model.get("properties", {})
        empty = {
            name: _or_empty(each)
            for name, each in properties.items()
            if _may_be_empty(each, self._components) or self._is_list(each)
        }
        return {**model, "properties": {**properties, **empty}} if empty else schema

    def _is_list(self, schema: Schema) -> bool:
        """Whether an empty text is a list without anything in it."""
        schema = self._components.resolved(schema)
        return schema.get("type") == "array" and schema.get("minItems", 0) < 1

    def _fields(self) -> tuple[Schema, bool]:
        fields = [p for p in self._all if p.place in (places.ANY, places.BODY)]
        schema: Schema = {
            "type": "object",
            "properties": {p.key: self._schema(p) for p in fields},
            "additionalProperties": self._rest() if self._binding.parameters.takes_any else False,
        }
        required = [p.key for p in fields if p.is_required]
        if required:
            schema["required"] = required
        return schema, bool(required)

    def _whole(self, whole: Parameter) -> Schema:
        if whole.type is None:
            return {}
        schema = whole.type.reader.schema(self._components)
        more: dict[str, Schema] = {}
        names = {rule.place.name for rule in self._rules} & self._binding.own_keys
        for name in sorted(names):
            more[name] = of_parameter(None, [r for r in self._rules if r.place.name == name])
        if not self._binding.strips:
            beside = self._binding.beside
            more.update({p.key: self._schema(p) for p in self._all if p.key in beside})
        return {"allOf": [schema, {"properties": more}]} if more else schema

    def _media(self, readers: Iterable[Reader]) -> tuple[str, ...]:
        seen: set[int] = set()
        readers = [*readers]
        if any(_has_file(reader, seen) for reader in readers):
            return (MULTIPART_TYPE,)
        # A form has texts and lists of them; there is no one way to write objects in it.
        return (_JSON, *_FORMS) if all(map(_fits_form, readers)) else (_JSON,)

    def _media_of_whole(self, whole: Parameter) -> tuple[str, ...]:
        if whole.type is None:
            return ("application/octet-stream",)
        if whole.type.takes_bytes:
            return ("application/octet-stream",)
        if whole.type.is_model:
            return self._media([whole.type.reader])
        return (_JSON, "text/plain") if whole.type.reader.takes_text else (_JSON,)


def _fits_form(reader: Reader) -> bool:
    """Whether a form can have a value as one field, or all values of a model as its fields."""
    fields = reader.parts() if isinstance(reader, Model) else [reader]
    return not any(_has_objects(field, set()) for field in fields)


def _has_objects(reader: Reader, seen: set[int]) -> bool:
    if id(reader) in seen:
        return False
    seen.add(id(reader))
    if isinstance(reader, Model | Dict | Custom):
        return True
    return any(_has_objects(part, seen) for part in reader.parts())


def _may_be_empty(schema: Schema, components: Components) -> bool:
    """Whether an empty text is None: a value may be null, and no text that may be empty."""
    options = [components.resolved(option) for option in _options(schema)]
    has_null = any(option.get("type") == "null" for option in options)
    return has_null and not any(map(_takes_text, options))


def _takes_text(option: Schema) -> bool:
    if "enum" in option:
        return "" in option["enum"]
    if "const" in option:
        return bool(option["const"] == "")
    return option.get("type") == "string" and "format" not in option


def _or_empty(schema: Schema) -> Schema:
    """The same for a text, which is empty where JSON has null."""
    options = [option for option in _options(schema) if option.get("type") != "null"]
    made: Schema = {"anyOf": [*options, {"const": ""}]}
    for key in ("description", "title"):
        if key in schema:
            made[key] = schema[key]
    if schema.get("default") is not None:
        made["default"] = schema["default"]
    return made


def _options(schema: Schema) -> list[Schema]:
    """The schemas of which one must hold."""
    if isinstance(schema.get("type"), list):
        rest = {key: each for key, each in schema.items() if key not in ("type", "default")}
        return [{"type": kind, **(rest if kind != "null" else {})} for kind in schema["type"]]
    return list(schema.get("anyOf", [schema]))


def _has_file(reader: Reader, seen: set[int]) -> bool:
    if id(reader) in seen:
        return False
    seen.add(id(reader))
    return reader.hint is Upload or any(_has_file(part, seen) for part in reader.parts())


def responses(endpoint: Endpoint, components: Components) -> dict[str, Any]:
    """The Response Objects of types: the answer, and the one to invalid input."""
    made: dict[str, Any] = {}
    answer = endpoint.answer
    if answer is None:
        made["200"] = {"description": "The answer."}
    elif answer.status in WITHOUT_CONTENT:
        made[str(answer.status)] = {"description": "Done."}
    else:
        schema = answer.type.reader.schema(components)
        made[str(answer.status)] = {
            "description": "The answer.",
            "content": {_JSON: {"schema": schema}},
        }
    if endpoint.binding is not None:
        made["400"] = {
            "description": "The input is wrong.",
            "content": {_JSON: {"schema": {"$ref": INPUT_ERROR}}},
        }
    return made
