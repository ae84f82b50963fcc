"""Building URLs: `was.urlfor`, `was.urlpatch`, `was.baseurl`, `was.static`, `was.media`.

The router finds the same route with the same values for a built URL, or building fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from atila.routing.router import CONVERTERS, Route, Segment, names_of, parse_rule
from atila.routing.signature import Signature

if TYPE_CHECKING:
    from atila import Atila, Was

Resource = str | Callable[..., Any]
"""A function with a route, its name ("sub.pages.toc"), or that in another app ("shop:cart")."""

STATIC_URL = "/static"
MEDIA_URL = "/media"
"""Where static and media files are, if no preference says otherwise."""

_SAFE = "@:!$&'()*+,;=~"
"""Characters that a path segment may have unquoted, beside those that `quote` leaves (RFC 3986,
section 3.3).
"""


def urlfor(was: Was, resource: Resource, /, *args: Any, **params: Any) -> str:
    """The path of a resource: was.urlfor("sub.pages.toc", chapter=1).

    Args:
        was: the context.
        resource: a function or its name; "shop:cart" of the app that is mounted as "shop". A text
            that begins with a slash stands for itself.
        args: values of parameters in order: those of the rule, then the others of the function.
        params: values of parameters by name; those that the rule does not have go into the query.
            None leaves one out.

    Returns:
        The path with the mount point and the prefix of a proxy or an outer app, and the query.

    Raises:
        LookupError: there is no such resource, or no such app.
        TypeError: a parameter is missing, unknown or given twice.
        ValueError: a value does not fit into its place in the path.
    """
    if isinstance(resource, str) and resource.startswith("/"):
        return _with_query(resource, _numbered(args, params, resource))
    app, found = resolve(was, resource)
    return was.exchange.prefix_quoted + build(app, found, args, params)


def urlpatch(was: Was, resource: Resource | None = None, /, **params: Any) -> str:
    """The URL of this request, or of another resource with its parameters, some of them changed.

    Args:
        was: the context.
        resource: see `urlfor`; None for that of this request.
        params: the parameters that change; None leaves one out.

    Raises:
        LookupError, TypeError, ValueError: as `urlfor`.
    """
    if resource is None:
        app, routes = was.app, [was.endpoint.route]
    else:
        app, routes = resolve(was, resource)
    present = was.request.URL
    shapes = [shape_of(route) for route in routes]
    known = {name for shape in shapes for name in shape.names}
    if not any(shape.takes_any for shape in shapes):
        present = {name: value for name, value in present.items() if name in known}
    return was.exchange.prefix_quoted + build(app, routes, (), {**present, **params})


def baseurl(was: Was, resource: Resource) -> str:
    """The path of a resource up to its first parameter: "/pages/toc/" of /pages/toc/<int:chapter>.

    Raises:
        LookupError: as `urlfor`.
    """
    if isinstance(resource, str) and resource.startswith("/"):
        return resource
    app, routes = resolve(was, resource)
    path = was.exchange.prefix_quoted + _prefix(app)
    for segment in shape_of(routes[0]).segments:
        if segment.kind:
            return path + "/"
        path += "/" + quote(segment.text, safe=_SAFE)
    return path or "/"


def static(was: Was, path: str = "") -> str:
    """The URL of a static file: was.static("img/logo.png").

    Args:
        was: the context.
        path: below the setting STATIC_URL; one that begins with a slash is the URL itself.
    """
    return _file_url(was, was.app.config.get("STATIC_URL", STATIC_URL), path)


def media(was: Was, path: str = "") -> str:
    """The URL of a media file; see `static`, with the setting MEDIA_URL."""
    return _file_url(was, was.app.config.get("MEDIA_URL", MEDIA_URL), path)


def _file_url(was: Was, base: str, path: str) -> str:
    quoted = quote(path, safe="/" + _SAFE)
    if path.startswith("/"):
        return quoted
    # The files may be on another host.
    ours = base.startswith("/") and not base.startswith("//")
    return f"{was.exchange.prefix_quoted if ours else ''}{base.rstrip('/')}/{quoted}"


def resolve(was: Was, resource: Resource) -> tuple[Atila, list[Route]]:
    """The app of a resource, and its routes.

    Raises:
        LookupError: there is no such app, or no such resource.
    """
    app = was.app
    if isinstance(resource, str):
        name, colon, rest = resource.partition(":")
        if colon:
            app, resource = was.site.apps[name], rest
    return app, app.resources.find(resource)


def build(app: Atila, routes: list[Route], args: tuple[Any, ...], params: Mapping[str, Any]) -> str:
    """The path of that of some routes which the parameters fit, and its query.

    The route with the most parameters in its path is tried first, so that
    both /users and /users/<int:id> can be routes of one function.
    """
    ordered = sorted(routes, key=lambda route: -len(shape_of(route).in_rule))
    for number, route in enumerate(ordered):
        try:
            path, rest = _build(route, args, params)
            return _with_query(_prefix(app) + path or "/", rest)
        except TypeError:
            if number == len(ordered) - 1:
                raise
    raise LookupError("no routes")


def _prefix(app: Atila) -> str:
    return quote(app.mount_prefix, safe="/" + _SAFE)


@dataclass(frozen=True, slots=True)
class _Shape:
    """The parameters of a route.

    Attributes:
        segments: its rule.
        in_rule: the parameters in its rule.
        names: these, and then the others of the function.
        optional: the number of parameters at the end of the rule that may be left out.
        takes_any: the function takes parameters of any name.
    """

    segments: tuple[Segment, ...]
    in_rule: tuple[str, ...]
    names: tuple[str, ...]
    optional: int
    takes_any: bool


def shape_of(route: Route) -> _Shape:
    """The parameters of a route; computed once."""
    return _shape(route.rule, route.handler, route.provided)


@lru_cache(maxsize=4096)
def _shape(rule: str, handler: Callable[..., Any], provided: tuple[str, ...]) -> _Shape:
    route = Route(rule, handler, provided=provided)
    signature, segments = Signature(route), tuple(parse_rule(rule))
    in_rule = names_of(segments)
    names = tuple(dict.fromkeys([*in_rule, *signature.names]))
    # A function of `was` alone reads was.request.args, so it may take anything.
    takes_any = signature.takes_any or not names
    return _Shape(segments, in_rule, names, signature.optional_tail(route), takes_any)


def _build(
    route: Route, args: tuple[Any, ...], params: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    shape = shape_of(route)
    values = _by_name(route, shape, args, params)
    segments, optional = shape.segments, shape.optional
    path = ""
    for number, segment in enumerate(segments):
        if not segment.kind:
            path += "/" + quote(segment.text, safe=_SAFE)
        elif values.get(segment.text) is not None:
            path += "/" + _quoted(segment, values.pop(segment.text), route)
        elif number >= len(segments) - optional:
            _check_rest_is_absent(segments[number:], values, route)
            break
        else:
            raise TypeError(f"{_title(route)} needs the parameter {segment.text!r}")
    return path, values


def _by_name(
    route: Route, shape: _Shape, args: tuple[Any, ...], params: Mapping[str, Any]
) -> dict[str, Any]:
    order = shape.names
    if len(args) > len(order):
        raise TypeError(f"{_title(route)} has {len(order)} parameters, {len(args)} are given")
    values = dict(zip(order, args, strict=False))
    for name, value in params.items():
        if name in values:
            raise TypeError(f"{_title(route)} is given the parameter {name!r} twice")
        if name not in order and not shape.takes_any:
            raise TypeError(f"{_title(route)} has no parameter {name!r}; it has {', '.join(order)}")
        values[name] = value
    return values


def _check_rest_is_absent(rest: Sequence[Segment], values: dict[str, Any], route: Route) -> None:
    for segment in rest:
        if values.pop(segment.text, None) is not None:
            raise TypeError(
                f"{_title(route)} needs the parameter {rest[0].text!r} before {segment.text!r}"
            )


def _quoted(segment: Segment, value: Any, route: Route) -> str:
    """A value as it stands in the path.

    Raises:
        ValueError: the router would not give it back.
    """
    text = _text(value)
    parts = text.split("/") if segment.kind == "path" else [text]
    fits = CONVERTERS[segment.kind](text) is not None and (
        segment.kind == "path" or "/" not in text
    )
    # Clients and proxies resolve dots, quoted or not, before a server sees them.
    if not fits or any(part in (".", "..") for part in parts):
        raise ValueError(
            f"{value!r} cannot stand for <{segment.kind}:{segment.text}> in {route.rule!r}"
        )
    return "/".join(quote(part, safe=_SAFE) for part in parts)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isfinite(value):
        return format(Decimal(repr(value)), "f")
    return str(value)


def _with_query(path: str, values: Mapping[str, Any]) -> str:
    given: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, list | tuple):
            given[name] = [_text(each) for each in value]
        elif value is not None:
            given[name] = _text(value)
    query = urlencode(given, doseq=True)
    if not query:
        return path
    return f"{path}{'&' if '?' in path else '?'}{query}"


def _numbered(args: tuple[Any, ...], params: dict[str, Any], path: str) -> dict[str, Any]:
    if args:
        raise TypeError(f"{path!r} has no parameters; give those of the query by name")
    return params


def _title(route: Route) -> str:
    return f"{route.name or 'the resource'} ({route.rule or '/'})"
