"""Compressed answers of every kind: whole, streamed, of files, of static folders."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import skitai
from support.board import Board

from atila import Atila, Was

WORDS = "".join(f"{number} bottles; " for number in range(2000))
LONG = WORDS * 40
board = Board(os.environ["ATILA_BOARD"])
FOLDER = board.folder / "static"

FOLDER.mkdir(exist_ok=True)
(FOLDER / "app.js").write_text(WORDS)
(FOLDER / "app.js.br").write_bytes(b"a stand-in for br")
(FOLDER / "app.js.gz").write_bytes(b"too old")
os.utime(FOLDER / "app.js.gz", (1, 1))
(FOLDER / "long.txt").write_text(LONG)
FOLDER.chmod(0o777)

app = Atila(__name__)
app.config.COMPRESS = True
app.config.STATIC_ROOT = str(FOLDER)


@app.route("/")
def ready(was: Was) -> str:
    return "ready"


@app.route("/def")
def by_def(was: Was) -> str:
    was.response.set_etag("words")
    return WORDS


@app.route("/async")
async def by_async(was: Was) -> str:
    return LONG


@app.route("/data")
def data(was: Was) -> Any:
    return {"words": WORDS}


@app.route("/pieces")
def pieces(was: Was) -> Iterator[str]:
    for number in range(3):
        yield f"{number}{WORDS}"


@app.route("/async-pieces")
async def async_pieces(was: Was) -> AsyncIterator[str]:
    async def make() -> AsyncIterator[str]:
        for number in range(3):
            yield f"{number}{LONG}"

    return make()


@app.route("/events")
def events(was: Was) -> Iterator[str]:
    was.response.set_header("content-type", "text/event-stream")
    yield "data: first\n\n"
    board.pass_gate("seen")
    yield "data: second\n\n"


@app.route("/file")
def file(was: Was) -> Any:
    return was.File(str(FOLDER / "long.txt"))


@app.route("/secret", compress=False)
def secret(was: Was) -> str:
    return WORDS


if __name__ == "__main__":
    with skitai.preference() as pref:
        skitai.mount("/", app, pref)
        skitai.run(name="compressing")
