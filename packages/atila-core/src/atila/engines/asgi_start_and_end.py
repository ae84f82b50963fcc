"""The start and the end of a site, as an ASGI server says them.

Source: the protocol "lifespan" of ASGI, version 2.0.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from atila.engines import start
from atila.engines.asgi_body import Message, Receive, Send
from atila.runtime import end_signals, garbage
from atila.typevars import Value

if TYPE_CHECKING:
    from atila import Site


async def live(site: Site, receive: Receive, send: Send) -> None:
    """Start a site when the server starts, and end it when that ends."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            site.use_loop(asyncio.get_running_loop())
            try:
                await start.run(site)
            except start.Interrupted as interrupted:
                await send({"type": "lifespan.startup.failed", "message": str(interrupted)})
                return
            except (Exception, SystemExit):
                # The latter would end the server's task for this, and not the server.
                reason = traceback.format_exc()
                await send({"type": "lifespan.startup.failed", "message": reason})
                return
            garbage.prepare()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await asyncio.to_thread(site.shutdown)
            await send({"type": "lifespan.shutdown.complete"})
            return


class Failed:
    """In place of an engine whose site could not be made: has the server end."""

    def __init__(self) -> None:
        self._reason = traceback.format_exc()

    async def serve(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer the server's start."""
        await receive()
        await send({"type": "lifespan.startup.failed", "message": self._reason})


def started(make: Callable[[], Value], scope: Message) -> Value | Failed:
    """The result of make(); an error while the server starts ends the server, and so does a signal,
    for which the server alone would wait until make() has ended.
    """
    if scope["type"] != "lifespan":
        return make()
    try:
        with end_signals.raised():
            return make()
    except (Exception, SystemExit):
        return Failed()
