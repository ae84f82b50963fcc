"""The end of a request, by an answer or by an error: hooks that clean up, provided values that are
ended, work that follows the answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from atila.errors import CLIENT_LEFT, HTTPError
from atila.http import close_codes
from atila.http.caching import NotModified
from atila.runtime import after_answer, forks
from atila.runtime.context import HERE, run_in
from atila.runtime.offload import adopt, in_context, uninterrupted
from atila.serving import error_answers, provision, responders
from atila.serving.departures import TaskWatch, Unwatched

if TYPE_CHECKING:
    from atila import Endpoint, Was
    from atila.http.exchange import WebSocketTransport

log = logging.getLogger("atila.app")


def finish(endpoint: Endpoint, was: Was) -> None:
    """End a request that was answered, where its handler ran."""
    _clean_up(endpoint, was)
    if was.cancels is not None:
        was.cancels = None
        if (made := provision.taken(was)) is not None:
            made.end()
        after_answer.start(was)


async def finish_later(endpoint: Endpoint, was: Was, watch: TaskWatch | type[Unwatched]) -> None:
    """End a request that was answered on the task loop."""
    if endpoint.websocket:
        hang_up(was, close_codes.NORMAL)
    if endpoint.teardown:
        await call(endpoint, was, _clean_up, endpoint, was)
    if was.cancels is not None:
        if (made := provision.taken(was)) is not None:
            await run_in(was.variables, made.end_later(), watch)
        after_answer.start(was)


def fail(endpoint: Endpoint, was: Was, error: BaseException) -> Coroutine[Any, Any, None] | None:
    """Answer with an error; never raises. Gives the rest of the work, for the task loop."""
    if forks.is_child:
        forks.end(was, error)
    if isinstance(error, NotModified) and not was.headers_sent:
        responders.send_not_modified(was)
        return _failed(endpoint, was)
    provision.note(was, error)
    if not (was.headers_sent and _is_departure(error)):
        after_answer.drop(was)
    reported = error_answers.reported(was, error)
    for hook in endpoint.app.hooks.failed:
        _guarded(was, hook, was, (type(error), error, error.__traceback__))
    if not was.headers_sent:
        try:
            pending = error_answers.send(was, reported, endpoint)
        except Exception as problem:
            error_answers.send_plain(was, reported, problem)
        else:
            if pending is not None:
                return _send_error_later(endpoint, was, reported, pending)
    elif endpoint.websocket:
        hang_up(was, close_codes.INTERNAL_ERROR)
    return _failed(endpoint, was)


async def fail_later(endpoint: Endpoint, was: Was, error: BaseException) -> None:
    """Answer with an error on the task loop."""
    rest = await call(endpoint, was, fail, endpoint, was, error)
    if rest is not None:
        await rest


async def call(endpoint: Endpoint, was: Was, func: Callable[..., Any], *args: Any) -> Any:
    """Call a function of the app from the task loop, in a worker thread if hooks may block."""
    context = was.variables
    if endpoint.loop_safe and endpoint.app.loop_safe:
        return context.run(func, *args)
    if context is HERE:
        # An error handler: what else runs in threads has its request in a context that they enter.
        context = copy_context()
        try:
            return await uninterrupted(was, in_context(was, context, func, *args))
        finally:
            adopt(context)
    return await uninterrupted(was, in_context(was, context, func, *args))


def _failed(endpoint: Endpoint, was: Was) -> Coroutine[Any, Any, None] | None:
    """End a request that an error has answered; gives what is left to do on the task loop."""
    _clean_up(endpoint, was)
    made = provision.taken(was)
    if made is not None:
        if was.site.loop.is_current():
            return _ended_later(was, made)
        made.end()
    after_answer.start(was)
    return None


async def _ended_later(was: Was, made: provision.Provision) -> None:
    await made.end_later()
    after_answer.start(was)


async def _send_error_later(
    endpoint: Endpoint, was: Was, reported: HTTPError, pending: Awaitable[Any] | None
) -> None:
    """Answer with an awaitable of an error handler."""
    context, watch = was.variables, TaskWatch(was.exchange, was.site.departures)
    try:
        while pending is not None:
            value = await run_in(context, pending, watch)
            pending = context.run(responders.send, was, value)
    except (Exception, asyncio.CancelledError) as problem:
        if not was.headers_sent:
            error_answers.send_plain(was, reported, problem)
    finally:
        watch.stop()
    if endpoint.teardown:
        await call(endpoint, was, _clean_up, endpoint, was)
    if (made := provision.taken(was)) is not None:
        await made.end_later()
    after_answer.start(was)


def hang_up(was: Was, code: int) -> None:
    """Close an accepted WebSocket whose handler has not."""
    transport: WebSocketTransport | None = was.__dict__.get("transport")
    if transport is not None and transport.close_code is None:
        was.site.loop.spawn(transport.close(code))


def _clean_up(endpoint: Endpoint, was: Was) -> None:
    for hook in endpoint.teardown:
        _guarded(was, hook, was)


def _is_departure(error: BaseException) -> bool:
    """Whether a request failed for no other reason than that its client has left."""
    return isinstance(error, HTTPError) and error.code == CLIENT_LEFT


def _guarded(was: Was, hook: Callable[..., Any], *args: Any) -> None:
    try:
        hook(*args)
    except BaseException:
        # Even SystemExit: the hooks that follow clean up, too.
        log.exception("request %s: the hook %r failed", was.request_id, hook)
