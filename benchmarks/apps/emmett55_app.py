"""emmett55 with ``async def`` handlers, on Granian's RSGI."""

from typing import Any

from emmett55 import App, request, response
from emmett55.tools import service

from benchmarks.apps.payload import GREETING, ITEMS, posts_line

app = App(__name__)


@app.route("/plain", methods="get")
async def plain() -> str:
    response.content_type = "text/plain; charset=utf-8"
    return GREETING


@app.route("/users/<int:user_id>/posts", methods="get")
async def posts(user_id: int) -> str:
    response.content_type = "text/plain; charset=utf-8"
    query = request.query_params
    return posts_line(user_id, int(query.limit), query.q)


@app.route("/json", methods="get")
@service.json
async def items() -> dict[str, Any]:
    return {"message": GREETING, "items": ITEMS}
