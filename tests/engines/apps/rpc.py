"""Ordinary handlers, which XML-RPC and JSON-RPC call too."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime

import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)
app.securekey = "a key of the tests, and of nothing else"
app.config.MAX_BODY_SIZE = 4 * 1024 * 1024


@app.route("/")
def index(was):
    return "ready"


# As it stands in the specification.
@app.route("/add")
def add(was, a, b):
    """Adds two things."""
    return a + b  # int is serailizable


@app.route("/sub/typed")
def typed(was, number: int, text: str = "") -> list:
    return [number, text]


@app.route("/later")
async def later(was, value):
    await asyncio.sleep(0)
    return {"value": value}


@app.route("/coroutine", coroutine=True)
def coroutine(was, value):
    task = yield was.Thread(str.upper, args=(value,))
    return was.API(result=task.fetch())


@app.route("/kinds")
def kinds(was):
    return {
        "none": None,
        "list": [1, 2.5, True, "ä<&>"],
        "when": datetime(2026, 1, 2, 3, 4, 5),
        "bytes": b"\0\1\2",
    }


@app.route("/echo")
def echo(was, value=None):
    return value


@app.route("/users/<int:id>", methods=["POST"])
def user(was, id):
    return {"id": id, "seen": was.request.args["id"]}


@app.route("/missing")
def missing(was):
    raise was.Error("404 Not Found", "no spoon")


@app.route("/numbered")
def numbered(was):
    raise was.Error("400 Bad Request", "missing user ID", 40011)


@app.route("/fault")
def fault(was):
    return was.Fault("409 Conflict", "taken", 40901)


@app.route("/fails")
def fails(was):
    raise KeyError("a secret of the server")


@app.route("/page")
def page(was):
    return (piece for piece in ("a", "b"))


@app.route("/checked")
@app.inspect(ints=["a"])
def checked(was, a):
    return a


@app.route("/unwritable")
def unwritable(was, kind):
    deep = []
    for _ in range(5000):
        deep = [deep]
    return {"text": "\0", "number": 2**40, "object": board, "deep": deep}[kind]


@app.route("/note")
def note(was, name):
    board.note(name)


@app.permission_handler
def permit(was, permissions):
    if was.request.get_header("x-staff") != "yes":
        raise was.Error("403 Forbidden", "not for you")
    was.request.user = "a member of the staff"


@app.route("/staff")
@app.permission_required(["staff"])
def staff(was):
    return "welcome"


@app.route("/visits")
def visits(was):
    count = was.session.get("visits", 0) + 1
    was.session.set("visits", count)
    return count


@app.route("/got", methods=["GET"])
def got(was):
    return "only by GET"


@app.route("/xml", methods=["POST"], content_types=["text/xml"])
def xml(was):
    return f"{len(was.request.body)} bytes of XML"


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000)
