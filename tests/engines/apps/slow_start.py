"""An app that takes its time to start, in the master where there is one, and in each worker."""

import os
import sys
import time

from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)

if "IMPORT" in os.environ.get("SLOW_START", ""):
    board.note("importing")
    while not board.is_open("import"):
        time.sleep(0.01)


@app.on("mounted")
def mounted(was):
    board.note("mounting")
    if "MOUNT" in os.environ.get("SLOW_START", ""):
        while not board.is_open("mount"):
            time.sleep(0.01)


@app.provide(scope="app")
def first():
    yield "first"
    board.note("closed")


@app.provide(scope="app")
def second(first):
    if "PROVIDE" in os.environ.get("SLOW_START", ""):
        board.note("providing")
        while not board.is_open("provide"):
            time.sleep(0.01)
    return "second"


@app.on("umounted")
def umounted(was):
    board.note("umounted")


@app.route("/")
def index(was):
    return "ready"


@app.route("/pid")
def pid(was):
    return str(os.getpid())


if __name__ == "__main__":
    import skitai

    sys.stdout.write("about to run\n")
    skitai.mount("/", app)
    skitai.run(port=5000)
