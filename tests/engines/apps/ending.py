"""Handlers that read requests and write answers until something ends."""

import asyncio
import os
import threading
import time

import skitai
from support.board import Board

import atila
from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)


@app.route("/")
def index(was):
    return "ready"


@app.route("/held")
async def held(was):
    """What this process holds: tasks of its loop, descriptors, threads that work for a request."""
    pool = was.site.pool
    return was.API(
        tasks=len([task for task in asyncio.all_tasks() if not task.done()]),
        descriptors=len(os.listdir("/proc/self/fd")),
        at_work=len(pool._threads) - len(pool._asleep),
        threads=threading.active_count(),
    )


@app.route("/collected", methods=["POST", "DELETE", "PROPFIND"])
def collected(was):
    board.note("whole")
    return str(len(was.request.body))


@app.route("/read", methods=["POST"], input_stream=True)
async def read(was):
    """All of the body, piece by piece."""
    size = 0
    try:
        while piece := await was.exchange.read(1000):
            size += len(piece)
            board.note("begun")
        board.note("whole")
    finally:
        board.note("ended")
    return str(size)


@app.route("/yielded", methods=["POST"], input_stream=True)
def yielded(was):
    """The same in a coroutine."""
    size = 0
    try:
        while piece := (yield was.Input(1000)):
            size += len(piece)
            board.note("begun")
        board.note("whole")
    finally:
        board.note("ended")
    yield str(size)


@app.route("/insists", methods=["POST"], input_stream=True)
async def insists(was):
    """Goes on reading whatever happens; what it is given after the end is noted."""
    board.note("entered")
    told = ""
    for _ in range(200):
        try:
            piece = await was.exchange.read(1000)
        except atila.ClientGone:
            told += "g"
        else:
            if piece:
                board.note("begun")
            else:
                told += "e"
        if len(told) > 3:
            break
    board.write("insists", told + " ")
    board.note("ended")
    return told


@app.route("/impatient", methods=["POST"], input_stream=True)
async def impatient(was):
    """Waits shortly for each piece, and asks again: nothing may be lost by that."""
    size, waited = 0, 0
    while True:
        try:
            async with asyncio.timeout(0.02):
                piece = await was.exchange.read(100_000)
        except TimeoutError:
            waited += 1
            board.note("waited")
            continue
        if not piece:
            return f"{size} {waited > 0}"
        size += len(piece)


@app.route("/large", methods=["GET", "POST"])
def large(was, **fields):
    board.note("begun")
    return b"0123456789abcdef" * 1048576


@app.route("/large-file", methods=["GET", "POST"])
def large_file(was, **fields):
    board.note("begun")
    path = board.folder / "large"
    if not path.exists():
        path.write_bytes(b"0123456789abcdef" * 1048576)
    return was.File(path)


@app.route("/floods", methods=["GET", "POST"], input_stream=True)
async def floods(was):
    """Reads nothing of the body, and answers without end."""

    async def pieces():
        try:
            while True:
                board.note("begun")
                yield b"x" * 1000
        finally:
            board.note("ended")

    return pieces()


@app.route("/trickles", methods=["GET", "POST"], input_stream=True)
def trickles(was):
    """The same from a worker thread, a little at a time."""

    def pieces():
        try:
            while True:
                board.note("begun")
                yield b"x"
                time.sleep(0.01)
        finally:
            board.note("ended")

    return pieces()


@app.route("/half", methods=["POST"], input_stream=True)
async def half(was):
    """Reads one piece, and answers without end."""
    await was.exchange.read(10)

    async def pieces():
        try:
            while True:
                board.note("begun")
                yield b"x" * 1000
                await asyncio.sleep(0.01)
        finally:
            board.note("ended")

    return pieces()


@app.route("/waits", methods=["GET", "POST"])
async def waits(was, **fields):
    """Never answers."""
    board.note("begun")
    try:
        await asyncio.sleep(3600)
    finally:
        board.note("ended")


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000)
