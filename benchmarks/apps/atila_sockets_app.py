"""An echo over WebSocket, in each of the ways that Atila has for it."""

import skitai

from atila import Atila

app = Atila(__name__)


@app.route("/echo")
@app.websocket(skitai.WS_CHATTY, 3600)
async def echo(was):
    async for message in was.websocket:
        await was.websocket.send(message)


@app.route("/chatty")
@app.websocket(skitai.WS_CHATTY, 3600)
def chatty(was):
    while (message := (yield)) is not None:
        yield message


@app.route("/nopool")
@app.websocket(skitai.WS_CHATTY | skitai.WS_NOPOOL, 3600)
def nopool(was):
    while (message := (yield)) is not None:
        yield message


@app.route("/reporty")
@app.websocket(skitai.WS_REPORTY, 3600)
def reporty(was, message):
    return message
