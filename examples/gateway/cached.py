"""What the upstreams said last: the same for all workers."""

import time

FRESH = 4.0
"""Seconds in which an answer is given again, and nobody is asked."""
KEPT = 600.0
"""Seconds in which an answer stands in for one that fails."""


def put(app, name, number, value):
    app.store.set(f"{name}:{number}", {"at": time.time(), "value": value}, KEPT)


def get(app, name, number, seconds):
    """The value, in a list; an empty list for none that is so young."""
    kept = app.store.get(f"{name}:{number}")
    return [kept["value"]] if kept and time.time() - kept["at"] < seconds else []
