"""Atila: web back ends of plain functions, concurrent when they ask for it."""

from typing import Any

from atila.app import Atila
from atila.context import current
from atila.engines.skitai import register
from atila.errors import HTTPError, MissingLayer, SetupError
from atila.exchange import ClientGone, Exchange
from atila.layers import PROTOCOL, Layer, Steps
from atila.response import ANSWERED
from atila.site import Mount, Site
from atila.was import Was

# What launch scripts expect of the `skitai` module, whichever of the two is imported first.
register()

__all__ = [
    "ANSWERED",
    "PROTOCOL",
    "Atila",
    "ClientGone",
    "Exchange",
    "HTTPError",
    "Layer",
    "MissingLayer",
    "Mount",
    "SetupError",
    "Site",
    "Steps",
    "Was",
    "current",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("atila-core")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
