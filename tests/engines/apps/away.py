"""An app whose shared state goes away and comes back."""

import os
import sys

import skitai
from skitai import WS_CHATTY
from support.board import Board

from atila import Atila, SharedUnavailable

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)
app.securekey = "a key for tests alone"
app.config.HEALTH_PATH = "/health"
app.config.HEALTH_TIMEOUT = 20.0
if "METRICS" in os.environ:
    app.config.METRICS_PATH = "/metrics"
if "SHARED" in os.environ:
    app.shared = os.environ["SHARED"]
# A first value, which a worker that starts while the state is away sends later.
app.store.set("first", 1)
app.store.set("pad", "")
told = []


@app.on("setlu:tables.users")
def updated(was):
    told.append("updated")


@app.route("/")
def index(was):
    return "ready"


@app.route("/pid")
def pid(was):
    return str(os.getpid())


@app.route("/get")
def get(was, name):
    return {"value": app.store.get(name)}


@app.route("/set")
def set_value(was, name, value):
    app.store.set(name, value)
    return {"value": value}


@app.route("/fill")
def fill(was, size):
    """More than one thing at a time, so that a write ends in its middle."""
    app.store.set("pad", "x" * int(size))
    return {"value": int(size)}


@app.route("/held")
def held(was, value):
    with app.store:
        app.store.set("one", value)
        app.store.set("two", value)
    return {"value": value}


@app.route("/incr")
async def incr(was):
    return {"value": was.g.incr("hits")}


@app.route("/caught")
def caught(was):
    try:
        return {"value": was.g.get("hits")}
    except SharedUnavailable as error:
        return {"value": f"away: {error.code}"}


@app.route("/setlu")
def setlu(was):
    return {"value": was.setlu("tables.users")}


@app.route("/getlu")
def getlu(was):
    return {"value": was.getlu("tables.users")}


@app.route("/told")
def events(was):
    return {"value": len(told)}


@app.route("/limited")
@app.rate_limit(100000, 60)
def limited(was):
    return {"value": "let in"}


def enter(was):
    was.websocket.join("all")
    was.websocket.send(was.websocket.client_id)


@app.route("/room")
@app.websocket(WS_CHATTY, 60, onopen=enter)
def room(was):
    while message := (yield):
        yield message


@app.route("/push")
def push(was, text):
    return {"value": app.websocket_broadcast("all", text)}


if __name__ == "__main__":
    sys.stdout.write("about to run\n")
    skitai.mount("/", app)
    skitai.run(port=5000)
