"""No framework, but with the duty of one: `raw_rsgi`, and what any request is owed besides.

Each is refused without one Host, or with headers that granian does not show; has a body or not; is
known to the code it runs through; finds its handler by method and path, or 404 or 405; has
parameters that are checked by name and type, or 400; and an error of its handler is logged, and
500. Written for these pages alone: it is the least that can be done, not a framework.
"""

import json
import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from benchmarks.apps.models import Stock
from benchmarks.apps.payload import GREETING, ITEMS, posts_line

TEXT = [("content-type", "text/plain; charset=utf-8")]
JSON = [("content-type", "application/json")]

MAX_BODY = 1048576

decode = msgspec.json.Decoder(Stock).decode
encode = msgspec.json.Encoder().encode
log = logging.getLogger(__name__)


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Request:
    """What a handler is given."""

    __slots__ = ("body", "headers", "params", "scope")

    def __init__(self, scope: Any, headers: dict[str, str], params: dict[str, Any]) -> None:
        self.scope = scope
        self.headers = headers
        self.params = params
        self.body = b""


Handler = Callable[..., Any]
current: ContextVar[Request] = ContextVar("current")


async def plain(request: Request) -> Any:
    return GREETING


async def items(request: Request) -> Any:
    return {"message": GREETING, "items": ITEMS}


async def typed(request: Request, stock: Stock) -> Any:
    return stock


async def posts(request: Request, user_id: int, limit: int, q: str) -> Any:
    return posts_line(user_id, limit, q)


LITERAL: dict[str, dict[str, Handler]] = {
    "/plain": {"GET": plain},
    "/json": {"GET": items},
    "/typed": {"POST": typed},
}


def find(path: str, method: str) -> tuple[Handler, dict[str, Any]]:
    params: dict[str, Any] = {}
    methods = LITERAL.get(path)
    if methods is None:
        parts = path.split("/")
        if len(parts) != 4 or parts[1] != "users" or parts[3] != "posts":
            raise Refused(404, "not found")
        if not parts[2].isdecimal():
            raise Refused(404, "not found")
        params["user_id"] = int(parts[2])
        methods = {"GET": posts}
    handler = methods.get(method)
    if handler is None:
        raise Refused(405, "method not allowed")
    return handler, params


def read_query(query: str, params: dict[str, Any]) -> None:
    found = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=1000))
    try:
        params["limit"] = int(found.pop("limit"))
        params["q"] = found.pop("q")
    except (KeyError, ValueError) as error:
        raise Refused(400, f"a parameter is missing or wrong: {error}") from None
    if found:
        raise Refused(400, f"unknown parameters: {', '.join(found)}")


async def read_body(handler: Handler, headers: dict[str, str], protocol: Any) -> bytes:
    length = headers.get("content-length", "")
    if not length.isdecimal() or int(length) > MAX_BODY:
        raise Refused(413, f"a body may have {MAX_BODY} bytes, and says how many it has")
    if handler is not typed or headers.get("content-type") != "application/json":
        raise Refused(415, "the body must be JSON")
    body: bytes = await protocol()
    if len(body) != int(length):
        raise Refused(400, "the body ended too soon")
    return body


async def app(scope: Any, protocol: Any) -> None:
    try:
        shown = scope.headers.items()
        headers = dict(shown)
        if len(shown) != len(headers) or len(headers) != len(scope.headers):
            raise Refused(400, "a header is there twice, or cannot be read")
        if "host" not in headers:
            raise Refused(400, "one Host header is needed")
        handler, params = find(scope.path, scope.method)
        if handler is posts:
            read_query(scope.query_string, params)
        elif scope.query_string:
            raise Refused(400, "there are no parameters")
        request = Request(scope, headers, params)
        current.set(request)
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            request.body = await read_body(handler, headers, protocol)
            params["stock"] = decode(request.body)
        value = await handler(request, **params)
        if type(value) is str:
            protocol.response_str(200, TEXT, value)
        elif type(value) is dict:
            protocol.response_str(200, JSON, json.dumps(value))
        else:
            protocol.response_bytes(200, JSON, encode(value))
    except Refused as refusal:
        protocol.response_str(refusal.status, TEXT, str(refusal))
    except msgspec.MsgspecError as error:
        protocol.response_str(400, TEXT, str(error))
    except Exception:
        log.exception("a request failed")
        protocol.response_str(500, TEXT, "internal error")
