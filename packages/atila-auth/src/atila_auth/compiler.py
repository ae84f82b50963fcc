"""The steps that access control adds to a route; none to one that asks for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atila import Steps
from atila_auth import (
    authentication,
    cors,
    csrf,
    keys,
    permissions,
    ratelimit,
    revocations,
    sealed_cookie,
)
from atila_auth.state import check_declared

if TYPE_CHECKING:
    from atila import Atila
    from atila.layers import Before
    from atila.routing import Route


def compile_route(route: Route, app: Atila) -> Steps | None:
    """The steps of a route, in this order: preflights, which carry no credentials; rate limits, so
    that nobody guesses passwords at will; who asks; limits of users; whether he may; CSRF tokens.

    Raises:
        SetupError: something that the route or the app asks for makes no sense.
    """
    keys.check(app)
    revocations.check(app)
    sealed_cookie.check(app)
    check_declared(app)
    opening = cors.compile_route(route, app)
    asking = _asking(route, app)
    if not asking:
        return opening
    is_safe = all(getattr(step, "loop_safe", False) for step in asking)
    if opening is None:
        return Steps(before=asking, loop_safe=is_safe)
    return Steps(before=[*opening.before, *asking], headers=opening.headers, loop_safe=is_safe)


def _asking(route: Route, app: Atila) -> list[Before]:
    """The steps that may refuse a request; one with a true `loop_safe` never blocks."""
    first, last = ratelimit.compile_route(route, app)
    steps = [
        *first,
        authentication.compile_route(route, app),
        *last,
        permissions.compile_route(route, app),
        csrf.compile_route(route, app),
    ]
    return [step for step in steps if step is not None]
