"""Builds the OpenAPI 3.1 document of a site.

The document is made from rules, methods, signatures, docstrings and `@app.inspect`. WebSockets are
not in it, since OpenAPI cannot describe them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from atila.http import methods
from atila.openapi.operation import Document, Operation, SecuritySchemes
from atila.openapi.schema import CONVERTED, Schema
from atila.openapi.typed import models_of
from atila.routing.router import parse_rule
from atila.serving.endpoint import Endpoint, path_of
from atila.serving.site import Site
from atila.validation.schemas import Components

if TYPE_CHECKING:
    from atila import Atila

VERSION = "3.1.0"
METHODS = frozenset(name.lower() for name in methods.ALL - {"CONNECT"})
"""The methods that OpenAPI has a place for; others are left out."""


def document(endpoints: Iterable[Endpoint], info: Mapping[str, Any], prefix: str = "") -> Document:
    """The document of some endpoints (OpenAPI Specification 3.1.0).

    Where two rules have one shape and one method, such as /users/<int:id> and /users/<name>, it has
    the more particular one alone; OpenAPI cannot distinguish them.

    Args:
        endpoints: the endpoints of one or more apps.
        info: the Info Object; see `info_of`.
        prefix: the path of the server that the paths are below, as it stands in a URL.
    """
    shown = [e for e in endpoints if not e.websocket and not e.route.automatic]
    schemas: dict[str, Schema] = {"Error": _error_schema()}
    if any(endpoint.binding is not None for endpoint in shown):
        schemas["InputError"] = _input_error_schema()
    components = Components(models_of(shown), schemas)
    paths = _Paths(components)
    for endpoint in sorted(shown, key=_order):
        paths.add(endpoint)
    all_components: Document = {"schemas": {**schemas, **dict(sorted(components.schemas.items()))}}
    if paths.schemes.all:
        all_components["securitySchemes"] = dict(sorted(paths.schemes.all.items()))
    return {
        "openapi": VERSION,
        "info": dict(info),
        **({"servers": [{"url": prefix}]} if prefix else {}),
        "paths": dict(sorted(paths.items.items())),
        "components": all_components,
    }


def of_site(site: Site, info: Mapping[str, Any]) -> Document:
    """The document of all apps of a site; of those for certain hosts too."""
    endpoints = [endpoint for mount in site.mounts for endpoint in mount.app.endpoints]
    return document(endpoints, info)


def info_of(app: Atila) -> dict[str, Any]:
    """The Info Object of an app: the setting OPENAPI_INFO, and the required fields."""
    return {"title": app.import_name, "version": "0", **(app.config.OPENAPI_INFO or {})}


def _order(endpoint: Endpoint) -> tuple[str, int]:
    """By path; of one shape the more particular first, as the router has it."""
    kinds = list(CONVERTED)
    segments = parse_rule(endpoint.route.rule)
    return path_of(endpoint), sum(kinds.index(s.kind) for s in segments if s.kind)


class _Paths:
    """The Paths Object, while endpoints are added to it."""

    def __init__(self, components: Components) -> None:
        self._components = components
        self.items: dict[str, Document] = {}
        self.schemes = SecuritySchemes()
        self._templates: dict[tuple[str, ...], tuple[str, list[str]]] = {}
        self._identifiers: set[str] = set()

    def add(self, endpoint: Endpoint) -> None:
        segments = parse_rule(path_of(endpoint))
        for left_out in range(endpoint.optional + 1):
            shown = segments[: len(segments) - left_out] if left_out else segments
            shape = tuple("{}" if segment.kind else segment.text for segment in shown)
            own = [segment.text for segment in shown if segment.kind]
            # Two templates of one shape must have the same names.
            path, names = self._templates.setdefault(shape, (_template(shown), own))
            item = self.items.setdefault(path, {})
            for method in map(str.lower, endpoint.route.methods):
                if method in METHODS and method not in item:
                    renamed = dict(zip(own, names, strict=True))
                    operation = Operation(endpoint, method, renamed, self._components, self.schemes)
                    item[method] = operation.object(self._identifier(endpoint, method))

    def _identifier(self, endpoint: Endpoint, method: str) -> str:
        name = endpoint.route.name
        base = f"{name if name and '<' not in name else 'unnamed'}.{method}"
        identifier, count = base, 1
        while identifier in self._identifiers:
            count += 1
            identifier = f"{base}.{count}"
        self._identifiers.add(identifier)
        return identifier


def _template(segments: Iterable[Any]) -> str:
    parts = [f"{{{s.text}}}" if s.kind else s.text for s in segments]
    return "/" + "/".join(parts)


def _error_schema() -> Schema:
    text: Schema = {"type": "string"}
    return {
        "type": "object",
        "required": ["code", "message", "detail", "errno", "request_id"],
        "properties": {
            "code": {"type": "integer", "minimum": 400, "maximum": 599},
            "message": text,
            "detail": {**text, "description": "The fault."},
            "errno": {"type": "integer", "description": "The application's own number for it."},
            "request_id": {**text, "description": "To find it in the logs by."},
        },
    }


def _input_error_schema() -> Schema:
    text: Schema = {"type": "string"}
    return {
        "allOf": [{"$ref": "#/components/schemas/Error"}],
        "properties": {
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["in", "at", "message", "rule"],
                    "properties": {
                        "in": {**text, "description": "The part of the request."},
                        "at": {**text, "description": "The place in it; empty for all of it."},
                        "message": {**text, "description": "The fault there."},
                        "rule": {**text, "description": "Which rule is broken, for programs."},
                    },
                },
            }
        },
    }
