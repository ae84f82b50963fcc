"""Litestar with ``async def`` handlers."""

from typing import Any

from litestar import Litestar, MediaType, get, post

from benchmarks.apps.models import Stock
from benchmarks.apps.payload import GREETING, ITEMS, posts_line


@get("/plain", media_type=MediaType.TEXT)
async def plain() -> str:
    return GREETING


@get("/users/{user_id:int}/posts", media_type=MediaType.TEXT)
async def posts(user_id: int, limit: int, q: str) -> str:
    return posts_line(user_id, limit, q)


@get("/json")
async def items() -> dict[str, Any]:
    return {"message": GREETING, "items": ITEMS}


@post("/typed", status_code=200)
async def typed(data: Stock) -> Stock:
    return data


app = Litestar([plain, posts, items, typed])
