"""Checks the arguments of `@app.route` besides the rule: methods, content types, options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from atila import layers
from atila.errors import SetupError, nearest, setup_step
from atila.routing.router import ALL_METHODS, METHODS

if TYPE_CHECKING:
    from atila import Atila

_TOKEN = re.compile(r"[A-Z!#$%&'*+\-.^_`|~0-9]+")
"""A method in upper case (RFC 9110, section 5.6.2)."""

_NAMES = """
    ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE
    MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PRI
    PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK
    UPDATE UPDATEREDIRECTREF VERSION-CONTROL
"""
_REGISTERED = frozenset(_NAMES.split())
"""https://www.iana.org/assignments/http-methods; others may be used, but hardly ever are."""


def checked(
    app: Atila,
    methods: Sequence[str] | None,
    content_types: Sequence[str],
    options: Mapping[str, Any],
    source: str,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The methods and media types of a route, each as a tuple.

    Args:
        app: the app.
        methods: as given to `@app.route`.
        content_types: the same.
        options: all else that it was given.
        source: "file:line" of the handler.

    Raises:
        SetupError: one of them is wrong, or an option is unknown.
    """
    answered: tuple[str, ...] = METHODS
    types: tuple[str, ...] = ()
    for option in options:
        with setup_step():
            _check_option(app, option, source)
    if not isinstance(compress := options.get("compress", False), bool):
        with setup_step():
            raise SetupError(f"compress is True or False, not {compress!r}", source)
    with setup_step():
        answered = _methods(methods, source)
    with setup_step():
        types = _content_types(content_types, source)
    return answered, types


def _check_option(app: Atila, option: str, source: str) -> None:
    if option in app.options:
        return
    text = layers.missing("options", option, app.layers)
    known = (*app.options, "methods", "content_types")
    raise SetupError(
        text if layers.owner_of("options", option) else text + nearest(option, known), source
    )


def _methods(given: Sequence[str] | None, source: str) -> tuple[str, ...]:
    """The methods of a route, in upper case; the usual ones if it names none.

    Raises:
        SetupError: they are no list, or one is no method or misspelt.
    """
    if given is None:
        return METHODS
    for name in (found := _listed(given, "methods", '["GET"]', source)):
        if not _TOKEN.fullmatch(name.upper()):
            raise SetupError(f"{name!r} is no method of HTTP: methods={list(given)!r}", source)
        if name.upper() not in _REGISTERED and (hint := nearest(name, ALL_METHODS)):
            raise SetupError(f"there is no method {name!r}{hint}", source)
    return tuple(name.upper() for name in found)


def _content_types(given: Sequence[str], source: str) -> tuple[str, ...]:
    """The media types that a route takes; none for all.

    Raises:
        SetupError: they are no list, or one is no media type.
    """
    if isinstance(given, list | tuple | set | frozenset) and not given:
        return ()
    for name in (found := _listed(given, "content_types", '["application/json"]', source)):
        if "/" not in name:
            raise SetupError(f"{name!r} is no media type: content_types={list(given)!r}", source)
    return found


def _listed(given: Sequence[str], name: str, example: str, source: str) -> tuple[str, ...]:
    is_list = isinstance(given, list | tuple | set | frozenset)
    if not is_list or not given or not all(isinstance(each, str) for each in given):
        raise SetupError(f"{name} is a list: {name}={example}, not {name}={given!r}", source)
    return tuple(given)
