"""An event stream of what the server does."""

import asyncio

from demo.figures import Sample
from demo.site import app

PAUSE = 1.0
"""Seconds between two events."""


@app.route("/live", methods=["GET"])
async def live(was):
    async def figures():
        before = await asyncio.to_thread(Sample)
        while True:
            await asyncio.sleep(PAUSE)
            now = await asyncio.to_thread(Sample)
            yield now.since(before)
            before = now

    # When the browser leaves, the generator ends.
    return was.EventStream(figures(), retry=1000)
