"""Where the value of a parameter comes from, said in its annotation.

def search(was, token: Annotated[str, Header("x-token")], page: Annotated[int, Query()]): ...
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marker:
    """The part of a request that a parameter is taken from, and from no other.

    Args:
        name: its name there; the subclasses document the default.
    """

    name: str = ""


class Header(Marker):
    """A header of the request; if not named, the parameter's own name with "-" for "_". A list has
    its elements separated by commas (RFC 9110, section 5.6.1)."""


class Cookie(Marker):
    """A cookie of the client; if not named, that of the parameter's name."""


class Query(Marker):
    """A field of the query string; if not named, that of the parameter's name. A model without a
    name takes the whole query."""


class Body(Marker):
    """A field of the body, JSON or form, by its name; if not named, the whole body as one value:
    bytes as they were sent, a str of a text, anything else of JSON or of a form."""
