"""An app whose requests do not end by themselves, for servers that are to end all the same."""

import asyncio
import os
import signal
import time

import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)
app.config.SHUTDOWN_TIMEOUT = float(os.environ.get("ENDING_SECONDS", "2"))


@app.route("/")
def index(was):
    return "ready"


@app.route("/pid")
def pid(was):
    return str(os.getpid())


@app.route("/thread")
def thread(was):
    board.note("thread-begun")
    while not board.is_open("thread"):
        time.sleep(0.01)
    return "done"


@app.route("/coroutine")
async def coroutine(was):
    board.note("coroutine-begun")
    try:
        await asyncio.Event().wait()
    finally:
        board.note("coroutine-finally")


@app.route("/stream")
async def stream(was):
    board.note("stream-begun")
    try:
        yield "piece"
        await asyncio.Event().wait()
    finally:
        board.note("stream-finally")


@app.route("/stubborn")
async def stubborn(was):
    """A coroutine that blocks the loop, which it must not."""
    board.note("stubborn-begun")
    while not board.is_open("thread"):
        time.sleep(0.01)  # noqa: ASYNC251 - it is what is wrong with it
    return "done"


@app.route("/events")
def events(was):
    board.note("events-begun")
    try:
        while True:
            yield "data: 1\n\n"
            time.sleep(0.01)
    finally:
        board.note("events-finally")


def work():
    """It is given more time than a test has waited for anything else."""
    board.pass_gate("after")
    board.note("after-done")


@app.route("/after")
def after(was):
    was.after(work)
    return "answered"


@app.route("/updates")
def updates(was):
    async def events():
        board.note("updates-begun")
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            board.note("updates-finally")

    return was.EventStream(events())


@app.route("/socket")
@app.websocket(skitai.WS_COROUTINE)
async def socket(was):
    board.note("socket-begun")
    try:
        async for message in was.websocket:
            if message == "leave":
                return
            await was.websocket.send(message)
    finally:
        board.note("socket-finally")


def is_server(dispatcher):
    return getattr(dispatcher, "request_logger", None) is not None


@app.route("/die-while-logging")
def die_while_logging(was):
    """As if it were killed while it writes a line."""
    from rs4 import asyncore

    (logger,) = {s.request_logger for s in asyncore.socket_map.values() if is_server(s)}
    for each in logger.loggers:
        each.lock.acquire()
    os.kill(os.getpid(), signal.SIGKILL)


@app.on("before_umount")
def before_umount(was):
    board.note("before_umount")


@app.on("umounted")
def umounted(was):
    board.note("umounted")


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000)
