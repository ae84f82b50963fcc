"""A bare WSGI function on Skitai: ``python benchmarks/apps/skitai_serve.py PORT``."""

import sys

import skitai

from benchmarks.apps.raw_wsgi import app

if __name__ == "__main__":
    skitai.log_off("*")
    skitai.mount("/", app)
    skitai.run(address="127.0.0.1", port=int(sys.argv[1]))
