"""The introspection methods of XML-RPC servers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, get_origin, get_type_hints

from atila_render.rpc import calling
from atila_render.rpc.faults import INVALID_PARAMS, METHOD_NOT_FOUND, CallFault

if TYPE_CHECKING:
    from atila import Was

_TYPES = {
    bool: "boolean",
    bytes: "base64",
    datetime: "dateTime.iso8601",
    dict: "struct",
    float: "double",
    int: "int",
    list: "array",
    str: "string",
}


def call(was: Was, name: str, params: calling.Params) -> Any:
    """Call a system method: listMethods, methodHelp or methodSignature.

    Raises:
        CallFault: there is no such method, or introspection is off.
    """
    function = METHODS.get(name)
    if function is None or not was.app.config.RPC_INTROSPECTION:
        raise CallFault(METHOD_NOT_FOUND, repr(name[:100]))
    count = len(inspect.signature(function).parameters) - 1
    values = list(params.values()) if isinstance(params, dict) else list(params)
    if len(values) != count or not all(isinstance(value, str) for value in values):
        raise CallFault(INVALID_PARAMS, "the name of a method" if count else "none are taken")
    return function(was, *values)


def list_methods(was: Was) -> list[str]:
    """The names of all methods."""
    return sorted([*calling.names(was.app), *METHODS])


def method_help(was: Was, name: str) -> str:
    """The docstring of a method; "" if it has none."""
    return inspect.getdoc(_function(was, name)) or ""


def method_signature(was: Was, name: str) -> Any:
    """The types of a method's value and parameters, as a list in a list; "undef" if its annotations
    do not name all of them.
    """
    function = _function(was, name)
    provided = () if name in METHODS else calling.find(was.app, name).endpoint.route.provided
    try:
        hints = get_type_hints(function)
        taken = list(inspect.signature(function).parameters.values())[1:]
        parameters = [parameter for parameter in taken if parameter.name not in provided]
        named = [hints["return"], *(hints[parameter.name] for parameter in parameters)]
        return [[_TYPES[get_origin(hint) or hint] for hint in named]]
    except (KeyError, NameError, TypeError):
        return "undef"


def _function(was: Was, name: str) -> Callable[..., Any]:
    if name in METHODS:
        return METHODS[name]
    handler: Callable[..., Any] = inspect.unwrap(calling.find(was.app, name).endpoint.route.handler)
    return handler


METHODS: dict[str, Callable[..., Any]] = {
    "system.listMethods": list_methods,
    "system.methodHelp": method_help,
    "system.methodSignature": method_signature,
}
