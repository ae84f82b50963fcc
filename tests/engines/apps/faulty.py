"""An app that raises what ends a thread or a loop, unless somebody sees to it."""

import asyncio
import os
import time

import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)


class Strange(BaseException):
    pass


ERRORS = {
    "interrupt": KeyboardInterrupt,
    "exit": SystemExit,
    "strange": Strange,
    "generator": GeneratorExit,
    "cancelled": asyncio.CancelledError,
    "stop": StopIteration,
    "stop-async": StopAsyncIteration,
}


@app.route("/")
def index(was):
    return "ready"


@app.route("/works")
async def works(was):
    await asyncio.sleep(0)
    return "works"


@app.route("/def/<error>")
def in_thread(was, error):
    raise ERRORS[error]


@app.route("/async/<error>")
async def on_loop(was, error):
    raise ERRORS[error]


@app.route("/later/<error>")
async def later(was, error):
    await asyncio.sleep(0)
    raise ERRORS[error]


@app.route("/task/<error>")
async def in_task(was, error):
    async def fail():
        await asyncio.sleep(0)
        raise ERRORS[error]

    await asyncio.create_task(fail())


@app.route("/callback/<error>")
async def in_callback(was, error):
    def fail():
        raise ERRORS[error]

    asyncio.get_running_loop().call_soon(fail)
    await asyncio.sleep(0)
    return "went on"


@app.route("/stream/<error>")
async def stream(was, error):
    yield "a piece"
    await asyncio.sleep(0)
    raise ERRORS[error]


@app.route("/coroutine/<error>", coroutine=True)
def coroutine(was, error):
    yield was.Thread(time.sleep, 0)
    raise ERRORS[error]


@app.on("told")
async def listen(was, error):
    board.note("told")
    raise ERRORS[error]


@app.route("/event/<error>")
def event(was, error):
    app.emit("told", error)
    return "told"


@app.route("/socket/<error>")
@app.websocket(skitai.WS_COROUTINE)
async def socket(was, error):
    await was.websocket.receive()
    raise ERRORS[error]


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000)
