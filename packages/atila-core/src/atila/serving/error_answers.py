"""Answers failed requests: by an error handler, an error page, or a protocol's own writer."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from atila.errors import HTTPError
from atila.http.exchange import ClientGone
from atila.http.fields import sendable
from atila.http.observation import Observed
from atila.layers import explain
from atila.serving import debug_page, error_pages, responders

if TYPE_CHECKING:
    from atila import Endpoint, Was

log = logging.getLogger("atila.app")


def reported(was: Was, error: BaseException) -> HTTPError:
    """Log the error of a request; gives the one that its client gets: itself, or a 500."""
    if isinstance(error, HTTPError):
        error_pages.log_report(was, error)
        return error
    unexpected = HTTPError(500, "the server could not process this request")
    if debug_page.is_for(was):
        unexpected.__cause__ = error
    if not isinstance(error, ClientGone):
        explain(error)
        log.error("request %s failed", was.request_id, exc_info=error)
        if isinstance(was.exchange, Observed):
            was.exchange.failed(error)
    return unexpected


def send(was: Was, error: HTTPError, endpoint: Endpoint) -> Awaitable[Any] | None:
    """Answer with an error.

    Args:
        was: the request.
        error: the error; see `reported`.
        endpoint: the endpoint that failed.

    Returns:
        None if the engine has the answer; else an awaitable, as `responders.send`.

    Raises:
        Exception: any error of an error handler, or of its answer.
    """
    if endpoint.error_writer is not None:
        endpoint.error_writer(was, error)
        return None
    response = was.renew_response(error)
    if error.code >= 400:
        response.headers.append(("x-request-id", was.request_id))
    # Whoever keeps it must not give a page to a program: 404, 405, 410 may be kept (RFC 9111).
    response.headers.append(("vary", "Accept"))
    handler = endpoint.app.error_handler_for(error.code)
    if handler is None:
        return responders.send(was, error_pages.answer(was, error))
    error.url, error.time = was.exchange.full_path, time.strftime("%Y-%m-%d %H:%M:%S %z")
    value = handler(was, error)
    if hasattr(type(value), "__await__"):
        value = error_pages.suited_later(was, error, value)
    else:
        value = error_pages.suited(was, error, value)
    return responders.send(was, value)


def send_plain(was: Was, error: HTTPError, problem: BaseException) -> None:
    """Answer with an error whose own page failed; in development, with the traceback of that.

    Args:
        was: the request.
        error: the error.
        problem: the error of its page.
    """
    log.error("request %s: its error page failed", was.request_id, exc_info=problem)
    if debug_page.is_for(was):
        content_type, body = debug_page.build(was, problem, error.code)
    else:
        content_type, body = error_pages.build(was, error)
    if was.exchange.method == "HEAD":
        body = b""
    request_id = ("x-request-id", was.request_id)
    headers = sendable(error.headers)
    was.exchange.respond(error.code, [*headers, content_type, request_id], body)
