"""No framework: a bare coroutine on Granian's own protocol (RSGI), for reference."""

import json
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from benchmarks.apps.models import Stock
from benchmarks.apps.payload import GREETING, ITEMS, posts_line

TEXT = [("content-type", "text/plain; charset=utf-8")]
JSON = [("content-type", "application/json")]

decode = msgspec.json.Decoder(Stock).decode
encode = msgspec.json.Encoder().encode


async def app(scope: Any, protocol: Any) -> None:
    path: str = scope.path
    if path == "/plain":
        protocol.response_str(200, TEXT, GREETING)
    elif path == "/json":
        protocol.response_str(200, JSON, json.dumps({"message": GREETING, "items": ITEMS}))
    elif path == "/typed":
        protocol.response_bytes(200, JSON, encode(decode(await protocol())))
    elif path.startswith("/users/") and path.endswith("/posts"):
        query = dict(parse_qsl(scope.query_string))
        user_id = int(path.split("/")[2])
        protocol.response_str(200, TEXT, posts_line(user_id, int(query["limit"]), query["q"]))
    else:
        protocol.response_str(404, TEXT, "not found")
