"""The pages, with ``async def`` handlers."""

from typing import Any

from django_bolt import BoltAPI
from django_bolt.responses import PlainText

from benchmarks.apps.models import Stock
from benchmarks.apps.payload import GREETING, ITEMS, posts_line

api = BoltAPI(enable_logging=False)


@api.get("/plain")
async def plain() -> PlainText:
    return PlainText(GREETING)


@api.get("/users/{user_id}/posts")
async def posts(user_id: int, limit: int, q: str) -> PlainText:
    return PlainText(posts_line(user_id, limit, q))


@api.get("/json")
async def items() -> dict[str, Any]:
    return {"message": GREETING, "items": ITEMS}


@api.post("/typed")
async def typed(stock: Stock) -> Stock:
    return stock
