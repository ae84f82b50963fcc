"""Starts the board: `atila serve serve.py`."""

import os

import skitai
from board import app

if __name__ == "__main__":
    skitai.alias("@board", skitai.DB_PGSQL, os.environ["DATABASE"])
    skitai.mount("/", app)
    skitai.run(name="board")
