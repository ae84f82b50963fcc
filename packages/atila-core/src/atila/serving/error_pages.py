"""The body of an error answer: HTML for browsers, JSON for other clients."""

from __future__ import annotations

import html
import logging
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import orjson

from atila.http.exchange import Header
from atila.http.response import ANSWERED, HTML, JSON, Response
from atila.serving import debug_page, near_routes, page_look
from atila.serving.responders import with_status

if TYPE_CHECKING:
    from atila import Was
    from atila.errors import HTTPError

log = logging.getLogger("atila.app")


def log_report(was: Was, error: HTTPError) -> None:
    """Log the details of a failed request that its client does not get; as INFO, if the client is
    at fault.
    """
    if error.report:
        level = logging.WARNING if error.code >= 500 else logging.INFO
        log.log(level, "request %s: %s", was.request_id, error)


def build(was: Was, error: HTTPError) -> tuple[Header, bytes]:
    """The Content-Type and the body of an error answer.

    Returns:
        HTML if the Accept header names text/html, else JSON with code, message, detail, errno and
        request_id. In development, for an error that was not expected, see `debug_page`.
    """
    if error.__cause__ is not None and error.code >= 500 and debug_page.is_for(was):
        return debug_page.build(was, error.__cause__, error.code)
    if wants_page(was):
        return HTML, _page(was, error)
    body = _fields(was, error)
    try:
        return JSON, orjson.dumps(body)
    except TypeError:
        # A lone surrogate out of the request's text; orjson writes valid UTF-8 only.
        body["detail"] = _sane(_detail(was, error))
        if error.errors:
            body["errors"] = [{k: _sane(v) for k, v in each.items()} for each in error.errors]
        return JSON, orjson.dumps(body)


def _page(was: Was, error: HTTPError) -> bytes:
    is_debug = debug_page.is_for(was)
    hints = near_routes.shown(was, error) if is_debug else ""
    now = time.strftime("%Y-%m-%d %H:%M:%S %z")
    url = html.escape(was.exchange.full_path)
    body = (
        f"<h1>{error.code} {html.escape(error.message)}</h1>{_message(was, error)}{hints}"
        f"<small>{url} &middot; {now} &middot; request {was.request_id}</small>"
    )
    return page_look.page(f"{error.code} {error.message}", body, debug=bool(hints))


def answer(was: Was, error: HTTPError) -> bytes:
    """The body of an error answer, whose Content-Type is set.

    The same as `build`, but programs get it as they get a dict, if a layer can: in another format
    than JSON, if the client accepts that.
    """
    response = was.response
    respond = was.app.responders.get(dict)
    if respond is not None and not wants_page(was) and not debug_page.is_for(was):
        before = response.headers[:]
        # That of a page of the handler's, perhaps.
        response.del_header("content-type")
        try:
            body = respond(was, _fields(was, error))
        except Exception:
            # Its text may be such that the layer refuses it. What is built here never fails.
            body = None
        if isinstance(body, bytes):
            return body
        response.headers = before
    content_type, body = build(was, error)
    response.set_header(*content_type)
    return body


def _sane(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def wants_page(was: Was) -> bool:
    """Whether the client gets errors as a page: its Accept header names text/html."""
    return "text/html" in (was.exchange.header("accept") or "").lower()


def suited(was: Was, error: HTTPError, value: Any) -> Any:
    """The result of an error handler; but clients that accept no pages get the default answer in
    place of one.
    """
    value = with_status(was, value) or value
    if wants_page(was) or value is ANSWERED or not _is_page(was, value):
        return value
    return answer(was, error)


async def suited_later(was: Was, error: HTTPError, pending: Awaitable[Any]) -> Any:
    """The same of a value that has to be waited for."""
    return suited(was, error, await pending)


def _is_page(was: Was, value: Any) -> bool:
    if isinstance(value, Response):
        value = value.body
    if not isinstance(value, str):
        return False
    kind = was.response.get_header("content-type")
    return kind is None or kind.lower().startswith(("text/html", "application/xhtml"))


def _message(was: Was, error: HTTPError) -> str:
    """The faults, as HTML: a list if there are several."""
    if len(error.errors) < 2:
        detail = _detail(was, error)
        return f"<p>{html.escape(detail)}</p>" if detail else ""
    items = (
        f"<li><code>{html.escape(each['at'] or each['in'])}</code>"
        f" {html.escape(each['message'])}</li>"
        for each in error.errors
    )
    return f"<ul>{''.join(items)}</ul>"


def _detail(was: Was, error: HTTPError) -> str:
    return (was.app.debug and error.report) or error.detail


def _fields(was: Was, error: HTTPError) -> dict[str, Any]:
    fields = {
        "code": error.code,
        "message": error.message,
        "detail": _detail(was, error),
        "errno": error.errno,
        "request_id": was.request_id,
    }
    if error.errors:
        fields["errors"] = list(error.errors)
    return fields
