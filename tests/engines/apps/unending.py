"""Event streams without an end, for the end of gunicorn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from os import environ

from support.board import Board

from atila import Atila, EventStream, Was

board = Board(environ["ATILA_BOARD"])
app = Atila(__name__)


@app.route("/")
def ready(was: Was) -> str:
    return "ready"


@app.route("/updates")
def updates(was: Was) -> EventStream:
    async def events() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            board.note("finally")

    return was.EventStream(events())


@app.on("shutdown")
def over(was: Was) -> None:
    board.note("over")
