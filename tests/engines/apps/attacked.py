"""An app that notes each request that reaches it, for requests that are to be one and not two."""

import os

import skitai
from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)
app.config.WS_MAX_MESSAGE = 256 * 1024


@app.route("/", methods=["GET", "POST"])
def index(was, **data):
    return "ready"


@app.route("/notes", methods=["GET", "POST", "PUT"], input_stream=True)
async def notes(was, name, target=""):
    board.write(name, f"{was.request.method} {target}\n")
    body = b""
    while piece := await was.exchange.read(65536):
        body += piece
    return f"{target} {len(body)}"


@app.route("/echo")
@app.websocket(skitai.WS_CHATTY, 600)
async def echo(was):
    async for message in was.websocket:
        await was.websocket.send(str(len(message)))


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(port=5000)
