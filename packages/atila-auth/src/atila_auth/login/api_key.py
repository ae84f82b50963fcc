"""API keys: a header, a field of the query or a cookie, which the app's handler checks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atila import HTTPError, SetupError
from atila.errors import source_of
from atila.typevars import Function
from atila_auth import authorization_header
from atila_auth.declarations import checked, state_of
from atila_auth.login.challenges import challenge_with
from atila_auth.login.verdict import NOBODY, asked

if TYPE_CHECKING:
    from atila import Atila, Was

_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where clients send their API key.

    Attributes:
        where: "header", "query" or "cookie".
        name: its name there.
    """

    where: str
    name: str

    def read(self, was: Was) -> str:
        """The key of a request; "" if there is none.

        Raises:
            HTTPError: 400, the query has several.
        """
        if self.where == "header":
            return was.exchange.header(self.name.lower()) or ""
        if self.where == "cookie":
            return str(was.cookie.get(self.name) or "")
        key = was.request.URL_QUERY.get(self.name, "")
        if not isinstance(key, str):
            raise HTTPError(400, f"parameter {self.name!r} is there more than once")
        return key


def api_key_handler(
    app: Atila, *, header: str = "", query: str = "", cookie: str = ""
) -> Callable[[Function], Function]:
    """Check the API keys of routes with authenticate="api_key" by a function: handler(was, key).

        @app.api_key_handler(header="X-API-Key")
        def key(was, key):
            was.request.user = owners.get(key)

    It sets `was.request.user` or raises an error; its result means the same as that of a permission
    handler. A request without a key is answered 401, and the function is not asked.

    Args:
        app: the app.
        header: the name of the header that has the key.
        query: or the name of a field of the query, which is written to logs of all kinds.
        cookie: or the name of a cookie.

    Raises:
        SetupError: there is no place for it, or more than one, or the name is none; or the function
            cannot be called with two arguments.
    """
    places = {"header": header, "query": query, "cookie": cookie}
    given = [Place(where, name) for where, name in places.items() if name]

    def decorate(function: Function) -> Function:
        if len(given) != 1 or not _NAME.fullmatch(given[0].name):
            raise SetupError(
                'say where the key is: @app.api_key_handler(header="X-API-Key"), or query= or'
                " cookie=",
                source_of(function),
            )
        handler = checked(app, function, "api_key_handler(was, key)")
        state_of(app).api_key = ApiKey(given[0], handler)
        return function

    return decorate


class ApiKey:
    """The step of routes that require an API key.

    Args:
        place: where the key is.
        handler: (was, key), sets `was.request.user`.
    """

    loop_safe = False

    def __init__(self, place: Place, handler: Callable[..., Any]) -> None:
        self.place = place
        self._handler = handler
        self._challenge = ""

    def of_realm(self, realm: str) -> ApiKey:
        """The same for a realm of users."""
        quoted = authorization_header.quoted
        self._challenge = f"ApiKey realm={quoted(realm)}, {self.place.where}={self.place.name}"
        return self

    def __call__(self, was: Was) -> Any:
        """Set `was.request.user`.

        Raises:
            HTTPError: 401, the key is missing or not accepted.
        """
        try:
            key = self.place.read(was)
            if not key:
                raise HTTPError(401, NOBODY)
            return asked(was, self._handler, key)
        except HTTPError as error:
            challenge_with(error, self._challenge)
            raise


def compiled(app: Atila, realm: str, source: str) -> ApiKey:
    """The step for an app.

    Raises:
        SetupError: there is no handler of API keys.
    """
    step = state_of(app).api_key
    if step is None:
        raise SetupError(
            'no function checks API keys: write @app.api_key_handler(header="X-API-Key") over'
            " def api_key_handler(was, key)",
            source,
        )
    return step.of_realm(realm)
