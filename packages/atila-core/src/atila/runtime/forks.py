"""Children that a handler forks, and that come to its end: they end there, and answer nothing.

Such a child has the server's sockets, but none of its other threads; left alone it would write the
answer once more, or wait for requests for ever and keep the port.
"""

from __future__ import annotations

import logging
import os
import sys
from threading import get_ident
from typing import TYPE_CHECKING, Any

from atila.runtime.context import current

if TYPE_CHECKING:
    from atila import Was

log = logging.getLogger("atila.app")

is_child = False
"""Whether this process was forked by code of a request; see `end`."""
_exchange: Any = None
_thread = 0


def _note() -> None:
    """Called in each child of `os.fork`."""
    global is_child, _exchange, _thread
    was = current.get(None)
    if was is not None:
        is_child, _exchange, _thread = True, was.exchange, get_ident()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)


def end(was: Was | None = None, error: BaseException | None = None) -> None:
    """End this process, if it is a child, and the code that forked it has ended.

    Not a child that went on to serve an app of its own: that has other threads, other requests.

    Args:
        was: the request whose handler has ended; None for a job of the thread.
        error: that it ended with.
    """
    if get_ident() != _thread or (was is not None and was.exchange is not _exchange):
        return
    status = 0
    if isinstance(error, SystemExit):
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        status = 1
        log.error("a child that a handler forked has failed", exc_info=error)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(status & 0xFF)
