"""Atila: the handlers of `atila_app` as `async def`, which need no worker thread."""

from typing import Any

from atila import Atila
from benchmarks.apps.models import Stock
from benchmarks.apps.payload import GREETING, ITEMS, ROWS_1K, ROWS_100K, TITLE, posts_line

app = Atila(__name__)


@app.route("/plain")
async def plain(was: Any) -> Any:
    return GREETING


@app.route("/users/<int:user_id>/posts")
async def posts(was: Any, user_id: int, limit: int, q: str) -> Any:
    return posts_line(user_id, limit, q)


@app.route("/json")
async def items(was: Any) -> Any:
    return was.API(message=GREETING, items=ITEMS)


@app.route("/api/1k")
async def api_1k(was: Any) -> Any:
    return was.API(title=TITLE, rows=ROWS_1K)


@app.route("/api/100k")
async def api_100k(was: Any) -> Any:
    return was.API(title=TITLE, rows=ROWS_100K)


@app.route("/typed", methods=["POST"])
async def typed(was: Any, stock: Stock) -> Stock:
    return stock
