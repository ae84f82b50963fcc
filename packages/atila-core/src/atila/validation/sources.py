"""The parts of a request, and the arguments of a call, that parameters are taken from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from atila.errors import HTTPError
from atila.http import forms
from atila.http.uploads import MULTIPART_TYPE
from atila.routing.router import fitting
from atila.validation import parameters as places
from atila.validation.issues import INVALID, Issues, Reading
from atila.validation.parameters import Parameter
from atila.validation.plan import Plan

if TYPE_CHECKING:
    from atila import Was

MISSING: Any = object()
"""Stands for a value that is not there."""
_NONE: Mapping[str, Any] = {}


def _converted(
    parameter: Parameter, value: Any, issues: Issues, where: str, *, is_text: bool, key: str
) -> Any:
    if parameter.type is None:
        return value
    path = (key,) if key else ()
    return parameter.type.convert(value, path, Reading(issues, where, is_text))


def _absent(parameter: Parameter, issues: Issues, where: str, key: str) -> Any:
    if parameter.is_required:
        issues.add(where, (key,) if key else (), "is required", "required")
    return MISSING


class _Sources:
    """Headers and cookies, which calls have as well."""

    def __init__(self, was: Was) -> None:
        self._was = was

    def of_head(self, parameter: Parameter, issues: Issues) -> Any:
        place, key = parameter.place, parameter.key
        value: Any
        if place == places.HEADER:
            value = self._was.exchange.header(key)
            if value is not None and parameter.type is not None and parameter.type.is_list:
                value = [each.strip() for each in value.split(",") if each.strip()]
        else:
            value = self._was.cookie.get(key)
        if value is None:
            return _absent(parameter, issues, place, key)
        return _converted(parameter, value, issues, place, is_text=True, key=key)


def _without(fields: Mapping[str, Any], names: frozenset[str]) -> Mapping[str, Any]:
    if names.isdisjoint(fields):
        return fields
    return {name: value for name, value in fields.items() if name not in names}


def _placed(error: HTTPError) -> HTTPError:
    """An error about a body that cannot be read, in the list that other faults are in."""
    if error.code == 400 and not error.errors:
        message = error.detail.removeprefix("the body ")
        error.errors = [{"in": places.BODY, "at": "", "message": message, "rule": "format"}]
    return error


class RequestSource(_Sources):
    """The parts of a request that parameters come from."""

    def __init__(self, was: Was, plan: Plan) -> None:
        self._was = was
        self._plan = plan
        exchange = was.exchange
        self._path = was.path_params
        # Read before by a hook or an inspection, which may have changed something.
        self._args = was._args
        query = exchange.query
        if not query:
            self._query: Mapping[str, Any] = _NONE
        elif self._args is not None:
            self._query = was.request.URL_QUERY
        else:
            self._query = forms.parse_query(query, was.app.config["MAX_FIELDS"])
        self._data: Mapping[str, Any] = _NONE
        self._is_json = False
        self._body: Any = MISSING
        if (exchange.body or self._is_empty_form()) and not was.endpoint.streams_body:
            try:
                self._read_body()
            except HTTPError as error:
                raise _placed(error) from None

    def _is_empty_form(self) -> bool:
        """Whether a body is missing because a form has no fields: it is written as no bytes."""
        if self._plan.whole_body is None:
            return False
        return self._was.request.get_content_type() == forms.FORM_TYPE

    def _read_body(self) -> None:
        request = self._was.request
        kind = request.get_content_type()
        self._is_json = forms.is_json(kind)
        if self._is_json:
            self._body = request.JSON
            if isinstance(self._body, dict):
                self._data = self._body
        elif kind in (forms.FORM_TYPE, MULTIPART_TYPE):
            self._body = self._data = request.FORM

    def take(self, parameter: Parameter, issues: Issues) -> Any:
        match parameter.place:
            case places.ANY:
                return self._any(parameter, issues)
            case places.PATH:
                return self._of_path(parameter, issues)
            case places.WHOLE_BODY:
                return self._whole_body(parameter, issues)
            case places.BODY:
                return self._field(parameter, issues)
            case places.QUERY:
                value = self._query.get(parameter.key, MISSING)
                if value is MISSING:
                    return _absent(parameter, issues, places.QUERY, parameter.key)
                return self._text(parameter, value, issues, places.QUERY)
            case places.WHOLE_QUERY:
                fields = _without(self._query, self._plan.not_of_query)
                return _converted(
                    parameter, dict(fields), issues, places.QUERY, is_text=True, key=""
                )
        return self.of_head(parameter, issues)

    def _text(self, parameter: Parameter, value: Any, issues: Issues, where: str) -> Any:
        return _converted(parameter, value, issues, where, is_text=True, key=parameter.key)

    def _any(self, parameter: Parameter, issues: Issues) -> Any:
        key = parameter.key
        plan = self._plan
        data = self._data
        if plan.whole_body is not None and key not in plan.beside:
            data = _NONE
        args = self._args
        if args is not None and key in args:
            value = args[key]
            if value is not data.get(key, MISSING) and value is not self._query.get(key, MISSING):
                # An inspection has converted it, or a hook has given it.
                where = places.BODY if key in data else places.QUERY
                return self._text(parameter, value, issues, where)
        if key in data:
            return _converted(
                parameter, data[key], issues, places.BODY, is_text=not self._is_json, key=key
            )
        if key in self._query:
            return self._text(parameter, self._query[key], issues, places.QUERY)
        where = places.BODY if self._has_data() else places.QUERY
        return _absent(parameter, issues, where, key)

    def _has_data(self) -> bool:
        return self._body is not MISSING and self._plan.whole_body is None

    def _field(self, parameter: Parameter, issues: Issues) -> Any:
        value = self._data.get(parameter.key, MISSING)
        if value is MISSING:
            return _absent(parameter, issues, places.BODY, parameter.key)
        value = self._changed(parameter.key, value)
        return _converted(
            parameter, value, issues, places.BODY, is_text=not self._is_json, key=parameter.key
        )

    def _changed(self, key: str, value: Any) -> Any:
        return value if self._args is None else self._args.get(key, value)

    def _of_path(self, parameter: Parameter, issues: Issues) -> Any:
        name = parameter.name
        value = self._path.get(name, MISSING)
        given = [
            (where, fields[name])
            for where, fields in ((places.QUERY, self._query), (places.BODY, self._data))
            if name in fields
        ]
        if parameter.type is None:
            return self._by_rule(parameter, value, given, issues)
        if not given and self._args is not None and name in self._args:
            value = self._args[name]
        if value is MISSING:
            for where, _ in given:
                issues.add(where, (name,), "must be given in the path", "path")
            return MISSING if given else _absent(parameter, issues, places.PATH, name)
        made = self._text(parameter, value, issues, places.PATH)
        for where, other in given:
            reading = Reading(Issues(), where, True)
            if made is not INVALID and parameter.type.convert(other, (), reading) != made:
                issues.add(where, (name,), "must be the same as in the path", "path")
        return made

    def _by_rule(
        self, parameter: Parameter, value: Any, given: list[tuple[str, Any]], issues: Issues
    ) -> Any:
        """A parameter without a type: the body's value wins, if the rule could have it."""
        where = places.PATH
        for where, other in given:
            if where == places.BODY or value is MISSING:
                value = fitting(parameter.kind, other)
        if value is None:
            issues.add(where, (parameter.name,), f"must fit <{parameter.kind}>", "path")
        elif value is MISSING:
            return _absent(parameter, issues, places.PATH, parameter.name)
        elif not given and self._args is not None:
            value = self._args.get(parameter.name, value)
        return value

    def merged(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters for `was.request.args`, with those that have been converted."""
        if self._args is not None:
            return {**self._args, **values}
        return {**self._query, **self._path, **self._data, **values}

    # The whole body -----------------------------------------------------------------------------

    def _whole_body(self, parameter: Parameter, issues: Issues) -> Any:
        exchange = self._was.exchange
        if not exchange.body and (self._body is MISSING or not parameter.is_required):
            return _absent(parameter, issues, places.BODY, "")
        type = parameter.type
        if type is not None and type.takes_bytes:
            return type.convert(bytes(exchange.body), (), Reading(issues, places.BODY, False))
        value = self._body
        if value is MISSING:
            return self._other_body(parameter, issues)
        plan = self._plan
        if isinstance(value, dict):
            if self._args is not None:
                value = {key: self._args.get(key, each) for key, each in value.items()}
            value = _without(value, plan.not_of_body)
        return _converted(parameter, value, issues, places.BODY, is_text=not self._is_json, key="")

    def _other_body(self, parameter: Parameter, issues: Issues) -> Any:
        """A body that is neither JSON nor a form: a text, if one is wanted."""
        exchange = self._was.exchange
        kind = self._was.request.get_content_type()
        if parameter.type is None:
            return bytes(exchange.body)
        if not (parameter.type.reader.takes_text and kind.startswith("text/")):
            raise HTTPError(
                415,
                f"a body of {f'the type {kind}' if kind else 'unknown type'} is not taken:"
                " send application/json, or a form",
            )
        try:
            text = bytes(exchange.body).decode()
        except UnicodeDecodeError:
            raise HTTPError(400, "the body is not UTF-8") from None
        return _converted(parameter, text, issues, places.BODY, is_text=True, key="")

    # What nobody asked for ------------------------------------------------------------------------

    def _unknown(self) -> list[tuple[str, str, Any]]:
        plan = self._plan
        found: list[tuple[str, str, Any]] = []
        if self._query and not plan.takes_query:
            found += self._strange(places.QUERY, self._query, plan.in_query)
        if self._data and plan.whole_body is None:
            found += self._strange(places.BODY, self._data, plan.in_body)
        return found

    def _strange(
        self, where: str, fields: Mapping[str, Any], known: frozenset[str]
    ) -> list[tuple[str, str, Any]]:
        if fields.keys() <= known:
            return []
        own = self._plan.of_layers
        in_rule = {parameter.name for parameter in self._plan.in_rule}
        return [
            (where, name, value)
            for name, value in fields.items()
            if name not in known and name not in in_rule and name not in own
        ]

    def check_kind(self, issues: Issues) -> None:
        """Refuse a JSON body without fields where fields are wanted.

        Raises:
            HTTPError: 400.
        """
        wants_fields = self._is_json and self._plan.whole_body is None
        if wants_fields and not isinstance(self._body, dict):
            issues.add(places.BODY, (), "must be an object", "type")
            raise issues.error()

    def refuse(self, issues: Issues) -> None:
        """Note the fields that the handler does not take."""
        plan = self._plan
        if plan.parameters.takes_any:
            return
        for where, name, _ in self._unknown():
            known = plan.in_query if where == places.QUERY else plan.in_body
            issues.add(where, (name,), f"is unknown{_hint(known)}", "unknown")

    def rest(self, issues: Issues) -> dict[str, Any]:
        """The fields for the ** parameter; those of a body win over those of the query."""
        rest = self._plan.parameters.rest
        made = {}
        for where, name, value in self._unknown():
            if name in self._plan.by_position:
                issues.add(where, (name,), "is unknown", "unknown")
                continue
            value = self._changed(name, value)
            if rest is not None:
                is_text = where == places.QUERY or not self._is_json
                value = rest.convert(value, (name,), Reading(issues, where, is_text))
            made[name] = value
        return made


class CallSource(_Sources):
    """The arguments of a call."""

    def __init__(self, was: Was, given: Mapping[str, Any], plan: Plan, is_text: bool) -> None:
        self._was = was
        self._given = given
        self._plan = plan
        self._is_text = is_text

    def take(self, parameter: Parameter, issues: Issues) -> Any:
        name = parameter.name
        value = self._given.get(name, MISSING)
        if value is MISSING:
            if parameter.place in (places.HEADER, places.COOKIE):
                return self.of_head(parameter, issues)
            return _absent(parameter, issues, "params", name)
        if parameter.type is None:
            return value
        return parameter.type.read(value, (name,), Reading(issues, "params", self._is_text))

    def rest(self, issues: Issues) -> dict[str, Any]:
        parameters = self._plan.parameters
        known = {parameter.name for parameter in parameters.all}
        made = {}
        for name, value in self._given.items():
            if name in known:
                continue
            if not parameters.takes_any or name in self._plan.by_position:
                issues.add("params", (name,), f"is unknown{_hint(known)}", "unknown")
            elif parameters.rest is not None:
                reading = Reading(issues, "params", self._is_text)
                made[name] = parameters.rest.read(value, (name,), reading)
            else:
                made[name] = value
        return made


def _hint(known: Collection[str]) -> str:
    """The names that would be known, for the error of another one."""
    return f"; known are {', '.join(sorted(known))}" if known else ""
