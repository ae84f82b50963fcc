"""Robyn on its own server: ``python benchmarks/apps/robyn_app.py PORT``."""

import os
import sys
from typing import Any

# It reads the rest of the command line itself.
port = int(sys.argv.pop(1))

import msgspec  # noqa: E402 - after the port is off the command line
from robyn import Request, Response, Robyn  # noqa: E402 - the same

from benchmarks.apps.models import Stock  # noqa: E402 - the same
from benchmarks.apps.payload import GREETING, ITEMS, posts_line  # noqa: E402 - the same

app = Robyn(__file__)

decode = msgspec.json.Decoder(Stock).decode
encode = msgspec.json.Encoder().encode


@app.get("/plain")
async def plain(request: Request) -> str:
    return GREETING


@app.get("/users/:user_id/posts")
async def posts(request: Request) -> str:
    query: Any = request.query_params
    user_id = int(request.path_params["user_id"])
    return posts_line(user_id, int(query.get("limit", "")), query.get("q", ""))


@app.get("/json")
async def items(request: Request) -> dict[str, Any]:
    return {"message": GREETING, "items": ITEMS}


@app.post("/typed")
async def typed(request: Request) -> Response:
    stock = decode(request.body)
    return Response(
        status_code=200, headers={"content-type": "application/json"}, description=encode(stock)
    )


if __name__ == "__main__":
    os.environ.setdefault("ROBYN_BROWSER_OPEN", "")
    app.start(host="127.0.0.1", port=port)
