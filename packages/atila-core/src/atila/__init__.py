"""Atila: web back ends of plain functions, concurrent when they ask for it."""

from atila.app import Atila
from atila.errors import HTTPError, MissingLayer, SetupError
from atila.exchange import ClientGone, Exchange
from atila.layers import PROTOCOL, Layer, Steps
from atila.response import ANSWERED
from atila.site import Mount, Site
from atila.was import Was, current

__version__ = "1.0.0a1"

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
