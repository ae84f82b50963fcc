"""Handlers that stop at a breakpoint."""

import pdb

import skitai

from atila import Atila

app = Atila(__name__)


@app.route("/")
def index(was):
    return "ready"


@app.route("/def")
def plain(was, secret: int):
    breakpoint()
    return f"went on with {secret}"


@app.route("/async")
async def asynchronous(was, secret: int):
    breakpoint()
    return f"went on with {secret}"


@app.route("/trace")
def trace(was, secret: int):
    pdb.set_trace()
    return f"went on with {secret}"


if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run()
