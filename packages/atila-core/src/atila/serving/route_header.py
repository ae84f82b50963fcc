"""Reports the route that answered to a test that asks, for the API reference.

Only in development and under test, and only to a client on the same machine. A route that is
mounted in production does not even have the step that this adds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from atila.http.loopback import is_local
from atila.layers import Steps

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.exchange import Header

ASK = "x-atila-docs"
"""Request header: the client wants to know."""
ANSWER = "x-atila-route"
"""Response header: the route, as JSON in ASCII."""
VARIABLE = "ATILA_DOCS"
"""Environment variable that `pytest --docs` sets, for the servers that its tests start too."""


def steps(app: Atila) -> Steps | None:
    """The steps that add the header to a route's answers; None where nobody asked for it."""
    wanted = app.debug or VARIABLE in os.environ or os.environ.get("SKITAIENV") == "PYTEST"
    return Steps(headers=_tell, loop_safe=True) if wanted else None


def _tell(was: Was) -> Sequence[Header]:
    exchange = was.exchange
    if exchange.header(ASK) is None or not is_local(exchange):
        return ()
    return [(ANSWER, json.dumps(about(was)))]


def about(was: Was) -> dict[str, Any]:
    """The value of the header for the route of a request."""
    endpoint = was.endpoint
    return {
        "rule": (was.app.mount_prefix + endpoint.route.rule) or "/",
        "name": endpoint.route.name,
        "parameters": endpoint.params,
        "authorization": endpoint.security,
    }
