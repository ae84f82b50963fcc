"""Atila: plain functions; the same app object is served by every engine."""

from typing import Any

from atila import Atila
from benchmarks.apps.models import Stock
from benchmarks.apps.payload import GREETING, ITEMS, ROWS, ROWS_1K, ROWS_100K, TITLE, posts_line

app = Atila(__name__)


@app.route("/plain")
def plain(was: Any) -> Any:
    return GREETING


@app.route("/users/<int:user_id>/posts")
def posts(was: Any, user_id: int, limit: int, q: str) -> Any:
    return posts_line(user_id, limit, q)


@app.route("/json")
def items(was: Any) -> Any:
    return was.API(message=GREETING, items=ITEMS)


@app.route("/api/1k")
def api_1k(was: Any) -> Any:
    return was.API(title=TITLE, rows=ROWS_1K)


@app.route("/api/100k")
def api_100k(was: Any) -> Any:
    return was.API(title=TITLE, rows=ROWS_100K)


@app.route("/page")
def page(was: Any) -> Any:
    return was.render("page.html", title=TITLE, rows=ROWS)


@app.route("/typed", methods=["POST"])
def typed(was: Any, stock: Stock) -> Stock:
    return stock
