"""An app with room for two requests, and for four more to wait."""

import os

from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)
app.config.THREADS = 2
app.config.QUEUE_SIZE = 4
app.access_control_allow_origin = ["*"]


@app.route("/")
def index(was):
    return "ready"


@app.route("/waits")
def waits(was, gate):
    board.note(f"{gate}-started")
    board.pass_gate(gate)
    return "done"


if __name__ == "__main__":
    import skitai

    skitai.mount("/", app)
    skitai.run(port=5000)
