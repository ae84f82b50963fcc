"""Context variables: set by hooks and handlers of a request, told by all that belongs to it."""

from __future__ import annotations

import asyncio
import os
from contextvars import ContextVar

import route_guide_pb2
import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)

NOBODY = "nobody"
tenant: ContextVar[str] = ContextVar("tenant", default=NOBODY)


def tell(was):
    return tenant.get()


@app.before_request
def choose(was):
    # What is found here before it is set was left by another request.
    was.request.g["found"] = tenant.get()
    if name := was.request.get_header("x-tenant"):
        was.request.g["token"] = tenant.set(name)


@app.finish_request
def report(was, response):
    was.response.set_header("x-found", was.request.g["found"])
    was.response.set_header("x-finish", tenant.get())


@app.teardown_request
def note(was):
    if name := was.request.get_header("x-note"):
        board.write(name, f"{tenant.get()}.")
        if "token" in was.request.g:
            # It is of one context only: that in which it was set.
            tenant.reset(was.request.g["token"])
            board.write(name, "reset.")


@app.error_handler(418)
async def teapot(was, error):
    await asyncio.sleep(0)
    # Bytes: text would be taken for a page, which is not for every client.
    return tenant.get().encode()


@app.route("/")
def index(was):
    return "ready"


app.route("/def")(tell)


@app.route("/set/<name>")
def set_by_handler(was, name):
    tenant.set(name)
    return tenant.get()


@app.route("/async-set/<name>")
async def set_by_async_handler(was, name):
    await asyncio.sleep(0)
    tenant.set(name)
    await asyncio.sleep(0)
    return tenant.get()


@app.route("/async")
async def waits(was):
    before = tenant.get()
    await asyncio.sleep(0.001)
    async with asyncio.TaskGroup() as group:
        child = group.create_task(_tell_later())
    return f"{before} {tenant.get()} {child.result()}"


async def _tell_later():
    await asyncio.sleep(0)
    return tenant.get()


@app.route("/stream")
def stream(was):
    token = None
    try:
        for number in range(3):
            yield f"{tenant.get()} "
            if number == 0:
                token = tenant.set(f"{tenant.get()}!")
    finally:
        tenant.reset(token)
        tenant.set(f"{tenant.get()}?")


@app.route("/async-stream")
async def async_stream(was):
    for number in range(3):
        yield f"{tenant.get()} "
        await asyncio.sleep(0)
        if number == 0:
            tenant.set(f"{tenant.get()}!")


@app.route("/coroutine", coroutine=True)
def coroutine(was):
    token = tenant.set(f"{tenant.get()}!")
    task = yield was.Thread(tenant.get)
    tenant.reset(token)
    return f"{task.fetch()} {tenant.get()}"


@app.route("/thread")
def thread(was):
    return was.Thread(tenant.get).fetch()


@app.route("/then")
def then(was):
    return was.Thread(tenant.get).then(lambda was, task: f"{task.fetch()} {tenant.get()}")


@app.route("/queue")
def queue(was):
    def produce(queue):
        for _ in range(2):
            queue.put(f"{tenant.get()} ")
        # Of nobody else, not even of the next producer of this thread.
        tenant.set("left by a producer")

    return was.Queue(produce)


async def set_by_async_hook(was):
    await asyncio.sleep(0)
    tenant.set(f"{tenant.get()} of a hook")


@app.route("/async-hook")
@app.run_before(set_by_async_hook)
def hooked(was):
    return tenant.get()


@app.route("/input", methods=["POST"], input_stream=True)
def reads(was):
    body = b""
    while piece := (yield was.Input(1024)):
        body += piece
    return f"{tenant.get()} {len(body)}"


@app.route("/fails")
def fails(was):
    raise was.Error(418)


@app.route("/piped")
def piped(was):
    return was.pipe("tell")


@app.route("/event")
def event(was):
    app.emit("told", was.request.args["note"])
    return "emitted"


@app.on("told")
def told(was, name):
    board.write(name, f"{tenant.get()}.")
    tenant.set("left by an event")


# Called by XML-RPC, and as a page.
@app.route("/who")
async def who(was):
    await asyncio.sleep(0)
    return tenant.get()


@app.route("/who_blocks")
def who_blocks(was):
    return tenant.get()


@app.route("/routeguide.RouteGuide/GetFeature")
def get_feature(was, point):
    return route_guide_pb2.Feature(name=tenant.get())


@app.route("/routeguide.RouteGuide/ListFeatures")
def list_features(was, rectangle):
    for _ in range(2):
        yield route_guide_pb2.Feature(name=tenant.get())
        tenant.set(f"{tenant.get()}!")


# WebSockets


def opened(was):
    tenant.set(was.request.args["name"])


def closed(was):
    board.write(was.request.args["note"], f"{tenant.get()}.")


@app.route("/ws/chatty")
@app.websocket(skitai.WS_CHATTY, 60, onopen=opened, onclose=closed)
def chatty(was, name, note):
    while (message := (yield)) is not None:
        yield f"{tenant.get()} {message}"
        tenant.set(f"{name}!")


@app.route("/ws/reporty")
@app.websocket(skitai.WS_REPORTY, 60, onopen=opened, onclose=closed)
def reporty(was, message, name, note):
    answer = f"{tenant.get()} {message}"
    tenant.set(f"{name}!")
    return answer


@app.route("/ws/async")
@app.websocket(skitai.WS_COROUTINE, 60, onopen=opened, onclose=closed)
async def talks(was, name, note):
    while (message := await was.Input()) is not None:
        await was.websocket.send(f"{tenant.get()} {message}")
        tenant.set(f"{name}!")


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000)
