"""Compiles the routes of an app when it is mounted: endpoints, the router, pages of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from atila import layers
from atila.errors import setup_step
from atila.http.methods import READING
from atila.layers import Parts, Steps
from atila.monitoring import health
from atila.routing import notes, precedence
from atila.routing.resources import Resources
from atila.routing.router import Route, names_of, parse_rule
from atila.serving import route_header
from atila.serving.endpoint import Endpoint

if TYPE_CHECKING:
    from atila import Atila, Was


def compile_all(app: Atila) -> None:
    """Fill an app's router and resources, and have its layers mounted.

    Raises:
        SetupError: a route or a setting has a mistake in it.
    """
    with setup_step():
        app.providers.check()
        for function in _called_beside_requests(app):
            app.providers.check_context(function)
    routes = precedence.ranked(app.routes, app.unrouted)
    for route in routes:
        with setup_step():
            compile_route(app, route)
    app.resources = Resources(routes)
    for add in (_add_openapi, _add_metrics, _add_health):
        with setup_step():
            add(app)
    found: dict[str, Parts] = {}
    for name, layer in app.layers.items():
        if layer.mount is not None:
            with setup_step():
                if (parts := layer.mount(app)) is not None:
                    found[name] = parts
    with setup_step():
        app.providers.check_takers()
    app.parts = list(found.values())
    with setup_step():
        app.calls = layers.merged(((n, p.calls) for n, p in found.items()), "calls")
        app.calls_on_routes = frozenset(
            media
            for media, find in app.calls.items()
            if media != "*" and not hasattr(find, "yields_to_routes")
        )
    with setup_step():
        # Refusals run through an endpoint too, for its hooks and error pages.
        given = [each.headers for each in app.parts if each.headers is not None]
        steps = [Steps(headers=headers) for headers in given]
        rejection = Endpoint(app, Route("", _refused), steps)
        app.rejection = rejection.derived(blocking=not app.loop_safe)


def _called_beside_requests(app: Atila) -> Iterator[Callable[..., Any]]:
    """Functions that get the context first, besides handlers and hooks."""
    for listeners in app.bus.snapshot().values():
        yield from listeners
    yield from (job.function for job in app.jobs.values())
    yield from app.readiness.values()


def _add_openapi(app: Atila) -> None:
    if app.config.OPENAPI_PATH is None:
        return
    from atila.openapi import page

    for route in page.routes(app):
        _add_own(app, endpoint_for(app, route))


def _add_metrics(app: Atila) -> None:
    if app.config.METRICS_PATH is not None:
        from atila.monitoring import metrics

        _add_own(app, endpoint_for(app, metrics.route(app)).unlogged())


def _add_health(app: Atila) -> None:
    for route in health.routes(app):
        _add_own(app, Endpoint(app, route, ()).unlogged().without_hooks())


def _add_own(app: Atila, endpoint: Endpoint) -> None:
    app.router.add(endpoint.route.rule, endpoint, READING)


def compile_route(app: Atila, route: Route) -> None:
    """Add a route to an app's router, with its answer to OPTIONS.

    Raises:
        SetupError: it has a mistake in it, or another route answers the same.
    """
    route.provided = app.providers.names_for(route)
    endpoint = app.compiled[id(route)] = endpoint_for(app, route)
    methods = set(route.methods)
    if "GET" in methods and not endpoint.websocket:
        methods.add("HEAD")
    rule = route.rule or ("" if app.mount_prefix else "/")
    leaves = app.router.add(rule, endpoint, methods, endpoint.optional, route.source)
    names = names_of(parse_rule(rule))
    for leaf in leaves:
        if leaf.options is None:
            leaf.options = (endpoint_for(app, _options_route(route)), names, ())
        names = names[:-1]


def endpoint_for(app: Atila, route: Route) -> Endpoint:
    """The endpoint of a route, with the app's hooks and its layers' steps."""
    hooks = Steps(before=app.hooks.before, after=app.hooks.finish)
    steps = [
        step
        for layer in app.layers.values()
        if layer.compile is not None and (step := layer.compile(route, app)) is not None
    ]
    if (telling := route_header.steps(app)) is not None:
        steps.append(telling)
    return Endpoint(app, route, [*steps, hooks, *notes.of(route.handler, Steps)])


def _refused(was: Was) -> None:
    """Never called: a refusal is raised before the handler."""


def _options_route(route: Route) -> Route:
    """The route that answers OPTIONS where nobody wrote one (RFC 9110, section 9.3.7)."""

    def options(was: Was, /, **params: Any) -> Any:
        allowed = was.app.router.allowed(was.exchange.path[len(was.app.mount_prefix) :])
        return was.response(204, None, [("allow", ", ".join(allowed))])

    return Route(route.rule, options, ("OPTIONS",), (), {}, "", route.source, automatic=True)
