"""Starts the gateway: `python serve.py`, or `atila serve serve.py`."""

import os

import gateway
import skitai

if __name__ == "__main__":
    with skitai.preference() as pref:
        server = os.environ.get("GATEWAY_UPSTREAMS", "127.0.0.1:5001")
        for name in ("products", "stock", "reviews"):
            skitai.alias(f"@{name}", skitai.PROTO_HTTP, [f"{server}/{name}"])
        skitai.mount("/", gateway.app, pref)

    skitai.run(address="127.0.0.1", port=5000, name="gateway")
