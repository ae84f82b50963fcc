"""No framework: a bare function on Granian's RSGI which answers in a worker thread, so that it may
block, as a ``def`` handler may.
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl

from benchmarks.apps.payload import GREETING, ITEMS, posts_line
from benchmarks.apps.raw_rsgi import JSON, TEXT, decode, encode

threads = ThreadPoolExecutor(4)


def answer(scope: Any, protocol: Any, body: bytes) -> None:
    path: str = scope.path
    if path == "/plain":
        protocol.response_str(200, TEXT, GREETING)
    elif path == "/json":
        protocol.response_str(200, JSON, json.dumps({"message": GREETING, "items": ITEMS}))
    elif path == "/typed":
        protocol.response_bytes(200, JSON, encode(decode(body)))
    elif path.startswith("/users/") and path.endswith("/posts"):
        query = dict(parse_qsl(scope.query_string))
        user_id = int(path.split("/")[2])
        protocol.response_str(200, TEXT, posts_line(user_id, int(query["limit"]), query["q"]))
    else:
        protocol.response_str(404, TEXT, "not found")


async def app(scope: Any, protocol: Any) -> None:
    body = await protocol() if scope.method == "POST" else b""
    await asyncio.get_running_loop().run_in_executor(threads, answer, scope, protocol, body)
