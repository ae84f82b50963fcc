"""BlackSheep with ``async def`` handlers."""

from blacksheep import Application, Response, get, json, text

from benchmarks.apps.payload import GREETING, ITEMS, posts_line

app = Application()


@get("/plain")
async def plain() -> Response:
    return text(GREETING)


@get("/users/{user_id}/posts")
async def posts(user_id: int, limit: int, q: str) -> Response:
    return text(posts_line(user_id, limit, q))


@get("/json")
async def items() -> Response:
    return json({"message": GREETING, "items": ITEMS})
