"""An app that is watched: metrics, health, structured logs."""

import asyncio
import logging
import os

import skitai
from prometheus_client import Counter, Info
from skitai import WS_CHATTY
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
orders = Counter("orders", "Orders.", ["kind"])
worker = Info("worker", "Who answers.")
log = logging.getLogger("atila.shop")

app = Atila(__name__)
app.config.METRICS_PATH = "/metrics"
app.config.HEALTH_PATH = "/health"
app.config.HEALTH_TIMEOUT = 0.5
app.config.LOG_FORMAT = app.config.ACCESS_LOG = "json"
if "ATILA_SMALL" in os.environ:
    app.config.THREADS = 2
    app.config.QUEUE_SIZE = 4


@app.mounted
def mounted(was):
    # No numbers, so it is not added up: it is that of the worker that makes the page.
    worker.info({"pid": str(os.getpid())})


@app.readiness_check
def database(was):
    if board.is_open("broken"):
        raise OSError("the password is hunter2")


@app.readiness_check
async def cache(was):
    while board.is_open("hanging"):  # noqa: ASYNC110 - another process opens it
        await asyncio.sleep(0.01)


@app.route("/")
def index(was):
    return "ready"


@app.route("/pid")
def pid(was):
    return str(os.getpid())


@app.route("/items/<int:id>")
def item(was, id):
    return str(os.getpid())


@app.route("/orders", methods=["POST"])
def order(was):
    orders.labels("books").inc()
    return str(os.getpid())


@app.route("/waits")
def waits(was, gate):
    board.note(f"{gate}-started")
    board.pass_gate(gate)
    return "done"


@app.route("/logs")
def logs(was, name):
    log.info("bought %s", name, extra={"order": 7})
    was.log(f"told {name}", "warn")
    raise RuntimeError(f"unexpected {name}")


@app.route("/echo")
@app.websocket(WS_CHATTY, 60)
def echo(was):
    while message := (yield):
        yield message


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run()
