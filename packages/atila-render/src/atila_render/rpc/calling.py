"""Calls handlers by name within a request that carries one or more calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from atila import HTTPError
from atila.http.response import ANSWERED, FileBody, Response
from atila.routing.pipe import finish
from atila.routing.router import Match
from atila.routing.urls import shape_of
from atila.runtime import after_answer, spans
from atila.runtime.context import current
from atila.runtime.offload import in_worker
from atila.serving.error_pages import log_report
from atila.serving.provision import Part
from atila.serving.responders import resolved
from atila_render.data.api import Payload
from atila_render.rpc.faults import INVALID_PARAMS, METHOD_NOT_FOUND, CallFault, log

if TYPE_CHECKING:
    from atila import Atila, Was
    from atila.layers import After
    from atila.serving.endpoint import Endpoint

Params = Sequence[Any] | Mapping[str, Any]


def find(app: Atila, name: str) -> Match:
    """The endpoint of a method's name: "sub.add" leads to the path /sub/add below the app's mount
    point, or else to the resource of that name.

    Raises:
        CallFault: no such method answers POST with a plain value.
    """
    match = app.router.match("/" + name.replace(".", "/"), "POST")
    if match is not None and is_callable(match.endpoint):
        return Match(match.endpoint, match.names, match.values)
    try:
        routes = app.resources.find(name)
    except LookupError:
        routes = []
    for route in routes:
        endpoint = app.endpoint_of(route)
        if "POST" in route.methods and is_callable(endpoint):
            return Match(endpoint, ())
    raise CallFault(METHOD_NOT_FOUND, repr(name[:100]))


def is_callable(endpoint: Endpoint) -> bool:
    """Whether an endpoint takes parameters and gives a value."""
    return not (endpoint.websocket or endpoint.streams_body or endpoint.route.automatic)


def names(app: Atila) -> list[str]:
    """The names of all methods, for introspection."""
    found = set()
    for endpoint in app.endpoints:
        route = endpoint.route
        if "POST" not in route.methods or not is_callable(endpoint):
            continue
        name = route.rule.strip("/").replace("/", ".")
        found.add(route.name if "<" in name or not name else name)
    return sorted(name for name in found if name)


def call(was: Was, name: str, params: Params) -> Any:
    """Call a method. In a worker thread.

    Args:
        was: the request that is the envelope.
        name: the name of the method.
        params: the parameters, by position or by name.

    Returns:
        Its value; or an awaitable of it, to be awaited on the task loop.

    Raises:
        CallFault: there is no such method, or it does not take the parameters.
        Exception: whatever the handler raises.
    """
    endpoint, in_path, values = find(was.app, name)
    given = _by_name(endpoint, params)
    if spans.active is None:
        return _called(was, endpoint, in_path, values, given)
    span = spans.active.inner(name, {"rpc.method": name})
    if iscoroutinefunction(endpoint.handler):
        return _awaited_in(span, _called(was, endpoint, in_path, values, given))
    with span:
        return _called(was, endpoint, in_path, values, given)


async def _awaited_in(span: AbstractContextManager[Any], made: Awaitable[Any]) -> Any:
    with span:
        return await made


def _called(
    was: Was,
    endpoint: Endpoint,
    in_path: Sequence[str],
    values: Sequence[Any],
    given: dict[str, Any],
) -> Any:
    inner = _context(was, endpoint, dict(zip(in_path, values, strict=True)), given)
    current.set(inner)
    part = Part(inner) if endpoint.route.provided else None
    works = after_answer.count(was)
    try:
        value, after = endpoint.call(inner, is_text=False)
        if hasattr(type(value), "__await__"):
            return _later(was, inner, value, after, part, works)
        made = _plain(inner, finish(inner, value, after))
    except BaseException as error:
        after_answer.drop(was, works)
        if part is not None:
            part.end(error)
        raise
    if part is not None:
        part.end(None)
    return made


def _by_name(endpoint: Endpoint, params: Params) -> dict[str, Any]:
    if isinstance(params, Mapping):
        return dict(params)
    order = shape_of(endpoint.route).names
    if len(params) > len(order):
        raise CallFault(INVALID_PARAMS, f"{len(order)} are taken, {len(params)} given")
    return dict(zip(order, params, strict=False))


def respond(content_type: str, was: Was, body: bytes) -> bytes:
    """The answer to calls: whatever they set of status and validators is not about this.

    Nothing but notifications is answered with an empty 200, too: clients take no other status.
    """
    response = was.response
    response.set_status(200)
    response.etag, response.mtime = "", None
    response.set_header("content-type", content_type)
    return body


def _context(was: Was, endpoint: Endpoint, in_path: dict[str, Any], params: dict[str, Any]) -> Was:
    """The context of one call, which shares with that of the envelope all but the parameters."""
    inner = was.app.was_class()._begin(was.exchange, endpoint, in_path)
    args = {**in_path, **params}
    inner._args = args
    inner._response = was.response
    inner._request_id = was.request_id
    # What layers have made for one call, as a session, is there for the next.
    inner.__dict__ = was.__dict__
    request = inner.request
    request.user = was.request.user
    empty: dict[str, Any] = {}
    request.__dict__.update(JSON=params, DATA=params, FORM=empty, URL=in_path, URL_QUERY=empty)
    request.__dict__["g"] = was.request.g
    was.response.given_status = 0
    was.on_cancel(inner.cancel)
    return inner


async def _later(
    was: Was, inner: Was, value: Any, after: Sequence[After], part: Part | None, works: int
) -> Any:
    current.set(inner)
    error: BaseException | None = None
    try:
        value = await resolved(inner, value)
        if after:
            value = await in_worker(inner, finish, inner, value, after)
        return _plain(inner, value)
    except BaseException as raised:
        error = raised
        after_answer.drop(was, works)
        raise
    finally:
        if part is not None:
            await part.end_later(error)


def _plain(was: Was, value: Any) -> Any:
    """A handler's answer, as a value.

    Raises:
        HTTPError: it answered with an error.
        TypeError: its answer is no value.
    """
    while isinstance(value, Response | Payload):
        if isinstance(value, Payload):
            value = value.data
            continue
        if value.status_code >= 400:
            raise _answered_error(value)
        value = value.body
    if value is ANSWERED or isinstance(value, FileBody | Iterator):
        raise TypeError(
            f"{was.endpoint.route.name} answered a call with {type(value).__name__}, which is no"
            " value: return a value that XML-RPC and JSON-RPC have types for"
        )
    return value


def _answered_error(response: Response) -> HTTPError:
    body = response.body.data if isinstance(response.body, Payload) else response.body
    fields = body if isinstance(body, dict) else {}
    errno = fields.get("errno", 0)
    return HTTPError(
        response.status_line(),
        str(fields.get("detail", "")),
        errno if isinstance(errno, int) else 0,
    )


Outcome = Callable[["Was", Any], Any]


def in_order(was: Was, calls: Iterable[Any], one: Outcome) -> Any:
    """The outcomes of calls, one after the other; blocking ones run in worker threads.

    Args:
        was: the request.
        calls: the calls.
        one: makes one; gives its outcome or an awaitable of it, and never raises.

    Returns:
        A list, or an awaitable of it.
    """
    rest, outcomes = iter(calls), list[Any]()
    for each in rest:
        outcome = one(was, each)
        if isawaitable(outcome):
            return _rest_in_order(was, outcomes, outcome, rest, one)
        outcomes.append(outcome)
    return outcomes


async def _rest_in_order(
    was: Was, outcomes: list[Any], awaited: Any, rest: Iterator[Any], one: Outcome
) -> list[Any]:
    outcomes.append(await awaited)
    for each in rest:
        outcome = await in_worker(was, one, was, each)
        outcomes.append(await outcome if isawaitable(outcome) else outcome)
    return outcomes


def failed(was: Was, error: Exception) -> None:
    """Log the details of a failed call that clients do not get; and run the app's hooks."""
    if isinstance(error, HTTPError):
        log_report(was, error)
    for hook in was.app.hooks.failed:
        try:
            hook(was, (type(error), error, error.__traceback__))
        except Exception:
            log.exception("request %s: the hook %r failed", was.request_id, hook)
