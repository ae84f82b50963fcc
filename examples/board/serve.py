"""Starts the board: `python serve.py`, or `atila serve serve.py`."""

from pathlib import Path

# It sets Django up.
import board
import skitai
from django.contrib import admin
from django.core.wsgi import get_wsgi_application

if __name__ == "__main__":
    with skitai.preference() as pref:
        pref.set_static("/static", str(Path(admin.__file__).parent / "static"))
        skitai.mount("/", board.app, pref)
    skitai.mount("/admin", get_wsgi_application())

    skitai.run(address="127.0.0.1", port=5000, name="board")
