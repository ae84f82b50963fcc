"""Atila: web back ends of plain functions, concurrent when they ask for it."""

from typing import TYPE_CHECKING, Any

from atila.app.application import Atila
from atila.errors import HTTPError, MissingLayer, SetupError, SharedUnavailable
from atila.http.events import Event, EventStream
from atila.http.exchange import ClientGone, Exchange
from atila.http.response import ANSWERED
from atila.http.uploads import Upload
from atila.layers import PROTOCOL, Layer, Parts, Steps, made
from atila.routing.router import Route
from atila.runtime.context import current
from atila.runtime.keeping import kept
from atila.serving.apps import Mount
from atila.serving.endpoint import Endpoint
from atila.serving.providers import PROVIDED
from atila.serving.site import Site
from atila.skitai import register
from atila.validation.markers import Body, Cookie, Header, Query
from atila.was import Was

# What launch scripts expect of the `skitai` module, whichever of the two is imported first.
register()

__all__ = [
    "ANSWERED",
    "PROTOCOL",
    "PROVIDED",
    "Atila",
    "Body",
    "ClientGone",
    "Cookie",
    "Endpoint",
    "Event",
    "EventStream",
    "Exchange",
    "HTTPError",
    "Header",
    "Layer",
    "MissingLayer",
    "Mount",
    "Parts",
    "Query",
    "Route",
    "SetupError",
    "SharedUnavailable",
    "Site",
    "Steps",
    "Upload",
    "Was",
    "current",
    "kept",
    "made",
    "site_of",
]


def site_of(target: str) -> Site:
    """The site of a launch script, or of an app in a module, which begins to serve in this process.

    Args:
        target: "serve.py", or "package.module:app".

    Raises:
        SetupError: there is no such script, module or app, or it has a mistake in it.
    """
    # Whoever only uses apps needs nothing of what starts them.
    from atila.launch import script

    script.read(target)
    return script.build_site()


if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("atila-core")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
