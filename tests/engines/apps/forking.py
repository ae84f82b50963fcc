"""Handlers that fork, and whose children come to their ends."""

import asyncio
import os
import sys

import skitai

from atila import Atila

app = Atila(__name__)
children = []


def fork():
    if pid := os.fork():
        children.append(pid)
    return pid


@app.route("/")
def index(was):
    return "ready"


@app.route("/loop")
async def loop(was):
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


@app.route("/plain")
def plain(was):
    return "parent" if fork() else "child"


@app.route("/awaited")
async def awaited(was):
    return "parent" if fork() else "child"


@app.route("/coroutine", coroutine=True)
def coroutine(was):
    yield was.Thread(int)
    return "parent" if fork() else "child"


@app.route("/streamed")
def streamed(was):
    yield "a "
    yield "parent" if fork() else "child"


@app.route("/task")
def task(was):
    return was.Thread(lambda: "parent" if fork() else "child")


@app.route("/failing")
def failing(was):
    if not fork():
        raise ValueError("child")
    return "parent"


@app.route("/exiting")
def exiting(was):
    if not fork():
        sys.exit(7)
    return "parent"


@app.route("/exiting-later")
async def exiting_later(was):
    if not fork():
        sys.exit(7)
    return "parent"


@app.route("/ended")
def ended(was):
    """The exit statuses of all children; 409 while one lives."""
    pid, status = os.waitpid(children[0], os.WNOHANG)
    if not pid:
        raise was.Error(409)
    children.pop(0)
    return str(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="forking")
