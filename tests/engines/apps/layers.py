"""What each layer brings, as the specification writes it."""

import os
import threading
import time

import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)


@app.route("/")
def index(was):
    return "ready"


# atila-render


@app.route("/api")
def api(was, name="Hans"):
    return was.API(name=name, numbers=[1, 2.5])


@app.route("/fault")
def fault(was):
    return was.Fault("409 Conflict", "taken", 40901)


@app.route("/page")
def page(was, name):
    return was.render("page.j2", name=name, task=was.Mask("masked"))


# atila-tasks


@app.route("/at-once")
def at_once(was):
    together = threading.Barrier(3)
    tasks = was.Tasks(
        [was.Thread(together.wait, 10) for _ in range(3)],
    )
    return was.API(places=sorted(tasks.fetch()))


@app.route("/coroutine", coroutine=True)
def coroutine(was):
    first = threading.current_thread().name
    tasks = yield was.Tasks(a=was.Mask("Example Domain"), b=was.Thread(time.strftime, "%Y"))
    task = yield was.Thread(int, "7")
    moved = threading.current_thread().name != first
    return was.API(c=task.fetch(), moved=moved, **tasks.fetch())


@app.route("/coroutine/failing", coroutine=True)
def failing(was):
    task = yield was.Thread(int, "seven")
    try:
        task.fetch()
    except ValueError as error:
        return was.API(caught=str(error))


@app.route("/then")
def then(was):
    def respond(was, task):
        return was.API(result=task.fetch(), a=task.meta["a"])

    return was.Thread(int, "4", meta={"a": 1}).then(respond)


@app.route("/download", coroutine=True)
def download(was):
    yield "ID, NAME\n"
    for number in range(3):
        task = yield was.Thread(str, number)
        yield f'{task.fetch()}, "name"\n'


@app.route("/bistreaming", methods=["POST"], coroutine=True, input_stream=True)
def both_ways(was):
    while 1:
        data = yield was.Input(16184)
        if not data:
            break
        yield b":" + data


@app.route("/streaming", methods=["POST"], input_stream=True)
def streaming(was):
    buf = []
    while 1:
        data = yield was.Input(4096)
        if not data:
            break
        buf.append(data)
    return b"".join(buf)


@app.route("/wait", coroutine=True)
def wait(was, gate):
    try:
        while not board.is_open(gate):
            yield was.Thread(time.sleep, 0.02)
    finally:
        board.note(f"{gate}-ended")


# atila-auth


@app.route(
    "/post",
    methods=["POST", "OPTIONS"],
    access_control_allow_origin=["http://www.skitai.com:5001"],
    access_control_max_age=3600,
)
def post(was):
    return "hello"


# atila-ws


@app.route("/chatty")
@app.websocket(skitai.WS_CHATTY, 60)
def chatty(was):
    while 1:
        msg = yield
        if not msg:
            break
        yield "ECHO: " + msg
