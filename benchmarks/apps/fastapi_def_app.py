"""FastAPI with ``def`` handlers, which it runs in its thread pool: the usual way to block."""

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
def plain() -> str:
    return GREETING


@app.get("/users/{user_id}/posts", response_class=PlainTextResponse)
def posts(user_id: int, limit: int, q: str) -> str:
    return posts_line(user_id, limit, q)


@app.get("/json")
def items() -> dict[str, Any]:
    return {"message": GREETING, "items": ITEMS}


@app.get("/api/1k")
def api_1k() -> dict[str, Any]:
    return {"title": TITLE, "rows": ROWS_1K}


@app.get("/api/100k")
def api_100k() -> dict[str, Any]:
    return {"title": TITLE, "rows": ROWS_100K}


@app.post("/typed")
def typed(stock: Stock) -> Stock:
    return stock
