"""CORS (Cross-Origin Resource Sharing): answers to pages of other origins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from atila import Parts, Steps
from atila.routing.router import Route
from atila_auth.protection.cors_policy import Policy, policy_of

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.http.exchange import Header, Headers


def compile_route(route: Route, app: Atila) -> Steps | None:
    """The steps of a route; None if it and the app allow no other origin anything.

    Raises:
        SetupError: a setting is wrong.
    """
    policy = policy_of(route, app)
    # Core's own OPTIONS route answers for all methods of a path, and each may have a policy.
    if not route.automatic and (policy is None or "OPTIONS" not in route.methods):
        return Steps(headers=Cors(policy)) if policy is not None else None
    cors = PreflightCors(policy)
    return Steps(before=[cors.preflight], headers=cors, loop_safe=True)


class Cors:
    """Gives the headers of an endpoint's answers, errors too.

    Args:
        policy: the policy of the endpoint; None if it has none.
    """

    def __init__(self, policy: Policy | None) -> None:
        self.policy = policy

    def __call__(self, was: Was) -> Headers:
        policy = self.policy
        # Two such headers would make a browser refuse the answer: one set by hand wins.
        if policy is None or "access-control-allow-origin" in was.response:
            return []
        origin = was.exchange.header("origin")
        headers = policy.origin_headers(origin)
        if policy.expose_headers and origin is not None and policy.allows(origin):
            headers.append(("access-control-expose-headers", ", ".join(policy.expose_headers)))
        return headers


class PreflightCors(Cors):
    """The same of an endpoint that answers OPTIONS, so preflights as well.

    A preflight asks for another method of the path, whose policy may be another.
    """

    def __call__(self, was: Was) -> Headers:
        # The preflight's own answer is complete; this adds to answers of the handler only.
        return [] if _wanted(was) else super().__call__(was)

    def preflight(self, was: Was) -> Any:
        """Answer a preflight; None for any other request.

        An origin that is not allowed gets 403 without any of the headers, as the Fetch standard
        (3.3.3, HTTP responses) encourages for servers that take no part in the protocol, and as
        Spring and Tomcat do. The missing headers would do for browsers; the status shows people the
        cause.

        Raises:
            HTTPError: 403, the origin is not allowed.
        """
        wanted = _wanted(was)
        if not wanted:
            return None
        match = was.app.router.match(_path(was), wanted)
        policy = _policy_of(match.endpoint) if match is not None else self.policy
        if policy is None:
            return None
        origin = was.exchange.header("origin") or ""
        if not policy.allows(origin):
            vary = [("vary", "origin")]
            raise was.Error(403, f"the origin {origin} may not use this", 0, vary)
        methods = match.endpoint.route.methods if match is not None else _methods(was)
        return was.response(204, None, _preflight_headers(was, policy, origin, methods))


class RefusalCors(Cors):
    """Gives the headers of answers to requests that reach no endpoint: 404, 405, 413, 503, …

    Without them a page that may know what happened sees no more than a failure.
    """

    def __call__(self, was: Was) -> Headers:
        match = was.app.router.match(_path(was), was.exchange.method)
        cors = self if match is None else Cors(_policy_of(match.endpoint))
        return Cors.__call__(cors, was)


def mount(app: Atila) -> Parts | None:
    """The CORS headers of an app's refusals; None if neither it nor a route of it is open.

    Raises:
        SetupError: a setting of the app is wrong.
    """
    policy = policy_of(Route("", mount), app)
    if policy is None and not any(_policy_of(endpoint) for endpoint in app.endpoints):
        return None
    return Parts(headers=RefusalCors(policy))


def _wanted(was: Was) -> str:
    """The method that a preflight asks for; "" if the request is none (Fetch, section 4.8)."""
    exchange = was.exchange
    if exchange.method != "OPTIONS" or exchange.header("origin") is None:
        return ""
    return exchange.header("access-control-request-method") or ""


def _path(was: Was) -> str:
    return was.exchange.path[len(was.app.mount_prefix) :]


def _methods(was: Was) -> Sequence[str]:
    return was.app.router.allowed(_path(was))


def _policy_of(endpoint: Any) -> Policy | None:
    """The policy that an endpoint was compiled with."""
    return next((step.policy for step in endpoint.headers if isinstance(step, Cors)), None)


def _preflight_headers(
    was: Was, policy: Policy, origin: str, methods: Sequence[str]
) -> Sequence[Header]:
    headers = policy.origin_headers(origin)
    headers.append(("access-control-allow-methods", ", ".join(methods)))
    asked = was.exchange.header("access-control-request-headers")
    if policy.allow_headers:
        headers.append(("access-control-allow-headers", ", ".join(policy.allow_headers)))
    elif asked:
        # "*" would not do: it does not stand for Authorization, nor for any with credentials.
        headers.append(("access-control-allow-headers", asked))
        headers.append(("vary", "access-control-request-headers"))
    if policy.max_age is not None:
        headers.append(("access-control-max-age", str(policy.max_age)))
    return headers
