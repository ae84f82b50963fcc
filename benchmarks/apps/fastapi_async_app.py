"""FastAPI with ``async def`` handlers, which run on its event loop."""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from benchmarks.apps.payload import GREETING, ITEMS, posts_line

app = FastAPI()


@app.get("/plain", response_class=PlainTextResponse)
async def plain() -> str:
    return GREETING


@app.get("/users/{user_id}/posts", response_class=PlainTextResponse)
async def posts(user_id: int, limit: int, q: str) -> str:
    return posts_line(user_id, limit, q)


@app.get("/json")
async def items() -> dict[str, Any]:
    return {"message": GREETING, "items": ITEMS}
