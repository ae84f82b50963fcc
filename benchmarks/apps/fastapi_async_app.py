"""FastAPI with ``async def`` handlers, which run on its event loop."""

from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from benchmarks.apps.payload import GREETING, ITEMS, ROWS_1K, ROWS_100K, TITLE, posts_line

app = FastAPI()


class Row(BaseModel):
    id: int
    name: str
    price: float
    stock: int


class Stock(BaseModel):
    title: str
    rows: list[Row]


@app.get("/plain", response_class=PlainTextResponse)
async def plain() -> str:
    return GREETING


@app.get("/users/{user_id}/posts", response_class=PlainTextResponse)
async def posts(user_id: int, limit: int, q: str) -> str:
    return posts_line(user_id, limit, q)


@app.get("/json")
async def items() -> dict[str, Any]:
    return {"message": GREETING, "items": ITEMS}


@app.get("/api/1k")
async def api_1k() -> dict[str, Any]:
    return {"title": TITLE, "rows": ROWS_1K}


@app.get("/api/100k")
async def api_100k() -> dict[str, Any]:
    return {"title": TITLE, "rows": ROWS_100K}


@app.post("/typed")
async def typed(stock: Stock) -> Stock:
    return stock
