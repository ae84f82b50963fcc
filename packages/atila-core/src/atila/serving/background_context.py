"""Contexts without a request of their own, for events and maintenance.

The first have all of `was` but the request, whose attributes raise an error that says so. The
second have the request of another context, with a response of their own that is never sent.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from atila.http.exchange import Exchange, Headers
from atila.routing.router import Route
from atila.runtime import after_answer
from atila.serving.endpoint import Endpoint

if TYPE_CHECKING:
    from atila import Atila, Was

_OF_REQUESTS = frozenset(
    {"method", "path", "query", "body", "scheme", "version", "client", "server"}
)


class NoRequest(Exchange):
    """Stands where a request would be."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name in _OF_REQUESTS:
            raise RuntimeError(
                f"there is no request here, so nothing has a {name}: this context belongs to an"
                " event or a maintenance job"
            )
        return super().__getattribute__(name)

    def header(self, name: str) -> str | None:
        """None."""
        return None

    def headers(self) -> Headers:
        """No headers."""
        return []


def context(app: Atila) -> Was:
    """A context of an app without a request."""
    was = app.was_class()._begin(NoRequest(), Endpoint(app, Route("", _idle), ()), {})
    was.__dict__["after"] = partial(after_answer.at_once, was)
    return was


def _idle(was: Was) -> None:
    """Never called: an endpoint wants a handler."""


def observer(was: Was) -> Was:
    """A context that sees a request as `was` does, `was.request.g` included, but cannot answer."""
    seen = type(was)()._begin(was.exchange, was.endpoint, was.path_params)
    seen._request = was.request
    seen._request_id = was.request_id
    seen.__dict__["after"] = partial(after_answer.at_once, seen)
    return seen
