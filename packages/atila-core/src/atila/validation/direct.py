"""The direct way of parameters from path, query and JSON to a handler, for requests with no fault.

Whatever is doubtful is left to `RequestSource`, which words the faults: here is nothing but the
values, so that a request without faults pays for no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from atila.errors import HTTPError
from atila.http import forms
from atila.validation import parameters as places
from atila.validation.compiler import Typed
from atila.validation.issues import INVALID, Issues, Reading, TooMany
from atila.validation.parameters import Parameter
from atila.validation.plan import Plan
from atila.values import json

if TYPE_CHECKING:
    from atila import Was

Convert = Callable[[Any], Any]
Bind = Callable[["Was"], Mapping[str, Any]]

_FAULTS = (
    HTTPError,
    LookupError,
    ValueError,
    TypeError,
    ArithmeticError,
    RecursionError,
    TooMany,
    msgspec.MsgspecError,
)
_encode = msgspec.json.Encoder().encode
_PLACES = frozenset({places.PATH, places.QUERY, places.ANY})


def direct(plan: Plan, otherwise: Bind) -> Bind:
    """The function that gives the parameters for a request, straight if it has no body, and no hook
    has read its parameters.

    Args:
        plan: the sources of a handler's parameters.
        otherwise: gives them for all other requests, or words what is wrong.

    Returns:
        `otherwise` itself if the handler takes something else than parameters of path and query, or
        has one of the query with the name of one of the path, or two of one name there.
    """
    parameters = plan.parameters.all
    if not _PLACES.issuperset(parameter.place for parameter in parameters):
        return otherwise
    if not plan.in_query.isdisjoint(parameter.name for parameter in plan.in_rule):
        return otherwise
    in_query = [p for p in parameters if p.place != places.PATH]
    if len(plan.in_query) < len(in_query):
        return otherwise  # Two of one name.
    of_path = {p.name: (_converter(p), _kept(p)) for p in plan.in_rule}
    of_query = {p.key: (p.name, _from_str(p)) for p in in_query}
    repeatable = {p.name: _converter(p) for p in in_query if _is_repeatable(p)}
    required = frozenset(p.name for p in parameters if p.is_required)
    count = len(parameters)

    def bind(was: Was) -> Mapping[str, Any]:
        exchange = was.exchange
        if exchange.body or was._args is not None:
            return otherwise(was)
        values: dict[str, Any] = {}
        try:
            for name, value in was.path_params.items():
                convert, kept = of_path[name]
                values[name] = value if type(value) is kept or convert is None else convert(value)
            if query := exchange.query:
                is_encoded = "%" in query or "+" in query
                for field in query.split("&"):
                    key, _, text = field.partition("=")
                    name, from_str = of_query[key]
                    if is_encoded:
                        text = forms.decode(text)
                    if name not in values:
                        values[name] = text if from_str is None else from_str(text)
                    elif name in repeatable:
                        forms.add_field(values, name, text)
                    else:
                        raise ValueError("refused by RequestSource")
                if repeatable:
                    # Of others there are no more than the handler has parameters.
                    forms.check_number(query, was.app.config["MAX_FIELDS"])
                    _convert(values, repeatable)
            if len(values) < count and not required <= values.keys():
                raise ValueError("named by RequestSource")
        except _FAULTS:
            # Not from here: its errors would carry this one along.
            pass
        else:
            was._given = values
            return values
        return otherwise(was)

    return bind


def direct_body(plan: Plan, otherwise: Bind) -> Bind:
    """The same for a request with a body of JSON and no query.

    Args:
        plan: the sources of a handler's parameters.
        otherwise: gives them for all other requests, or words what is wrong.

    Returns:
        `otherwise` itself if the handler takes something else than one value of the whole body and
        parameters of the path.
    """
    whole = plan.whole_body
    if whole is None or whole.type is None or whole.type.takes_bytes or plan.parameters.takes_any:
        return otherwise
    if len(plan.in_rule) + 1 != len(plan.parameters.all):
        return otherwise
    name, type = whole.name, whole.type
    steps = tuple((p.name, _converter(p)) for p in plan.in_rule)
    decode, is_exact, may_nest = type.decode, False, type.may_nest
    # A model takes no fields but its own; a dict takes any.
    if decode is None or (plan.not_of_body and not type.is_model):
        decode, is_exact, may_nest = _exact(type, plan.not_of_body), True, False
    count_keys = type.count_keys

    def bind(was: Was) -> Mapping[str, Any]:
        exchange = was.exchange
        body = exchange.body
        if not body or not isinstance(body, bytes) or exchange.query or was._args is not None:
            return otherwise(was)
        if exchange.header("content-encoding") is not None:
            return otherwise(was)
        kind = exchange.content_type
        if kind != forms.JSON_TYPE and not forms.is_json(forms.media_type(kind)):
            return otherwise(was)
        try:
            if may_nest and json.may_be_deep(body):
                raise ValueError("measured by RequestSource")
            made = decode(body)
            if not is_exact:
                # There is a colon for each key that was sent, and more of them in texts.
                colons = body.count(b":")
                if count_keys is None or colons != count_keys(made):
                    _compare_colons(body, colons, made)
            values = {name: made}
            if steps:
                _add_path(values, steps, was)
        except _FAULTS:
            pass
        else:
            was._given = values
            return values
        return otherwise(was)

    return bind


def _add_path(
    values: dict[str, Any], steps: Sequence[tuple[str, Convert | None]], was: Was
) -> None:
    path, fields = was.path_params, was.request.JSON
    for key, convert in steps:
        if type(fields) is dict and key in fields:
            raise ValueError("compared by RequestSource")
        values[key] = path[key] if convert is None else convert(path[key])


def _compare_colons(body: bytes, colons: int, made: object) -> None:
    """Raise a ValueError if a key may have been sent twice.

    The colons in texts are the same if the value is written again, unless escaped.
    """
    if forms.has_escapes(body) or colons != _encode(made).count(b":"):
        raise ValueError("looked for by RequestSource")


def _exact(type: Typed, foreign: frozenset[str]) -> Callable[[bytes], Any]:
    """The function that gives a body of JSON as a value of a type, and sees each key of it.

    Args:
        type: the type.
        foreign: fields of the body that are not for the value.
    """
    convert = _by_reading(type, places.BODY, is_text=False)

    def read(body: bytes) -> Any:
        sent = forms.parse_json_exactly(body)
        if isinstance(sent, dict) and not foreign.isdisjoint(sent):
            raise ValueError("taken out by RequestSource")
        return convert(sent)

    return read


def _converter(parameter: Parameter) -> Convert | None:
    """The function that converts text to the type of a parameter, or raises ValueError, TypeError
    or ArithmeticError; None for a parameter without a type.
    """
    type = parameter.type
    if type is None:
        return None
    where = places.PATH if parameter.place == places.PATH else places.QUERY
    return type.reader.of_text() or _by_reading(type, where, is_text=True)


def _is_repeatable(parameter: Parameter) -> bool:
    """Whether a field may come more than once, so that it is not converted before all are read."""
    return parameter.type is None or parameter.type.reader.of_text() is None


def _from_str(parameter: Parameter) -> Callable[[str], Any] | None:
    """The function that converts the text of a field at once; None for one that stays as it is, at
    least until all fields are read.
    """
    if parameter.type is None or _kept(parameter) is str:
        return None
    reader = parameter.type.reader
    return reader.from_str or reader.of_text()


def _convert(values: dict[str, Any], repeatable: Mapping[str, Convert | None]) -> None:
    """Convert the fields that may have come more than once."""
    for name, convert in repeatable.items():
        if convert is not None and name in values:
            values[name] = convert(values[name])


def _kept(parameter: Parameter) -> type | None:
    """The type whose values a parameter takes unconverted."""
    return None if parameter.type is None else parameter.type.reader.read_type


def _by_reading(type: Typed, where: str, *, is_text: bool) -> Convert:
    def convert(value: Any) -> Any:
        made = type.convert(value, (), Reading(Issues(), where, is_text))
        if made is INVALID:
            raise ValueError
        return made

    return convert
