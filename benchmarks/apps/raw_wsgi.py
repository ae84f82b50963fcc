"""No framework: a bare WSGI function, the limit of what a Python framework can reach."""

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from benchmarks.apps.models import Stock
from benchmarks.apps.payload import GREETING, ITEMS, posts_line

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"

decode = msgspec.json.Decoder(Stock).decode
encode = msgspec.json.Encoder().encode


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path: str = environ["PATH_INFO"]
    status, kind = "200 OK", TEXT
    if path == "/plain":
        body = GREETING.encode()
    elif path == "/json":
        body, kind = json.dumps({"message": GREETING, "items": ITEMS}).encode(), JSON
    elif path == "/typed":
        body, kind = encode(decode(environ["wsgi.input"].read())), JSON
    elif path.startswith("/users/") and path.endswith("/posts"):
        query = dict(parse_qsl(environ["QUERY_STRING"]))
        user_id = int(path.split("/")[2])
        body = posts_line(user_id, int(query["limit"]), query["q"]).encode()
    else:
        status, body = "404 Not Found", b"not found"
    start_response(status, [("content-type", kind), ("content-length", str(len(body)))])
    return [body]
