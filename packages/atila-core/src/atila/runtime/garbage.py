"""The garbage collector of a worker process, which is to keep no request waiting for long."""

from __future__ import annotations

import gc
import sys

NEW_OBJECTS = 10_000
"""The collector looks at new objects when there are so many more of them than have gone."""

_OF_PYTHON = frozenset({700, 2000})
"""The same of CPython 3.11 and 3.12, and of 3.13."""


def prepare() -> None:
    """Have the garbage collector do as a server needs it, when a worker is about to serve.

    It does not go through all that has been loaded by then, some 15 ms each time. And it comes
    less often: requests that wait have many objects, none of them garbage, and each of its visits
    goes through all that are new. A threshold that the app has set is kept.
    """
    gc.collect()
    gc.freeze()
    new, *older = gc.get_threshold()
    # From 3.14 on it goes in small steps by itself.
    if sys.version_info < (3, 14) and new in _OF_PYTHON:
        gc.set_threshold(NEW_OBJECTS, *older)
