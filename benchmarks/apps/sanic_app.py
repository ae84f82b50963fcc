"""Sanic on its own server."""

from typing import Any

from sanic import Request, Sanic
from sanic.response import HTTPResponse, json, text

from benchmarks.apps.payload import GREETING, ITEMS, posts_line

app: Any = Sanic("benchmark")


@app.get("/plain")
async def plain(request: Request) -> HTTPResponse:
    return text(GREETING)


@app.get("/users/<user_id:int>/posts")
async def posts(request: Request, user_id: int) -> HTTPResponse:
    query: Any = request.args
    return text(posts_line(user_id, int(query.get("limit")), query.get("q")))


@app.get("/json")
async def items(request: Request) -> HTTPResponse:
    return json({"message": GREETING, "items": ITEMS})
