"""An app whose functions raise what would end a process."""

import asyncio
import os

import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)
app.config.MAINTAIN_INTERVAL = 0.05
RAISED = {
    each.__name__: each
    for each in (SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError)
}


def fail(error):
    raise error


@app.maintain(1)
def ends(was, now, count):
    raise SystemExit


@app.maintain(1)
def counts(was, now, count):
    board.note("maintained")


@app.on("ended")
def first(was, name):
    fail(RAISED[name])


@app.on("ended")
def second(was, name):
    board.note(f"event {name}")


@app.teardown_request
def third(was):
    if "name" in was.request.args:
        fail(RAISED[was.request.args["name"]])


@app.teardown_request
def fourth(was):
    if "name" in was.request.args:
        board.note(f"teardown {was.request.args['name']}")


@app.route("/")
def index(was):
    return "ready"


@app.route("/calls")
def calls(was, name):
    loop = was.site.loop
    for number in range(3):
        loop.call(fail, RAISED[name])
        loop.call(board.note, f"call {name} {number}")
    app.emit("ended", name)
    return str(os.getpid())


@app.route("/later")
async def later(was, name):
    was.site.loop.call(fail, RAISED[name])
    await asyncio.sleep(0)
    return str(os.getpid())


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000)
