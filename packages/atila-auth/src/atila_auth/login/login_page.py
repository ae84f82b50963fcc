"""`app.login_page`: sends visitors of pages there who have not logged in, and back from there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from atila import SetupError
from atila.errors import nearest
from atila.http.methods import READING
from atila.http.prefixes import quoted

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.response import Response
    from atila.routing.router import Route

FIELD = "next"
"""The field of the query in which the login page gets the page that was wanted."""
PARAMETER = {
    "name": FIELD,
    "in": "query",
    "description": "The path of the page to go to after the login.",
    "schema": {"type": "string"},
}
"""The same as a Parameter Object of OpenAPI."""
_LONGEST = 2000
# Browsers take "//" and "/\" for the beginning of a host, and leave out tabs and line ends.
_OWN_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x1f\x7f]*")


def after_login(was: Was, default: str | None = None) -> str:
    """The page that a visitor wanted before the login: return was.redirect(was.after_login()).

    It is always a path of this server, so nobody can be sent elsewhere by a link to the login page.

    Args:
        was: the request for the login page, with the query that the visitor was sent there with.
        default: the page of visitors who came by themselves; None for the root of the site.
    """
    wanted = was.request.URL_QUERY.get(FIELD)
    if isinstance(wanted, str) and len(wanted) <= _LONGEST and _OWN_PATH.fullmatch(wanted):
        return wanted
    return was.exchange.prefix_quoted + "/" if default is None else default


class LoginPage:
    """The login page of an app.

    Args:
        resource: its name or path, as `was.urlfor` takes it.
    """

    def __init__(self, resource: str) -> None:
        self._resource = resource

    def sent_there(self, was: Was) -> Response | None:
        """The redirect of a visitor to it; None for a client that asks for no page."""
        exchange = was.exchange
        is_page = "text/html" in (exchange.header("accept") or "").lower()
        if exchange.method not in READING or not is_page:
            return None
        page = was.urlfor(self._resource)
        here = quoted(exchange.full_path)
        if exchange.query:
            here += f"?{exchange.query}"
        if len(here) <= _LONGEST and _OWN_PATH.fullmatch(here):
            page += f"{'&' if '?' in page else '?'}{FIELD}={quote(here, safe='/')}"
        was.response.set_header("cache-control", "no-store")
        return was.redirect(page)


def of(app: Atila, route: Route) -> LoginPage | None:
    """The login page to which a protected route sends visitors; None for none.

    Raises:
        SetupError: there is no such route, or it is this one.
    """
    resource = getattr(app, "login_page", None)
    if not resource:
        return None
    if not isinstance(resource, str):
        raise SetupError(f"app.login_page is {resource!r}, not the name of a route or a path")
    if is_login_page(app, route):
        raise SetupError(
            "the login page asks for a login, so nobody would ever see it", route.source
        )
    if not resource.startswith("/") and ":" not in resource and not _rules(app, resource):
        names = [each.name for each in app.routes if each.name]
        raise SetupError(
            f"app.login_page is {resource!r}, and there is no route of this name"
            f"{nearest(resource, names)}"
        )
    return LoginPage(resource)


def is_login_page(app: Atila, route: Route) -> bool:
    """Whether a route is at the path of the login page."""
    resource = getattr(app, "login_page", None)
    return isinstance(resource, str) and route.rule in _rules(app, resource)


def _rules(app: Atila, resource: str) -> set[str]:
    if resource.startswith("/"):
        return {resource.removeprefix(app.mount_prefix)}
    return {each.rule for each in app.routes if each.name == resource}
