"""Describes the token of guarded forms in an operation of OpenAPI."""

from __future__ import annotations

from typing import Any

from atila.http.form_token import FormToken
from atila.http.forms import FORM_TYPE
from atila.http.methods import WITH_BODY
from atila.http.uploads import MULTIPART_TYPE
from atila.openapi.schema import Schema
from atila.validation.schemas import Components

_PARTS = ("allOf", "anyOf", "oneOf")


def add(
    operation: dict[str, Any],
    token: FormToken,
    method: str,
    *,
    streams: bool,
    components: Components,
) -> None:
    """Add a token to an Operation Object.

    A field is required where the operation takes a form, which can send no header; else the header
    is required. Of two places that do, OpenAPI cannot require one.

    Args:
        operation: the Operation Object.
        token: the token.
        method: in upper case.
        streams: the handler reads the body itself, so it has no fields.
        components: the schemas that it refers to.
    """
    if not token.is_wanted(method):
        return
    schema: Schema = {"type": "string", "minLength": 1}
    content: dict[str, Any] = operation.get("requestBody", {}).get("content", {})
    if not content and method in WITH_BODY and not streams:
        content = {FORM_TYPE: {"schema": {"type": "object", "properties": {}}}}
    as_field = not streams and (FORM_TYPE in content or MULTIPART_TYPE in content)
    if as_field:
        shown = {**schema, "description": f"{token.description} Or in the header {token.header}."}
        operation["requestBody"] = {
            "required": True,
            "content": {
                kind: {**each, "schema": _with(each["schema"], token.field, shown, components)}
                for kind, each in content.items()
            },
        }
    header = {
        "name": token.header,
        "in": "header",
        "description": token.description,
        "schema": schema,
        **({} if as_field else {"required": True}),
    }
    operation["parameters"] = [*operation.get("parameters", ()), header]


def _with(schema: Schema, name: str, field: Schema, components: Components) -> Schema:
    """The schema of an object that has one more field."""
    made = _admitting(schema, name, field, components)
    return {**made, "required": [*made.get("required", ()), name]}


def _admitting(schema: Schema, name: str, field: Schema, components: Components) -> Schema:
    """The schema, where objects may have one more field: also in closed models that it is of."""
    made = dict(components.resolved(schema))
    if "properties" in made or made.get("type") == "object":
        made["properties"] = {**made.get("properties", {}), name: field}
    for keyword in _PARTS:
        if keyword in made:
            made[keyword] = [_admitting(part, name, field, components) for part in made[keyword]]
    made.pop("discriminator", None)
    return made
