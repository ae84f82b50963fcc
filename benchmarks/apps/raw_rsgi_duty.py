"""No framework, but with the duty of one, see `duty`: a bare coroutine on Granian's RSGI."""

import json
import logging
from typing import Any

from benchmarks.apps import duty
from benchmarks.apps.models import Stock
from benchmarks.apps.payload import GREETING, ITEMS, posts_line
from benchmarks.apps.raw_rsgi import JSON, TEXT, encode

log = logging.getLogger(__name__)


async def plain(request: duty.Request) -> Any:
    return GREETING


async def items(request: duty.Request) -> Any:
    return {"message": GREETING, "items": ITEMS}


async def typed(request: duty.Request, stock: Stock) -> Any:
    return stock


async def posts(request: duty.Request, user_id: int, limit: int, q: str) -> Any:
    return posts_line(user_id, limit, q)


HANDLERS = {"plain": plain, "items": items, "typed": typed, "posts": posts}


async def app(scope: Any, protocol: Any) -> None:
    try:
        await answer(scope, protocol)
    except duty.Refused as refusal:
        protocol.response_str(refusal.status, TEXT, str(refusal))
    except Exception:
        # Whatever a handler raises: its client is answered, and the next one served.
        log.exception("a request failed")
        protocol.response_str(500, TEXT, "internal error")


async def answer(scope: Any, protocol: Any) -> None:
    shown = scope.headers.items()
    headers = dict(shown)
    if len(shown) != len(headers) or len(headers) != len(scope.headers):
        raise duty.Refused(400, "a header is there twice, or cannot be read")
    if "host" not in headers:
        raise duty.Refused(400, "one Host header is needed")
    name, params = duty.find(scope.path, scope.method)
    if query := scope.query_string:
        duty.read_query(name, query, params)
    request = duty.Request(headers, params)
    duty.current.set(request)
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        length = duty.length_of(name, headers, "content-length", "content-type")
        duty.read_body(await protocol(), length, request)
    value = await HANDLERS[name](request, **params)
    if type(value) is str:
        protocol.response_str(200, TEXT, value)
    elif type(value) is dict:
        protocol.response_str(200, JSON, json.dumps(value))
    else:
        protocol.response_bytes(200, JSON, encode(value))
