"""Subprotocols of WebSockets (RFC 6455, section 1.9): checks those of a route, chooses one."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from atila import HTTPError

HEADER = "sec-websocket-protocol"

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def problem(protocols: Any) -> str:
    """The fault of `protocols=` of a route; "" for none."""
    if protocols is None:
        return ""
    if not isinstance(protocols, list | tuple) or not protocols:
        return (
            f"protocols={protocols!r} of @app.websocket must be a list of the subprotocols that the"
            ' handler speaks: ["graphql-transport-ws"]'
        )
    for name in protocols:
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            return (
                f"{name!r} in protocols of @app.websocket is no name of a subprotocol: letters,"
                " digits and !#$%&'*+-.^_`|~"
            )
        if protocols.count(name) > 1:
            return f"protocols of @app.websocket has {name!r} twice"
    return ""


def choose(offered: str | None, known: Collection[str]) -> str | None:
    """The first protocol of a client's list that a route speaks: the list is in the order of the
    client's preference (RFC 6455, section 4.1).

    Args:
        offered: the client's Sec-WebSocket-Protocol; None if it sent none.
        known: the protocols of the route. Their case matters.

    Returns:
        The protocol; None if the client asks for none.

    Raises:
        HTTPError: 400, the header is malformed, or has no protocol that the route speaks.
    """
    if offered is None:
        return None
    # Empty members of a list are passed over (RFC 9110, section 5.6.1.2).
    names = [name for part in offered.split(",") if (name := part.strip(" \t"))]
    if not names or len(set(names)) < len(names) or not all(map(_TOKEN.fullmatch, names)):
        raise HTTPError(400, "malformed Sec-WebSocket-Protocol")
    for name in names:
        if name in known:
            return name
    # Browsers and most other clients drop a connection without the protocol that they asked for.
    raise HTTPError(400, f"the WebSocket subprotocols here are {', '.join(known)}")
