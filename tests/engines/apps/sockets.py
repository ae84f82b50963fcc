"""WebSockets: the specification's examples, and what the other tests of them need."""

import asyncio
import os
import threading
import time

import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)
app.securekey = "for these tests only"
app.config.WS_MAX_MESSAGE = 100_000
app.config.WS_SEND_TIMEOUT = 2.0
app.config.MAINTAIN_INTERVAL = 0.5
if "ATILA_REDIS" in os.environ:
    app.shared = os.environ["ATILA_REDIS"]


@app.maintain(2, once=True)
def send_digest(was, now, count):
    board.write("digests", f"{os.getpid()} {time.monotonic()}\n")


@app.route("/")
def index(was):
    return "ready"


@app.route("/login")
def login(was):
    was.request.session.set("user", "hans")
    return "welcome"


# The specification's examples, with another server for example.com and shorter waits.


@app.route("/spec/chatty")
@app.websocket(skitai.WS_CHATTY, 60)
def spec_chatty(was):
    while 1:
        msg = yield
        if not msg:
            break
        yield "ECHO: " + msg


@app.route("/spec/coroutine")
@app.websocket(skitai.WS_COROUTINE, 60)
def spec_coroutine(was, base):
    while 1:
        msg = yield was.Input()
        if not msg:
            break

        with was.stub(base) as stub:
            task = yield stub.get("/")
            yield task.fetch()


@app.route("/spec/reporty")
@app.websocket(skitai.WS_REPORTY, 60)
def spec_reporty(was, msg, **options):
    was.websocket.send("welcome")
    return "ECHO: " + msg


@app.route("/spec/nopool")
@app.websocket(skitai.WS_REPORTY | skitai.WS_NOPOOL, 1200)
def spec_nopool(was, message, **options):
    was.websocket.send(f"{threading.current_thread().name} {sorted(options.items())}")
    return "started"


def count(ws):
    for i in range(100):
        ws.send(f"send {i}")
        time.sleep(0.001)


@app.route("/spec/counting")
@app.websocket(skitai.WS_REPORTY, 1200)
def spec_counting(was, message, **options):
    if message == "count":
        threading.Thread(target=count, args=(was.websocket,)).start()
    return "started"


@app.route("/spec/threadsafe")
@app.websocket(skitai.WS_REPORTY | skitai.WS_THREADSAFE, 1200)
def spec_threadsafe(was, message, **options):
    if message == "count":
        threading.Thread(target=count, args=(was.websocket,)).start()
        threading.Thread(target=count, args=(was.websocket,)).start()
    return "started"


def onopen(was):
    was.request.session.set("WS_ID", was.websocket.client_id)
    board.note("opened " + str(was.request.ARGS["options"]))


@app.route("/welcome")
@app.websocket(skitai.WS_REPORTY, 60, onopen=lambda was: f"welcome, {was.request.args['name']}")
def welcome(was, message, name):
    return f"{name} said: {message}"


def onclose(was):
    was.request.session.remove("WS_ID")
    board.note("closed")


@app.route("/spec/push")
@app.websocket(skitai.WS_REPORTY, 60, onopen=onopen, onclose=onclose)
def spec_push(was, message, options=None):
    return "you said: " + message


@app.route("/item_in_stock")
def item_in_stock(was):
    delivered = app.websocket_send(was.request.session.get("WS_ID"), "Item In Stock!")
    return "delivered" if delivered else "nobody"


# Other ways to write them.


@app.route("/async")
@app.websocket(skitai.WS_CHATTY, 60)
async def by_async_for(was):
    async for message in was.websocket:
        if isinstance(message, str) and message.startswith("close "):
            code, _, reason = message[6:].partition(" ")
            await was.websocket.close(int(code), reason)
            break
        await was.websocket.send(message)


@app.route("/async/reporty")
@app.websocket(skitai.WS_REPORTY, 60)
async def async_reporty(was, message):
    await asyncio.sleep(0)
    return message


@app.route("/coroutine/tasks")
@app.websocket(skitai.WS_COROUTINE, 60)
def coroutine_tasks(was):
    while (message := (yield was.Input())) is not None:
        task = yield was.Thread(lambda: message.upper())
        yield task.fetch()
    board.note("coroutine-ended")


@app.route("/json")
@app.websocket(skitai.WS_CHATTY, 60, encoding="json")
def as_json(was):
    while True:
        yield {"got": (yield)}


@app.route("/json/sends")
@app.websocket(skitai.WS_CHATTY, 60)
def sends_json(was):
    was.websocket.send({"a": 1})
    yield [1, "two"]


@app.route("/binary")
@app.websocket(skitai.WS_REPORTY, 60, encoding="binary")
def as_binary(was, message):
    return message


@app.route("/query/<int:id>")
@app.websocket(skitai.WS_REPORTY, 60)
def query(was, message, id, name="nobody"):
    return f"{id} {name} {message}"


# Who may open one.


@app.permission_handler
def permission_handler(was, permissions):
    if was.request.args.get("name") != "hans":
        raise was.Error("403 Permission Denied")
    was.request.user = "hans"


@app.route("/guarded")
@app.permission_required(["staff"])
@app.websocket(skitai.WS_CHATTY, 60)
def guarded(was, name):
    yield f"hello {name}"


@app.route("/anywhere")
@app.websocket(skitai.WS_CHATTY, 60, origins=["*"])
def anywhere(was):
    yield "hello"


@app.route("/friends", access_control_allow_origin=["https://friend.example"])
@app.websocket(skitai.WS_CHATTY, 60)
def friends(was):
    yield "hello"


# Ends. Each writes how often it was opened and closed under its name.


def note_open(was):
    board.note(f"{was.request.args['name']}-open")


def note_close(was):
    board.note(f"{was.request.args['name']}-close")


@app.route("/noted")
@app.websocket(skitai.WS_CHATTY, 60, onopen=note_open, onclose=note_close)
def noted(was, name):
    while (message := (yield)) is not None:
        if message == "fail":
            raise RuntimeError("asked to fail")
        yield message


@app.route("/noted/flood")
@app.websocket(skitai.WS_COROUTINE, 60, onopen=note_open, onclose=note_close)
async def flood(was, name):
    while True:
        await was.websocket.send(b"y" * 65536)


@app.route("/silent")
@app.websocket(skitai.WS_CHATTY, 0.2)
def silent(was):
    board.note(f"silent {(yield)}")


# Rooms, and clients of all workers.


def enter(was):
    was.websocket.join(was.request.args["room"])


@app.route("/rooms/<room>")
@app.websocket(skitai.WS_REPORTY, 600, onopen=enter)
def in_room(was, message, room):
    if message == "leave":
        was.websocket.leave(room)
        return "left"
    app.websocket_broadcast(room, f"{message} to {room}")


@app.route("/rooms/<room>/updates")
def updates(was, room):
    was.response.set_header("x-pid", str(os.getpid()))
    return was.EventStream(rooms=[room], retry=50)


@app.route("/rooms/<room>/broadcast")
def broadcast(was, room, text):
    return str(app.broadcast(room, text, event="said"))


@app.route("/rooms/<room>/say")
def say(was, room, text):
    return str(app.websocket_broadcast(room, text))


@app.route("/rooms/<room>/say/async")
async def say_async(was, room, text):
    return str(await app.websocket_broadcast(room, {"said": text}))


@app.route("/clients")
@app.websocket(skitai.WS_CHATTY, 600)
async def clients(was):
    await was.websocket.send(f"{os.getpid()} {was.websocket.client_id}")
    async for _ in was.websocket:
        pass


@app.route("/push")
def push(was, client_id, text):
    return f"{os.getpid()} {app.websocket_send(client_id, text)}"


@app.route("/push/async")
async def push_async(was, client_id, text):
    return f"{os.getpid()} {await app.websocket_send(client_id, text)}"


def greet_by_protocol(was):
    was.cookie.set("spoken", was.websocket.protocol or "nothing")


@app.route("/protocols")
@app.websocket(
    skitai.WS_CHATTY, 600, onopen=greet_by_protocol, protocols=["v2.chat", "v1.chat", "mqtt"]
)
async def by_protocol(was):
    await was.websocket.send(repr(was.websocket.protocol))
    async for message in was.websocket:
        await was.websocket.send(message)


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="sockets")
