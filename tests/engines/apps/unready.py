"""An app whose listener for an event of the start fails, exits or never ends; or its provider."""

import asyncio
import os
import sys
import threading

from support.board import Board

from atila import Atila

app = Atila(__name__)
board = Board(os.environ["ATILA_BOARD"])
EVENT = os.environ.get("UNREADY_EVENT", "")
ASYNC = os.environ.get("UNREADY_ASYNC", "")


@app.route("/")
def index(was):
    return "ready"


def listen(was):
    raise LookupError("the cupboard is bare")


async def listen_on_loop(was):
    listen(was)


def made_before():
    yield "made"
    board.note("cleaned up")


def hang(was):
    board.note("hangs")
    threading.Event().wait()


async def hang_on_loop(was):
    board.note("hangs")
    await asyncio.Event().wait()


if EVENT == "exit":
    app.on("startup")(lambda was: sys.exit("the cupboard is bare"))
elif EVENT.startswith("hangs"):
    app.provide(scope="app", name="made_before")(made_before)
    if EVENT == "hangs provided":
        app.provide(scope="app", name="cupboard")(lambda: hang(None))
    else:
        app.on(EVENT.partition(" ")[2])(hang_on_loop if ASYNC else hang)
elif EVENT == "provided":
    app.provide(scope="app", name="cupboard")(lambda: listen(None))
elif EVENT:
    app.on(EVENT)(listen_on_loop if ASYNC else listen)


if __name__ == "__main__":
    import skitai

    skitai.mount("/", app)
    skitai.run(port=5000)
