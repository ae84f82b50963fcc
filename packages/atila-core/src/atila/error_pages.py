"""The body of an error answer: HTML for a browser, else JSON."""

from __future__ import annotations

import html
import time
from typing import TYPE_CHECKING

import orjson

from atila.exchange import Header

if TYPE_CHECKING:
    from atila.errors import HTTPError
    from atila.was import Was

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{code} {message}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:4em auto;padding:0 1em}}
small{{color:#777}}</style></head>
<body><h1>{code} {message}</h1><p>{detail}</p>
<small>{url} &middot; {time} &middot; request {request_id}</small></body></html>
"""

HTML_TYPE: Header = ("content-type", "text/html; charset=utf-8")
JSON_TYPE: Header = ("content-type", "application/json")


def build(was: Was, error: HTTPError) -> tuple[Header, bytes]:
    """The Content-Type and the body of an error answer.

    Returns:
        HTML if the Accept header names text/html, else JSON with code, message, detail, errno and
        request_id. In development, for an error that was not expected, see `debug_page`.
    """
    if was.app.debug and error.__cause__ is not None and error.code >= 500:
        from atila import debug_page

        return debug_page.build(was, error.__cause__, error.code)
    if "text/html" in (was.exchange.header("accept") or "").lower():
        page = _PAGE.format(
            code=error.code,
            message=html.escape(error.message),
            detail=html.escape(error.detail),
            url=html.escape(was.exchange.path),
            time=time.strftime("%Y-%m-%d %H:%M:%S %z"),
            request_id=was.request_id,
        )
        return HTML_TYPE, page.encode("utf-8", "replace")
    body = {
        "code": error.code,
        "message": error.message,
        "detail": error.detail,
        "errno": error.errno,
        "request_id": was.request_id,
    }
    try:
        return JSON_TYPE, orjson.dumps(body)
    except TypeError:
        # A lone surrogate out of the request's text; orjson writes valid UTF-8 only.
        body["detail"] = error.detail.encode("utf-8", "replace").decode()
        return JSON_TYPE, orjson.dumps(body)
