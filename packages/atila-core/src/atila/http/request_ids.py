"""Identifiers for requests that come without one."""

from __future__ import annotations

import os
import random

# Of its own, since an app may seed the common one. An id is to be unique, not secret: the random
# bytes of the system would have each thread let go of the interpreter to fetch them.
_random = random.Random()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def new() -> str:
    """An identifier that no other request has: 128 random bits, as 32 hexadecimal digits."""
    return f"{_random.getrandbits(128):032x}"
