"""The app that every engine serves in these tests."""

import asyncio
import gc
import hashlib
import json
import os
import sys
import threading
import time

import skitai
from support.board import Board

import atila
from atila import ANSWERED, PROTOCOL, Atila, HTTPError, Layer, Steps

board = Board(os.environ["ATILA_BOARD"])


def compile_socket(route, app):
    """The steps of `bare_socket=True`: the handler is given handshakes as the engine has them."""
    return Steps(websocket=True) if route.options.get("bare_socket") else None


sockets = Layer(
    "bare-sockets", PROTOCOL, options=frozenset({"bare_socket"}), compile=compile_socket
)
app = Atila(__name__, layers={"bare-sockets": sockets})
app.config.MAX_UPLOAD_SIZE = 1_000_000
app.config.MAX_FIELDS = 100


def as_json(was, value):
    return was.response("200 OK", json.dumps(value), {"Content-Type": "application/json"})


# Requests ---------------------------------------------------------------------------------------


@app.route("/")
def index(was):
    return "ready"


@app.route("/echo")
def echo(was, **args):
    request = was.request
    return as_json(
        was,
        {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "args": args,
            "length": len(request.body),
        },
    )


def note_after(name, text):
    """It is done when the client has its answer, which opens the gate."""
    board.pass_gate(name)
    board.write(f"{name}-done", f"{text} {skitai.was.request.args['name']} ")


async def note_after_async(name, text):
    await board.pass_gate_async(name)
    board.write(f"{name}-done", f"{text} {skitai.was.request.args['name']} ")


@app.route("/after")
def after(was, name, fail=""):
    was.after(note_after, name, "def")
    was.after(note_after_async, name, text="async")
    if fail:
        raise was.Error("409 Conflict")
    return "answered"


@app.route("/after-stream")
async def after_stream(was, name):
    yield "answered"
    was.after(note_after_async, name, "async")
    was.after(note_after, name, "def")


async def numbers(name, first):
    try:
        for number in range(first, 1_000_000):
            yield event_of(number)
            if number == first + 2:
                await board.pass_gate_async(name)
    finally:
        board.note(f"{name}-finally")


def blocking_numbers(name, first):
    try:
        for number in range(first, 1_000_000):
            yield event_of(number)
            if number == first + 2:
                board.pass_gate(name)
    finally:
        board.note(f"{name}-finally")


def event_of(number):
    return atila.Event({"n": number}, event="number", id=str(number))


@app.route("/updates")
def updates(was, name):
    first = int(was.request.last_event_id or 0) + 1
    return was.EventStream(numbers(name, first), retry=200, heartbeat=0.2)


@app.route("/blocking-updates")
def blocking_updates(was, name):
    first = int(was.request.last_event_id or 0) + 1
    return was.EventStream(blocking_numbers(name, first), retry=200, heartbeat=0.2)


@app.route("/users/<int:id>")
def user(was, id):
    return as_json(was, {"id": id})


@app.route("/names/<name>")
def by_name(was, name):
    return as_json(was, {"name": name})


@app.route("/below/<path:rest>")
def below(was, rest):
    return as_json(was, {"rest": rest})


@app.route("/add")
def add(was, a, b="2"):
    return as_json(was, int(a) + int(b))


@app.route("/head")
def head(was):
    request, exchange = was.request, was.exchange
    return as_json(
        was,
        {
            "headers": request.get_headers(),
            "x-one": request.get_header("X-One"),
            "absent": request.get_header("X-Absent"),
            "client": exchange.client,
            "server": exchange.server,
            "scheme": exchange.scheme,
            "version": exchange.version,
            "type": request.get_content_type(),
        },
    )


@app.route("/digest")
def digest(was):
    body = was.request.body
    return as_json(was, {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()})


@app.route("/notes-body")
def notes_body(was, name):
    board.write(name, "." + was.request.body.decode())
    return "noted"


@app.route("/post-only", methods=["POST"])
def post_only(was):
    return "posted"


@app.route("/folder/")
def folder(was):
    return "folder"


# Responses --------------------------------------------------------------------------------------


@app.route("/text")
def text(was):
    return "Grüße"


@app.route("/bytes")
def binary(was):
    return bytes(range(256))


@app.route("/none")
def none(was):
    return None


@app.route("/async")
async def in_async(was):
    await asyncio.sleep(0)
    return "from the loop"


@app.route("/created")
def created(was):
    return was.response("201 Created", "made", {"X-Made": "yes", "Content-Type": "text/x-made"})


@app.route("/cookies")
def cookies(was):
    was.response.add_header("Set-Cookie", "a=1; Path=/")
    was.response.add_header("Set-Cookie", "b=2; Path=/")
    return "two"


@app.route("/surrogate")
def surrogate(was):
    return "a\ud800"


@app.route("/surrogate-inline", blocking=False)
def surrogate_inline(was):
    return "a\ud800"


@app.route("/surrogate-async")
async def surrogate_async(was):
    return "a\ud800"


@app.route("/not-modified")
def not_modified(was):
    return was.response(304, None, {"ETag": '"1"'})


@app.route("/large")
def large(was):
    return b"0123456789abcdef" * 65536


@app.route("/file")
def file(was, name):
    return was.File(board.folder / name)


@app.route("/fails")
def fails(was):
    raise RuntimeError("this is for the log only")


@app.route("/fails-async")
async def fails_async(was):
    await asyncio.sleep(0)
    raise RuntimeError("this is for the log only")


@app.route("/refuses")
def refuses(was):
    raise HTTPError("409 Conflict", "somebody was first", 7, [("x-first", "other")])


@app.route("/inject")
def inject(was, value):
    was.response.set_header("X-Value", value)
    return "sent"


# Streams ----------------------------------------------------------------------------------------


@app.route("/steps")
def steps(was, gate):
    def pieces():
        yield "first,"
        board.note(f"{gate}-started")
        board.pass_gate(gate)
        yield "second"

    return pieces()


@app.route("/steps-async")
async def steps_async(was, gate):
    async def pieces():
        yield "first,"
        await board.pass_gate_async(gate)
        yield "second"

    return pieces()


FLOOD_PIECE = b"x" * 65536
FLOOD_PIECES = 4096


@app.route("/flood")
def flood(was, name):
    """256 MB; each piece that was asked for is on the board."""

    def pieces():
        try:
            for _ in range(FLOOD_PIECES):
                board.note(f"{name}-pieces")
                yield FLOOD_PIECE
        finally:
            board.note(f"{name}-end")

    return pieces()


@app.route("/flood-async")
async def flood_async(was, name):
    async def pieces():
        try:
            for _ in range(FLOOD_PIECES):
                board.note(f"{name}-pieces")
                yield FLOOD_PIECE
        finally:
            board.note(f"{name}-end")

    return pieces()


@app.route("/ticks")
def ticks(was, name):
    """A small piece now and then, until somebody stops it."""

    def pieces():
        try:
            while True:
                yield "tick"
                time.sleep(0.02)
        finally:
            board.note(f"{name}-end")

    return pieces()


@app.route("/waits-async")
async def waits_async(was, name):
    """One piece, then nothing for as long as the client is there."""

    async def pieces():
        try:
            yield "one"
            await asyncio.sleep(3600)
        finally:
            board.note(f"{name}-end")

    return pieces()


@app.route("/breaks")
def breaks(was):
    def pieces():
        yield "the beginning"
        raise RuntimeError("in the middle of a stream")

    return pieces()


@app.route("/breaks-at-once")
def breaks_at_once(was):
    def pieces():
        raise RuntimeError("before the first piece")
        yield

    return pieces()


@app.route("/breaks-async")
async def breaks_async(was):
    async def pieces():
        yield "the beginning"
        await asyncio.sleep(0)
        raise RuntimeError("in the middle of a stream")

    return pieces()


@app.route("/empty-stream")
def empty_stream(was):
    return iter(())


@app.route("/upload", input_stream=True)
async def upload(was, name=""):
    """Read the body by pieces; each byte that has come is on the board."""
    found, length, longest = hashlib.sha256(), 0, 0
    try:
        while piece := await was.exchange.read(16384):
            found.update(piece)
            length += len(piece)
            longest = max(longest, len(piece))
            if name:
                board.write(f"{name}-bytes", "." * len(piece))
    except atila.ClientGone:
        board.note(f"{name}-gone")
        raise
    return as_json(was, {"length": length, "longest": longest, "sha256": found.hexdigest()})


@app.route("/upload-paused", input_stream=True)
async def upload_paused(was, name):
    """Read one piece, then the rest when the gate opens."""
    length = len(await was.exchange.read(16384))
    board.note(f"{name}-first")
    await board.pass_gate_async(name)
    while piece := await was.exchange.read(65536):
        length += len(piece)
    return as_json(was, {"length": length})


@app.route("/upload-unread", input_stream=True)
async def upload_unread(was):
    return "not read"


# Waiting ----------------------------------------------------------------------------------------


@app.route("/waits")
def waits(was, gate):
    board.note(f"{gate}-started")
    board.pass_gate(gate)
    board.note(f"{gate}-ended")
    return f"done by {os.getpid()}"


@app.route("/waits-on-loop")
async def waits_on_loop(was, gate):
    board.note(f"{gate}-started")
    await board.pass_gate_async(gate)
    board.note(f"{gate}-ended")
    return f"done by {os.getpid()}"


@app.route("/hashing")
def hashing(was):
    return as_json(was, sys.flags.hash_randomization)


@app.route("/collector")
def collector(was):
    return as_json(was, [*gc.get_threshold(), gc.get_freeze_count()])


@app.route("/pid")
def pid(was):
    return str(os.getpid())


@app.route("/threads")
def threads(was):
    return as_json(was, [thread.name for thread in threading.enumerate()])


# WebSockets -------------------------------------------------------------------------------------


@app.route("/socket/echo", bare_socket=True)
async def socket_echo(was, name=""):
    """Send back what comes; "close CODE REASON" closes."""
    socket = await was.accept()
    try:
        while (message := await socket.receive()) is not None:
            if isinstance(message, str) and message.startswith("close "):
                code, _, reason = message[6:].partition(" ")
                await socket.close(int(code), reason)
                break
            await socket.send(message)
    finally:
        if name:
            board.write(f"{name}-closed", str(socket.close_code))
    return ANSWERED


@app.route("/socket/flood", bare_socket=True)
async def socket_flood(was, name):
    """Send for as long as somebody takes it."""
    socket = await was.accept()
    try:
        while True:
            await socket.send(b"y" * 65536)
            board.note(f"{name}-messages")
    except atila.ClientGone:
        board.note(f"{name}-gone")
    return ANSWERED


@app.route("/socket/fails", bare_socket=True)
async def socket_fails(was):
    await was.accept()
    raise RuntimeError("in a bare WebSocket")


@app.route("/socket/refused", bare_socket=True)
async def socket_refused(was):
    raise HTTPError(403, "not you")


@app.route("/chatty")
@app.websocket(skitai.WS_CHATTY, 60)
def chatty(was):
    """As in the specification."""
    while 1:
        msg = yield
        if not msg:
            break
        yield "ECHO: " + msg


@app.route("/chatty/fails")
@app.websocket(skitai.WS_CHATTY, 60)
def chatty_fails(was):
    yield
    raise RuntimeError("in a WebSocket")


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000)
