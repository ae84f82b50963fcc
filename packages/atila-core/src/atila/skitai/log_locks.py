"""Gives each process of Skitai its own locks of loggers.

Skitai's are of all processes together. A worker that is killed while it writes a line, such as by
the system when memory is short, would hold up all others at their next line, and those that take
its place, for ever.

Relied on, of `rs4.logger`: it makes locks by `multiprocessing` and uses no more of that; of
`skitai.wastuff.triple_logger`: it makes them by `Lock`.
"""

from __future__ import annotations

import threading


def install() -> None:
    """Have loggers that are made from now on locks of threads. A fork of the main thread has its
    own, and a line is written at once, so that lines of two processes stay whole.
    """
    from rs4 import logger
    from skitai.wastuff import triple_logger

    logger.multiprocessing = threading
    triple_logger.Lock = threading.Lock
