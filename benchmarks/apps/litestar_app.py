"""Litestar with ``async def`` handlers."""

from typing import Any

from litestar import Litestar, MediaType, get

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


app = Litestar([plain, posts, items])
