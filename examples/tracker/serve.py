"""Starts the tracker: `python serve.py`, or `atila serve serve.py`."""

import os

import skitai
from tracker.apps import api, pages

if __name__ == "__main__":
    with skitai.preference() as pref:
        # Of tokens and sessions. Set TRACKER_SECRET in production: this one is known to everybody.
        pref.securekey = os.environ.get("TRACKER_SECRET", "known to all, for development only")
        pref.set_static("/static", "static")
        skitai.mount("/api", api, pref)
        skitai.mount("/", pages, pref)

    skitai.run(address="127.0.0.1", port=5000, name="tracker")
