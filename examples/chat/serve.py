"""Starts the chat: `python serve.py`, or `atila serve serve.py`."""

import chat
import skitai

if __name__ == "__main__":
    with skitai.preference() as pref:
        pref.set_static("/static", "static")
        skitai.mount("/", chat.app, pref)

    skitai.run(address="127.0.0.1", port=5000, name="chat")
