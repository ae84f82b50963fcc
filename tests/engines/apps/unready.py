"""An app whose listener for an event of the start fails or exits, or whose provider fails."""

import os
import sys

from atila import Atila

app = Atila(__name__)
EVENT = os.environ.get("UNREADY_EVENT", "")
ASYNC = os.environ.get("UNREADY_ASYNC", "")


@app.route("/")
def index(was):
    return "ready"


def listen(was):
    raise LookupError("the cupboard is bare")


async def listen_on_loop(was):
    listen(was)


if EVENT == "exit":
    app.on("startup")(lambda was: sys.exit("the cupboard is bare"))
elif EVENT == "provided":
    app.provide(scope="app", name="cupboard")(lambda: listen(None))
elif EVENT:
    app.on(EVENT)(listen_on_loop if ASYNC else listen)


if __name__ == "__main__":
    import skitai

    skitai.mount("/", app)
    skitai.run(port=5000)
