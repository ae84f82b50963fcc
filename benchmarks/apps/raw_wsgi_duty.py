"""No framework, but with the duty of one, see `duty`: a bare WSGI function."""

import json
import logging
from collections.abc import Callable, Iterable
from contextvars import copy_context
from typing import Any

from benchmarks.apps import duty
from benchmarks.apps.models import Stock
from benchmarks.apps.payload import GREETING, ITEMS, posts_line
from benchmarks.apps.raw_wsgi import JSON, TEXT, encode

STATUS = {200: "200 OK", 400: "400 Bad Request", 404: "404 Not Found", 500: "500 Internal Error"}

log = logging.getLogger(__name__)


def plain(request: duty.Request) -> Any:
    return GREETING


def items(request: duty.Request) -> Any:
    return {"message": GREETING, "items": ITEMS}


def typed(request: duty.Request, stock: Stock) -> Any:
    return stock


def posts(request: duty.Request, user_id: int, limit: int, q: str) -> Any:
    return posts_line(user_id, limit, q)


HANDLERS = {"plain": plain, "items": items, "typed": typed, "posts": posts}


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    try:
        # The thread serves others, too, which are not to see the variables of this request.
        status, kind, body = copy_context().run(answer, environ)
    except duty.Refused as refusal:
        status, kind, body = refusal.status, TEXT, str(refusal).encode()
    except Exception:
        # Whatever a handler raises: its client is answered, and the next one served.
        log.exception("a request failed")
        status, kind, body = 500, TEXT, b"internal error"
    headers = [("content-type", kind), ("content-length", str(len(body)))]
    start_response(STATUS.get(status, f"{status} Refused"), headers)
    return [body]


def answer(environ: dict[str, Any]) -> tuple[int, str, bytes]:
    if "HTTP_HOST" not in environ and environ["SERVER_PROTOCOL"] != "HTTP/1.0":
        raise duty.Refused(400, "one Host header is needed")
    name, params = duty.find(environ["PATH_INFO"], environ["REQUEST_METHOD"])
    if query := environ.get("QUERY_STRING", ""):
        duty.read_query(name, query, params)
    request = duty.Request(environ, params)
    duty.current.set(request)
    if environ.get("CONTENT_LENGTH", "0") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ:
        length = duty.length_of(name, environ, "CONTENT_LENGTH", "CONTENT_TYPE")
        duty.read_body(environ["wsgi.input"].read(length), length, request)
    value = HANDLERS[name](request, **params)
    if type(value) is str:
        return 200, TEXT, value.encode()
    if type(value) is dict:
        return 200, JSON, json.dumps(value).encode()
    return 200, JSON, encode(value)
