"""An app of many hosts, which share their state by Redis, or of one host."""

import os
import time

import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)
app.securekey = "a key that all hosts have in common"
app.realm = "hosts"
app.users = {"app": "a password"}
app.config.HEALTH_PATH = "/health"
app.config.MAINTAIN_INTERVAL = 0.5
if "ATILA_REDIS" in os.environ:
    app.shared = os.environ["ATILA_REDIS"]


@app.route("/")
def index(was):
    return "ready"


@app.route("/login")
def login(was):
    was.session.set("user", "hans")
    return "in"


@app.route("/who")
def who(was):
    return was.session.get("user") or "nobody"


@app.route("/logout")
def logout(was):
    was.session.expire()
    return "out"


@app.route("/limited")
@app.rate_limit(4, 1_000_000, key=lambda was: "a client of both")
def limited(was):
    return "let in"


@app.route("/token")
def token(was):
    return was.encode_ott("hans", 600, "reset")


@app.route("/take", methods=["POST"])
def take(was, token):
    return f"{was.decode_ott(token, 'reset')} {was.revoke_ott(token)}"


@app.route("/changed", methods=["POST"])
def changed(was):
    was.setlu("orders")
    return ""


@app.route("/orders")
def orders(was):
    return str(was.getlu("orders"))


@app.route("/now")
def now(was):
    return str(time.time())


@app.route("/digest", authenticate="digest")
def digest(was):
    return was.request.user.name


@app.route("/count", methods=["POST"])
def count(was):
    return str(app.store.incr("count"))


@app.route("/counted")
def counted(was):
    return str(app.store.get("count") or 0)


@app.maintain(1, once=True)
def sweep(was, now, count):
    board.write("sweeps", f"{time.monotonic()}\n")


@app.route("/clients")
@app.websocket(skitai.WS_CHATTY, 60, onopen=lambda was: was.websocket.client_id)
def clients(was):
    while message := (yield):
        yield message


@app.route("/push")
def push(was, client_id, text):
    return str(app.websocket_send(client_id, text))


@app.route("/events")
def events(was):
    return was.EventStream(rooms=["all"])


@app.route("/say")
def say(was, text):
    return str(app.broadcast("all", text))


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="host")
