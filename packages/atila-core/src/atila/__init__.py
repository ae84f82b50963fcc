"""Atila: web back ends of plain functions, concurrent when they ask for it."""

from typing import TYPE_CHECKING, Any

from atila.app.application import Atila
from atila.errors import HTTPError, MissingLayer, SetupError
from atila.http.exchange import ClientGone, Exchange
from atila.http.response import ANSWERED
from atila.layers import PROTOCOL, Layer, Parts, Steps, made
from atila.routing.router import Route
from atila.runtime.context import current
from atila.serving.endpoint import Endpoint
from atila.serving.site import Mount, Site
from atila.skitai import register
from atila.was import Was

# What launch scripts expect of the `skitai` module, whichever of the two is imported first.
register()

__all__ = [
    "ANSWERED",
    "PROTOCOL",
    "Atila",
    "ClientGone",
    "Endpoint",
    "Exchange",
    "HTTPError",
    "Layer",
    "MissingLayer",
    "Mount",
    "Parts",
    "Route",
    "SetupError",
    "Site",
    "Steps",
    "Was",
    "current",
    "made",
]


if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("atila-core")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
