"""The app whose worker's time is measured: a request of each kind, and a room."""

import os

import skitai

from atila import Atila

app = Atila(__name__)
app.securekey = "a key of the trials alone"
app.shared = os.environ["TRIAL_SHARED"]


@app.route("/")
async def plain(was):
    return "hello"


@app.route("/blocking")
def blocking(was):
    return "hello"


@app.route("/login")
def login(was):
    was.session.set("user", "hans")
    return "in"


@app.route("/session")
def session(was):
    return was.session.get("user")


@app.route("/limited")
@app.rate_limit(1_000_000_000, 1_000_000)
def limited(was):
    return "let in"


@app.route("/read")
def read(was):
    return str(was.getlu("orders"))


@app.route("/changed")
def changed(was):
    was.setlu("orders")
    return "noted"


@app.route("/say")
async def say(was, text):
    return str(await app.websocket_broadcast("room", text))


@app.route("/room")
@app.websocket(skitai.WS_CHATTY, 600)
async def room(was):
    was.websocket.join("room")
    await was.websocket.send("in")
    async for _ in was.websocket:
        pass


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000, name="scaling")
