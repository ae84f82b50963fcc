"""Context variables of requests that never leave the task loop: no hook may block."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)

NOBODY = "nobody"
tenant: ContextVar[str] = ContextVar("tenant", default=NOBODY)


@app.route("/")
def index(was):
    return "ready"


@app.route("/async-set/<name>")
async def set_by_async_handler(was, name):
    found = tenant.get()
    tenant.set(name)
    return f"{found} {tenant.get()}"


@app.route("/set/<name>", blocking=False)
def set_by_handler(was, name):
    found = tenant.get()
    tenant.set(name)
    return f"{found} {tenant.get()}"


@app.route("/waits/<name>")
async def waits(was, name, note):
    found = tenant.get()
    token = tenant.set(name)
    try:
        await asyncio.sleep(0.001)
        child = await asyncio.create_task(tell_later())
        thread = await asyncio.to_thread(tenant.get)
        was.after(board.write, note, f"{tenant.get()}.")
        return f"{found} {tenant.get()} {child} {thread}"
    finally:
        # It is of one context only: that in which it was set.
        tenant.reset(token)


async def tell_later():
    await asyncio.sleep(0)
    return tenant.get()


@app.provide
async def lent(was: Any) -> AsyncIterator[str]:
    name = was.request.args["name"]
    token = tenant.set(name)
    yield name
    tenant.reset(token)
    board.write(was.request.args["note"], f"{tenant.get()}.")


@app.route("/provided")
async def provided(was, lent: str, name: str, note: str) -> str:
    await asyncio.sleep(0)
    return f"{lent} {tenant.get()}"


@app.route("/stream/<name>")
async def stream(was, name):
    tenant.set(name)

    async def pieces():
        for _ in range(2):
            await asyncio.sleep(0)
            yield f"{tenant.get()} "
            tenant.set(f"{name}!")

    return pieces()


@app.error_handler(418)
def teapot(was, error):
    # In a worker thread.
    found = tenant.get()
    tenant.set("left by an error handler")
    return found.encode()


@app.route("/fails/<name>")
async def fails(was, name):
    tenant.set(name)
    await asyncio.sleep(0)
    raise was.Error(418)


@app.route("/fails-at-once/<name>")
async def fails_at_once(was, name):
    tenant.set(name)
    raise was.Error(418)


@app.route("/body/<name>", methods=["POST"])
async def body(was, name, text=""):
    found = tenant.get()
    tenant.set(name)
    return f"{found} {tenant.get()} {len(text)}"


@app.route("/tasks")
async def tasks(was):
    begun: list[bool] = []

    async def note() -> bool:
        begun.append(True)
        return asyncio.current_task() is not task

    task = asyncio.current_task()
    other = asyncio.create_task(note())
    at_once = bool(begun)
    return f"{at_once} {await other} {asyncio.current_task() is task}"


@app.route("/in-time/<float:seconds>")
async def in_time(was, seconds):
    try:
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()
    except TimeoutError:
        return "too late"


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000)
