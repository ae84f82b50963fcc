"""Starts the demo: `hatch run demo`, or `python examples/demo/serve.py`."""

import skitai
from demo import app, store

if __name__ == "__main__":
    store.prepare()
    with skitai.preference() as pref:
        pref.securekey = store.secret()
        pref.set_static("/static", "static")
        skitai.mount("/", app, pref)

    skitai.run(address="127.0.0.1", port=5000, name="demo")
