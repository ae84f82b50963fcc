"""Starts the tracker: `python serve.py`, or `atila serve serve.py`."""

import os

import skitai
from tracker.app import app

if __name__ == "__main__":
    with skitai.preference() as pref:
        # Of tokens. Set TRACKER_SECRET in production: this one is known to everybody.
        pref.securekey = os.environ.get("TRACKER_SECRET", "known to all, for development only")
        skitai.mount("/", app, pref)

    skitai.run(address="127.0.0.1", port=5000, name="tracker")
