"""Flask (WSGI)."""

from typing import Any

from flask import Flask, Response, render_template, request

from benchmarks.apps.payload import GREETING, ITEMS, ROWS, TITLE, posts_line

app = Flask(__name__)


@app.get("/plain")
def plain() -> Response:
    return Response(GREETING, mimetype="text/plain")


@app.get("/users/<int:user_id>/posts")
def posts(user_id: int) -> Response:
    line = posts_line(user_id, int(request.args["limit"]), request.args["q"])
    return Response(line, mimetype="text/plain")


@app.get("/json")
def items() -> dict[str, Any]:
    return {"message": GREETING, "items": ITEMS}


@app.get("/page")
def page() -> str:
    return render_template("page.html", title=TITLE, rows=ROWS)
