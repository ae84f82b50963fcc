"""Decides which routes of an app answer: the highest rank wins, `app.unroute` removes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from atila.errors import HTTPError, SetupError, caller
from atila.routing.router import Route

if TYPE_CHECKING:
    from atila import Atila, Was


def ranked(routes: Iterable[Route], unrouted: Mapping[str, int]) -> list[Route]:
    """The routes that answer, in the order of their precedence.

    Args:
        routes: all routes of an app.
        unrouted: patterns of rules that are not to answer, with the status to answer instead.
    """
    kept = []
    for route in sorted(routes, key=lambda route: -route.rank):
        status = next((code for rule, code in unrouted.items() if fnmatchcase(route.rule, rule)), 0)
        if not status:
            kept.append(route)
        elif status != 404:
            kept.append(_refusing(route, status))
    return kept


def _refusing(route: Route, status: int) -> Route:
    def refuse(was: Was, /, **params: Any) -> None:
        raise HTTPError(status)

    return replace(route, handler=refuse, options={}, content_types=())


def unroute(app: Atila, pattern: str, response_code: int = 404) -> None:
    """Have a rule not answered any more, or never, if it is still to come from a package.

    Args:
        app: the app.
        pattern: the rule with its mount point in the app: "/users/<int:id>"; "*" stands for any
            text: "/firebase/*".
        response_code: the status to answer with instead.

    Raises:
        SetupError: the pattern does not begin with a slash, or the code is no error.
    """
    if not pattern.startswith("/") and pattern != "":
        raise SetupError(f'the rule {pattern!r} must begin with a slash: "/{pattern}"', caller())
    if not 400 <= response_code < 600:
        raise SetupError(f"{response_code} is no status of an error: 400 to 599", caller())
    app.unrouted[pattern] = response_code
    if app.mounting.is_done:
        app.compile_routes()
