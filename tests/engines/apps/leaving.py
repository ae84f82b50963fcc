"""An app whose handlers take their time, for clients that do not wait for them."""

import os
import time

from support.board import Board

from atila import Atila

board = Board(os.environ["ATILA_BOARD"])
app = Atila(__name__)
app.config.THREADS = int(os.environ.get("LEAVING_THREADS", "2"))
app.config.ACCESS_LOG = "combined"


@app.route("/")
def index(was):
    return "ready"


@app.route("/waits", methods=["GET", "POST"])
def waits(was, gate, **data):
    board.note(f"{gate}-started")
    board.pass_gate(gate)
    board.note(f"{gate}-ended")
    return "done"


@app.route("/waits-on-loop")
async def waits_on_loop(was, gate):
    board.note(f"{gate}-started")
    await board.pass_gate_async(gate)
    return "done"


@app.route("/queued")
async def queued(was):
    # Without the hook below for requests such as this.
    return str(sum(bool(request) for request in app.site.pool.queued()))


@app.route("/second")
def second(was):
    time.sleep(1)
    board.note("seconds")
    return "done"


@app.teardown_request
def teardown(was):
    if "gate" in was.request.args:
        board.note(f"{was.request.args['gate']}-torn-down")


if __name__ == "__main__":
    import skitai

    skitai.mount("/", app)
    skitai.run(port=5000)
