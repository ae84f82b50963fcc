"""Ends event streams when gunicorn's worker ends, for which it would wait."""

from __future__ import annotations

import os
import threading

from atila.runtime import end_signals
from atila.serving import site

_watched: set[int] = set()


def watch() -> None:
    """Have all sites drained when this process gets a signal to end, if it is gunicorn's.

    To be called while an app is loaded, which gunicorn does on the main thread of a worker, once
    that has taken the signals. With `--preload` it is the master that loads the app, and its
    workers take the signals anew: there it has no effect.
    """
    is_gunicorn = os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn/")
    if is_gunicorn and os.getpid() not in _watched:
        _watched.add(os.getpid())
        end_signals.before(lambda: threading.Thread(target=_drain, daemon=True).start())


def _drain() -> None:
    for each in tuple(site.serving):
        each.drain()
