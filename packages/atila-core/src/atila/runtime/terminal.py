"""The terminal of a server, for `breakpoint()` in its worker processes."""

from __future__ import annotations

import os
import sys

_INPUT = 0


def take_back() -> None:
    """Have `sys.stdin` read from the terminal again, if there is one and `multiprocessing`, which
    granian and hypercorn start their workers by, has put /dev/null in its place.

    Otherwise a debugger reads the end of its input at once, and the request fails. uvicorn does the
    same for its own workers.
    """
    try:
        if not os.isatty(_INPUT) or not os.path.samestat(
            os.fstat(sys.stdin.fileno()), os.stat(os.devnull)
        ):
            return
    except (AttributeError, OSError, ValueError):
        return  # Something else stands there, such as what pytest puts.
    sys.stdin = open(_INPUT, encoding=sys.stdin.encoding, closefd=False)  # noqa: SIM115
