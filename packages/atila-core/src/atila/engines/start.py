"""The start of a site beside the loop of a server that waits for it, whatever signals it gets."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from atila.runtime import end_signals
from atila.runtime.awaitables import settle

if TYPE_CHECKING:
    from atila import Site

CLOSING_SECONDS = 5.0
"""How long the values that a start has made may take to be cleaned up after a signal."""


class Interrupted(Exception):
    """A signal to end came while the site started."""


async def run(site: Site) -> None:
    """Start a site: `Site.start_up`. On the task loop.

    A server of ASGI asks only after the start whether it shall end, and the start may never end:
    a step of it waits for a database, say. So a signal to end interrupts the wait, as does the
    server's own limit, after the values that were made are cleaned up; the step is left as it is,
    in its thread.

    Raises:
        Interrupted: a signal to end came.
        BaseException: whatever `Site.start_up` raises.
    """
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def interrupt() -> None:
        loop.call_soon_threadsafe(
            settle, ended, None, Interrupted("a signal to end came while the app started")
        )

    with end_signals.noticed(interrupt):
        try:
            await _in_thread(site.start_up, ended)
        except (Interrupted, asyncio.CancelledError):
            closed = loop.create_future()
            with suppress(TimeoutError):
                await asyncio.wait_for(_in_thread(site.close_providers, closed), CLOSING_SECONDS)
            raise


async def _in_thread(call: Callable[[], object], ended: asyncio.Future[None]) -> None:
    """The end of call(), in a thread of its own: those of an executor are waited for at the end of
    the process.

    Args:
        call: it may block for ever.
        ended: a new future, which may also end otherwise.
    """
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()

    def work() -> None:
        error: BaseException | None = None
        try:
            context.run(call)
        except BaseException as raised:
            error = raised
        # The loop has ended with the server if the wait was interrupted.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, ended, None, error)

    threading.Thread(target=work, name="atila-start", daemon=True).start()
    await ended
