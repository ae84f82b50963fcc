"""Atila: the handlers of `atila_app`, which never wait, on the loop in place of a worker thread."""

from typing import Any

from atila import Atila
from benchmarks.apps.models import Stock
from benchmarks.apps.payload import GREETING, ITEMS, posts_line

app = Atila(__name__)


@app.route("/plain", blocking=False)
def plain(was: Any) -> Any:
    return GREETING


@app.route("/users/<int:user_id>/posts", blocking=False)
def posts(was: Any, user_id: int, limit: int, q: str) -> Any:
    return posts_line(user_id, limit, q)


@app.route("/json", blocking=False)
def items(was: Any) -> Any:
    return was.API(message=GREETING, items=ITEMS)


@app.route("/typed", methods=["POST"], blocking=False)
def typed(was: Any, stock: Stock) -> Stock:
    return stock
