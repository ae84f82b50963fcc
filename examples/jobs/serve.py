"""Starts the app: `python serve.py`, or `atila serve serve.py`."""

import skitai
from orders import app

if __name__ == "__main__":
    skitai.mount("/", app)
    skitai.run(address="127.0.0.1", port=5000, name="shop")
