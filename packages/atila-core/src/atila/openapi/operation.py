"""One operation of an OpenAPI 3.1 document: one route by one method."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from atila.http.forms import FORM_TYPE
from atila.http.methods import WITH_BODY
from atila.http.uploads import MULTIPART_TYPE
from atila.openapi import guarded
from atila.openapi.schema import CONVERTED, Schema, any_others, of_parameter
from atila.openapi.typed import TypedOperation, responses
from atila.routing.router import parse_rule
from atila.serving.endpoint import Endpoint
from atila.validation.inspector import OneOf, Rule
from atila.validation.schemas import Components

ERROR = "#/components/schemas/Error"
"""Where a document has the schema of errors."""

Document = dict[str, Any]


class SecuritySchemes:
    """The security schemes of a document, by name."""

    def __init__(self) -> None:
        self.all: dict[str, Mapping[str, Any]] = {}

    def named(self, name: str, scheme: Mapping[str, Any]) -> str:
        """The name of a scheme in the document: its own, unless another one has that."""
        base, count = name, 1
        while self.all.setdefault(name, scheme) != scheme:
            count += 1
            name = f"{base}.{count}"
        return name


class Operation:
    """One method of one path.

    Args:
        endpoint: the endpoint that answers it.
        method: lower case.
        names: the parameters in this path, with their names in its template.
        components: takes the schemas of models.
        schemes: takes the security schemes.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        method: str,
        names: Mapping[str, str],
        components: Components,
        schemes: SecuritySchemes,
    ) -> None:
        self._schemes = schemes
        self._endpoint = endpoint
        self._route = endpoint.route
        self._method = method
        self._names = names
        self._kinds = {s.text: s.kind for s in parse_rule(self._route.rule) if s.kind}
        parameters = self._route.parameters()
        self._takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self._taken = {p.name: p for p in parameters if p.kind is not p.VAR_KEYWORD}
        inspector = endpoint.inspector
        self._rules: tuple[Rule, ...] = inspector.rules if inspector is not None else ()
        self._choices: tuple[OneOf, ...] = inspector.choices if inspector is not None else ()
        self._components = components
        self._typed: TypedOperation | None = None
        if (binding := endpoint.binding) is not None:
            has_body = method.upper() in WITH_BODY
            self._typed = TypedOperation(binding, components, self._rules, has_body)

    def _security(self) -> Iterator[Document]:
        """The Security Requirement Objects, of which a client fulfils one."""
        scopes = self._endpoint.scopes
        for name, scheme in self._endpoint.schemes.items():
            needed: list[str] = []
            if scopes is not None and scheme.get("type") == "oauth2":
                needed.extend(scopes(self._method.upper()))
            yield {self._schemes.named(name, scheme): needed}

    def object(self, identifier: str) -> Document:
        """The Operation Object."""
        summary, _, description = (inspect.getdoc(self._route.handler) or "").partition("\n")
        tag = self._route.name.rpartition(".")[0]
        made: Document = {"operationId": identifier}
        made.update({"tags": [tag]} if tag else {})
        made.update({"summary": summary} if summary else {})
        made.update({"description": text} if (text := description.strip()) else {})
        if parameters := [*self._parameters()]:
            made["parameters"] = parameters
        if self._typed is not None and self._typed.has_body:
            made["requestBody"] = self._typed.body(self._route.content_types)
        elif self._has_body():
            made["requestBody"] = self._body()
        if self._endpoint.schemes:
            made["security"] = [*self._security()]
        made["responses"] = {
            **responses(self._endpoint, self._components),
            "default": {
                "description": "An error.",
                "content": {"application/json": {"schema": {"$ref": ERROR}}},
            },
        }
        if (token := self._endpoint.form_token) is not None:
            streams, components = self._streams(), self._components
            guarded.add(made, token, self._method.upper(), streams=streams, components=components)
        return made

    def _parameters(self) -> Iterator[Document]:
        yield from self._own_parameters()
        yield from map(dict, self._endpoint.of_layers)

    def _own_parameters(self) -> Iterator[Document]:
        if self._typed is not None:
            yield from self._typed.parameters(self._names)
        else:
            yield from self._in_path()
            yield from self._in_query()

    def _about(self, name: str) -> list[Rule]:
        return [rule for rule in self._rules if rule.place.name == name]

    def _schema(self, name: str) -> Schema:
        return of_parameter(self._taken.get(name), self._about(name))

    def _in_path(self) -> Iterator[Document]:
        for name, shown in self._names.items():
            schema = self._schema(name) if self._about(name) else {}
            yield {
                "name": shown,
                "in": "path",
                "required": True,
                "schema": {**CONVERTED[self._kinds[name]], **schema},
            }

    def _others(self) -> list[str]:
        """The parameters that are not in the path of the rule."""
        named = [*self._taken, *(rule.place.name for rule in self._rules)]
        named += [name for choice in self._choices for name in choice.names]
        return [name for name in dict.fromkeys(named) if name not in self._kinds]

    def _only_in(self, name: str) -> str:
        """Where a parameter must be, if rules are for one part of the request: "URL", "JSON"."""
        scopes = {rule.scope for rule in self._about(name)}
        return scopes.pop() if len(scopes) == 1 else "ARGS"

    def _in_query(self) -> Iterator[Document]:
        for name in self._others():
            if self._has_body() and self._only_in(name) != "URL":
                continue
            made: Document = {"name": name, "in": "query", "schema": self._schema(name)}
            if self._is_required(name):
                made["required"] = True
            yield made
        if self._takes_any and not self._has_body():
            yield any_others(True)

    def _is_required(self, name: str) -> bool:
        parameter = self._taken.get(name)
        return parameter is not None and parameter.default is inspect.Parameter.empty

    def _has_body(self) -> bool:
        typed_alone = self._typed is not None and not self._streams()
        if self._method.upper() not in WITH_BODY or typed_alone:
            return False
        takes = self._takes_any or self._route.content_types or self._streams()
        return bool(takes or any(self._only_in(name) != "URL" for name in self._others()))

    def _streams(self) -> bool:
        return bool(self._route.options.get("input_stream"))

    def _body(self) -> Document:
        names = [name for name in self._others() if self._only_in(name) != "URL"]
        if self._streams() or not (names or self._takes_any):
            kinds = self._route.content_types or ("application/octet-stream",)
            return {"required": True, "content": {kind: {} for kind in kinds}}
        schema: Schema = {
            "type": "object",
            "properties": {name: self._schema(name) for name in names},
            "additionalProperties": self._takes_any,
        }
        if required := [name for name in names if self._is_required(name)]:
            schema["required"] = required
        for choice in self._choices:
            keyword = "oneOf" if choice.keyword == "oneof" else "anyOf"
            some = {keyword: [_given(name) for name in choice.names]}
            schema.setdefault("allOf", []).append(some)
        return {
            "required": bool(required or self._choices),
            "content": {kind: {"schema": schema} for kind in self._media()},
        }

    def _media(self) -> tuple[str, ...]:
        if self._route.content_types:
            return self._route.content_types
        scopes = {rule.scope for rule in self._rules}
        forms = (FORM_TYPE, MULTIPART_TYPE)
        if scopes == {"JSON"}:
            return ("application/json",)
        return forms if scopes == {"FORM"} else ("application/json", *forms)


def _given(name: str) -> Schema:
    """An object has something of a name, which is not null."""
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
