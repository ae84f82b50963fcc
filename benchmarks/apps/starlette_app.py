"""Starlette with ``async def`` handlers."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from benchmarks.apps.payload import GREETING, ITEMS, posts_line


async def plain(request: Request) -> PlainTextResponse:
    return PlainTextResponse(GREETING)


async def posts(request: Request) -> PlainTextResponse:
    query = request.query_params
    line = posts_line(request.path_params["user_id"], int(query["limit"]), query["q"])
    return PlainTextResponse(line)


async def items(request: Request) -> JSONResponse:
    return JSONResponse({"message": GREETING, "items": ITEMS})


app = Starlette(
    routes=[
        Route("/plain", plain),
        Route("/users/{user_id:int}/posts", posts),
        Route("/json", items),
    ]
)
